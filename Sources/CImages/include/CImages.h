// Images through the system's libjpeg-turbo, libpng and libwebp. The first two leave their functions by longjmp where
// something is wrong, which must not pass through Swift: it ends in here, as a status.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CI_MESSAGE_BYTES = 200 };

typedef enum { CI_JPEG, CI_PNG, CI_WEBP } ci_format;

typedef enum {
  CI_OK,
  /// The bytes end too soon, or are none of the format.
  CI_CORRUPT,
  /// A valid file of a kind that is not read here.
  CI_UNSUPPORTED,
  CI_NO_MEMORY,
} ci_status;

typedef struct {
  int64_t width, height;
} ci_size;

/// Width and height, as the header says. Nothing is allocated by what it says.
/// // message (CI_MESSAGE_BYTES): what is wrong, ended by 0
ci_status ci_read_size(ci_format format, const uint8_t *bytes, size_t count, ci_size *size,
                       char *message);

/// The pixels, 8 bits a channel. What is transparent shows white behind it.
/// // rgb (height, width, 3)
///
/// `size` is what `ci_read_size` gave, and rgb has room for it.
ci_status ci_decode(ci_format format, const uint8_t *bytes, size_t count, ci_size size,
                    uint8_t *rgb, char *message);
