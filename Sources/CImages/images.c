#include "formats.h"

ci_status ci_read_size(ci_format format, const uint8_t *bytes, size_t count, ci_size *size,
                       char *message) {
  switch (format) {
    case CI_JPEG: return ci_jpeg_size(bytes, count, size, message);
    case CI_PNG: return ci_png_size(bytes, count, size, message);
    case CI_WEBP: return ci_webp_size(bytes, count, size, message);
  }
  return ci_fail(CI_UNSUPPORTED, message, "no such format");
}

ci_status ci_decode(ci_format format, const uint8_t *bytes, size_t count, ci_size size,
                    uint8_t *rgb, char *message) {
  switch (format) {
    case CI_JPEG: return ci_jpeg_decode(bytes, count, size, rgb, message);
    case CI_PNG: return ci_png_decode(bytes, count, size, rgb, message);
    case CI_WEBP: return ci_webp_decode(bytes, count, size, rgb, message);
  }
  return ci_fail(CI_UNSUPPORTED, message, "no such format");
}
