#include <stdlib.h>
#include <webp/decode.h>

#include "formats.h"

static ci_status features(const uint8_t *bytes, size_t count, WebPBitstreamFeatures *found,
                          char *message) {
  switch (WebPGetFeatures(bytes, count, found)) {
    case VP8_STATUS_OK: break;
    case VP8_STATUS_OUT_OF_MEMORY: return ci_fail(CI_NO_MEMORY, message, "no memory for libwebp");
    case VP8_STATUS_NOT_ENOUGH_DATA: return ci_fail(CI_CORRUPT, message, "the file ends too soon");
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return ci_fail(CI_UNSUPPORTED, message, "a feature that libwebp does not read");
    default: return ci_fail(CI_CORRUPT, message, "no valid WebP file");
  }
  if (found->has_animation) return ci_fail(CI_UNSUPPORTED, message, "an animation");
  return CI_OK;
}

ci_status ci_webp_size(const uint8_t *bytes, size_t count, ci_size *size, char *message) {
  WebPBitstreamFeatures found;
  const ci_status status = features(bytes, count, &found, message);
  if (status == CI_OK) *size = (ci_size){found.width, found.height};
  return status;
}

ci_status ci_webp_decode(const uint8_t *bytes, size_t count, ci_size size, uint8_t *rgb,
                         char *message) {
  WebPBitstreamFeatures found;
  const ci_status status = features(bytes, count, &found, message);
  if (status != CI_OK) return status;
  if (found.width != size.width || found.height != size.height) {
    return ci_fail(CI_CORRUPT, message, "another size than the header says");
  }
  const int channels = found.has_alpha ? 4 : 3;
  const size_t pixels = (size_t)size.width * (size_t)size.height;
  uint8_t *rgba = found.has_alpha ? malloc(4 * pixels) : NULL;
  if (found.has_alpha && !rgba) {
    return ci_fail(CI_NO_MEMORY, message, "no memory for the image");
  }
  const int stride = (int)(channels * size.width);
  const uint8_t *done =
      found.has_alpha ? WebPDecodeRGBAInto(bytes, count, rgba, 4 * pixels, stride)
                      : WebPDecodeRGBInto(bytes, count, rgb, 3 * pixels, stride);
  if (done && found.has_alpha) ci_over_white(rgba, (int64_t)pixels, rgb);
  free(rgba);
  return done ? CI_OK : ci_fail(CI_CORRUPT, message, "the image's data can't be read");
}
