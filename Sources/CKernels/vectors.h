// Vectors of 16 floats in the compiler's own notation. The same source becomes one AVX-512
// register, two of AVX2 or four of SSE2 or NEON, by the target attribute in force where the
// templates are included.
#pragma once

#include <math.h>
#include <string.h>

#include "CKernels.h"
#include "half.h"

#pragma clang diagnostic ignored "-Wpsabi"

typedef float v16 __attribute__((ext_vector_type(16)));
typedef float v16_unaligned __attribute__((ext_vector_type(16), aligned(4)));
typedef int32_t i16 __attribute__((ext_vector_type(16)));
typedef uint32_t u16x32 __attribute__((ext_vector_type(16)));
typedef uint16_t h16 __attribute__((ext_vector_type(16)));
typedef int8_t b16 __attribute__((ext_vector_type(16)));
typedef int16_t w16 __attribute__((ext_vector_type(16)));
typedef int16_t w32 __attribute__((ext_vector_type(32)));

#define TK_INLINE static inline __attribute__((always_inline))

/// 16 vectors of 16 lanes turned over: rows i and i + 8 are interleaved; after four rounds place (i, j) has
/// come to (j, i).
#define TK_TURN(vector, row)                                                                      \
  do {                                                                                            \
    vector next[16];                                                                              \
    for (int round = 0; round < 4; round++) {                                                     \
      for (int i = 0; i < 8; i++) {                                                               \
        next[2 * i] = __builtin_shufflevector((row)[i], (row)[i + 8], 0, 16, 1, 17, 2, 18, 3, 19, \
                                              4, 20, 5, 21, 6, 22, 7, 23);                        \
        next[2 * i + 1] = __builtin_shufflevector((row)[i], (row)[i + 8], 8, 24, 9, 25, 10, 26,   \
                                                  11, 27, 12, 28, 13, 29, 14, 30, 15, 31);        \
      }                                                                                           \
      memcpy(row, next, sizeof next);                                                             \
    }                                                                                             \
  } while (0)

/// a where the mask is set, else b. Compilers make this the machine's own maximum or blend.
TK_INLINE v16 tk_choose(v16 a, v16 b, i16 mask) {
  return (v16)(((i16)a & mask) | ((i16)b & ~mask));
}
