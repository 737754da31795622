#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "formats.h"

typedef struct {
  png_structp png;
  png_infop info;
  const uint8_t *bytes;
  size_t count, offset;
  /// The image with its transparency. // (height, width, 4)
  uint8_t *rgba;
  png_bytepp rows;
  char *message;
  ci_status status;
} decoder;

static void fail(png_structp png, png_const_charp what) {
  decoder *d = png_get_error_ptr(png);
  if (d->status == CI_OK) d->status = ci_fail(CI_CORRUPT, d->message, what);
  png_longjmp(png, 1);
}

static void warn(png_structp png, png_const_charp what) {
  (void)png;
  (void)what;
}

static void read_bytes(png_structp png, png_bytep target, size_t count) {
  decoder *d = png_get_io_ptr(png);
  if (count > d->count - d->offset) fail(png, "the file ends too soon");
  memcpy(target, d->bytes + d->offset, count);
  d->offset += count;
}

/// Chunks that no pixel depends on here, some of which are compressed: colours are taken as they are.
static const uint8_t IGNORED[] =
    "cHRM\0gAMA\0iCCP\0sRGB\0bKGD\0hIST\0iTXt\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0tEXt\0tIME\0zTXt\0"
    "eXIf";

static bool start(decoder *d, const uint8_t *bytes, size_t count, char *message) {
  memset(d, 0, sizeof *d);
  d->bytes = bytes;
  d->count = count;
  d->message = message;
  d->status = CI_OK;
  d->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, d, fail, warn);
  if (d->png) d->info = png_create_info_struct(d->png);
  if (!d->info) d->status = ci_fail(CI_NO_MEMORY, message, "no memory for libpng");
  return d->info != NULL;
}

static void end(decoder *d) {
  png_destroy_read_struct(&d->png, &d->info, NULL);
  free(d->rows);
  free(d->rgba);
}

static void read_header(decoder *d) {
  png_set_read_fn(d->png, d, read_bytes);
#ifdef PNG_HANDLE_AS_UNKNOWN_SUPPORTED
  png_set_keep_unknown_chunks(d->png, PNG_HANDLE_CHUNK_NEVER, NULL, 0);
  png_set_keep_unknown_chunks(d->png, PNG_HANDLE_CHUNK_NEVER, IGNORED, sizeof IGNORED / 5);
#endif
  png_read_info(d->png, d->info);
}

// What may be left by longjmp stands in functions of its own, whose callers' variables C keeps.

static void find_size(decoder *d, ci_size *size) {
  if (setjmp(png_jmpbuf(d->png)) != 0) return;
  read_header(d);
  *size = (ci_size){png_get_image_width(d->png, d->info), png_get_image_height(d->png, d->info)};
}

ci_status ci_png_size(const uint8_t *bytes, size_t count, ci_size *size, char *message) {
  decoder d;
  if (start(&d, bytes, count, message)) find_size(&d, size);
  end(&d);
  return d.status;
}

static void allocate(decoder *d, ci_size size, bool transparent) {
  d->rows = malloc((size_t)size.height * sizeof *d->rows);
  if (transparent) d->rgba = malloc((size_t)size.height * (size_t)size.width * 4);
  if (d->rows && (d->rgba || !transparent)) return;
  d->status = ci_fail(CI_NO_MEMORY, d->message, "no memory for the image");
  png_longjmp(d->png, 1);
}

static void decode(decoder *d, ci_size size, uint8_t *rgb) {
  if (setjmp(png_jmpbuf(d->png)) != 0) return;
  read_header(d);
  const int kind = png_get_color_type(d->png, d->info);
  const bool transparent =
      (kind & PNG_COLOR_MASK_ALPHA) || png_get_valid(d->png, d->info, PNG_INFO_tRNS);
  // Palettes and few bits become bytes, 16 bits their upper halves, as Pillow has them.
  png_set_expand(d->png);
  png_set_strip_16(d->png);
  png_set_gray_to_rgb(d->png);
  png_set_interlace_handling(d->png);
  png_read_update_info(d->png, d->info);
  const int channels = transparent ? 4 : 3;
  if (png_get_image_width(d->png, d->info) != size.width ||
      png_get_image_height(d->png, d->info) != size.height ||
      png_get_rowbytes(d->png, d->info) != (size_t)(channels * size.width)) {
    fail(d->png, "another size than the header says");
  }
  allocate(d, size, transparent);
  uint8_t *first = transparent ? d->rgba : rgb;
  for (int64_t row = 0; row < size.height; row++) {
    d->rows[row] = first + row * channels * size.width;
  }
  // What follows the pixels says nothing about them.
  png_read_image(d->png, d->rows);
  if (transparent) ci_over_white(d->rgba, size.width * size.height, rgb);
}

ci_status ci_png_decode(const uint8_t *bytes, size_t count, ci_size size, uint8_t *rgb,
                        char *message) {
  decoder d;
  if (start(&d, bytes, count, message)) decode(&d, size, rgb);
  end(&d);
  return d.status;
}
