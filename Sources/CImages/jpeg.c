#include <setjmp.h>
#include <string.h>

#include "formats.h"
// jpeglib.h uses FILE and size_t without including what has them.
#include <jerror.h>
#include <jpeglib.h>

/// Passes over the image at most. A progressive file has some ten; each costs time by the image's size, however few
/// bytes it takes in the file.
enum { MOST_SCANS = 64 };

typedef struct {
  struct jpeg_error_mgr manager;  // first: libjpeg has its address
  jmp_buf exit;
  ci_status status;
  char *message;
} error_manager;

_Noreturn static void leave(j_common_ptr info, ci_status status, const char *what) {
  error_manager *errors = (error_manager *)info->err;
  errors->status = ci_fail(status, errors->message, what);
  longjmp(errors->exit, 1);
}

static void error_exit(j_common_ptr info) {
  char text[JMSG_LENGTH_MAX];
  info->err->format_message(info, text);
  ci_status status = CI_CORRUPT;
  switch (info->err->msg_code) {
    case JERR_OUT_OF_MEMORY: status = CI_NO_MEMORY; break;
    case JERR_ARITH_NOTIMPL:
    case JERR_BAD_PRECISION:
    case JERR_CONVERSION_NOTIMPL:
    case JERR_NOT_COMPILED:
    case JERR_SOF_UNSUPPORTED: status = CI_UNSUPPORTED; break;
    default: break;
  }
  leave(info, status, text);
}

/// libjpeg goes on after a warning. It may where bytes are odd, as Pillow does, but not where they end.
static void emit_message(j_common_ptr info, int level) {
  if (level < 0 && info->err->msg_code == JWRN_JPEG_EOF) error_exit(info);
}

static void output_message(j_common_ptr info) { (void)info; }

static void count_scans(j_common_ptr info) {
  if (!info->is_decompressor) return;
  if (((j_decompress_ptr)info)->input_scan_number > MOST_SCANS) {
    leave(info, CI_UNSUPPORTED, "more scans than are read");
  }
}

typedef struct {
  struct jpeg_decompress_struct info;
  error_manager errors;
  struct jpeg_progress_mgr progress;
} decoder;

static void start(decoder *d, char *message) {
  memset(d, 0, sizeof *d);
  d->info.err = jpeg_std_error(&d->errors.manager);
  d->errors.manager.error_exit = error_exit;
  d->errors.manager.emit_message = emit_message;
  d->errors.manager.output_message = output_message;
  d->errors.message = message;
  d->errors.status = CI_OK;
}

static void read_header(decoder *d, const uint8_t *bytes, size_t count) {
  jpeg_create_decompress(&d->info);
  d->progress.progress_monitor = count_scans;
  d->info.progress = &d->progress;
  jpeg_mem_src(&d->info, bytes, (unsigned long)count);
  jpeg_read_header(&d->info, TRUE);
}

// What may be left by longjmp stands in functions of its own, whose callers' variables C keeps.

static void find_size(decoder *d, const uint8_t *bytes, size_t count, ci_size *size) {
  if (setjmp(d->errors.exit) != 0) return;
  read_header(d, bytes, count);
  *size = (ci_size){d->info.image_width, d->info.image_height};
}

ci_status ci_jpeg_size(const uint8_t *bytes, size_t count, ci_size *size, char *message) {
  decoder d;
  start(&d, message);
  find_size(&d, bytes, count, size);
  jpeg_destroy_decompress(&d.info);
  return d.errors.status;
}

/// Ink to light, rounded as Pillow rounds: light = (255 - ink) x (255 - black) / 255. Files by Adobe have it inverted.
/// // cmyk (pixels, 4), rgb (pixels, 3)
static void print_to_light(const uint8_t *cmyk, int64_t pixels, bool inverted, uint8_t *rgb) {
  const uint8_t flip = inverted ? 255 : 0;
  for (int64_t i = 0; i < pixels; i++) {
    const int light = 255 - (cmyk[4 * i + 3] ^ flip);
    for (int c = 0; c < 3; c++) {
      const int product = (cmyk[4 * i + c] ^ flip) * light + 128;
      const int value = light - (((product >> 8) + product) >> 8);
      rgb[3 * i + c] = (uint8_t)(value < 0 ? 0 : value);
    }
  }
}

static void decode(decoder *d, const uint8_t *bytes, size_t count, ci_size size, uint8_t *rgb) {
  if (setjmp(d->errors.exit) != 0) return;
  read_header(d, bytes, count);
  struct jpeg_decompress_struct *info = &d->info;
  const bool ink = info->jpeg_color_space == JCS_CMYK || info->jpeg_color_space == JCS_YCCK;
  info->out_color_space = ink ? JCS_CMYK : JCS_RGB;
  jpeg_start_decompress(info);
  if (info->output_width != size.width || info->output_height != size.height ||
      info->output_components != (ink ? 4 : 3)) {
    leave((j_common_ptr)info, CI_CORRUPT, "another size than the header says");
  }
  // libjpeg frees it with the rest.
  JSAMPARRAY row = info->mem->alloc_sarray(
      (j_common_ptr)info, JPOOL_IMAGE, info->output_width * (JDIMENSION)info->output_components, 1);
  while (info->output_scanline < info->output_height) {
    uint8_t *target = rgb + 3 * size.width * info->output_scanline;
    if (jpeg_read_scanlines(info, row, 1) != 1) {
      leave((j_common_ptr)info, CI_CORRUPT, "the image's data end too soon");
    }
    if (ink) {
      print_to_light(row[0], size.width, info->saw_Adobe_marker, target);
    } else {
      memcpy(target, row[0], 3 * (size_t)size.width);
    }
  }
}

ci_status ci_jpeg_decode(const uint8_t *bytes, size_t count, ci_size size, uint8_t *rgb,
                         char *message) {
  decoder d;
  start(&d, message);
  decode(&d, bytes, count, size, rgb);
  jpeg_destroy_decompress(&d.info);
  return d.errors.status;
}
