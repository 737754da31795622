// What the formats' files share.
#pragma once

#include <stdio.h>

#include "CImages.h"

ci_status ci_jpeg_size(const uint8_t *bytes, size_t count, ci_size *size, char *message);
ci_status ci_jpeg_decode(const uint8_t *bytes, size_t count, ci_size size, uint8_t *rgb,
                         char *message);
ci_status ci_png_size(const uint8_t *bytes, size_t count, ci_size *size, char *message);
ci_status ci_png_decode(const uint8_t *bytes, size_t count, ci_size size, uint8_t *rgb,
                        char *message);
ci_status ci_webp_size(const uint8_t *bytes, size_t count, ci_size *size, char *message);
ci_status ci_webp_decode(const uint8_t *bytes, size_t count, ci_size size, uint8_t *rgb,
                         char *message);

static inline ci_status ci_fail(ci_status status, char *message, const char *what) {
  snprintf(message, CI_MESSAGE_BYTES, "%s", what);
  return status;
}

/// Pixels over white, rounded as Pillow's alpha_composite rounds. // rgba (pixels, 4), rgb (pixels, 3)
static inline void ci_over_white(const uint8_t *rgba, int64_t pixels, uint8_t *rgb) {
  for (int64_t i = 0; i < pixels; i++) {
    const uint32_t own = rgba[4 * i + 3] * 128u, white = 255u * 128u - own;
    for (int c = 0; c < 3; c++) {
      const uint32_t sum = rgba[4 * i + c] * own + 255u * white + (128u << 7);
      rgb[3 * i + c] = (uint8_t)((((sum >> 8) + sum) >> 8) >> 7);
    }
  }
}
