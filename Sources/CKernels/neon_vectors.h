// What the templates are told of NEON, and what its kernels share. Included where its target attribute is in force.
#pragma once

#include <arm_neon.h>

#include "vectors.h"

#define TK_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define TK_MAX(a, b) tk_choose(a, b, (a) > (b))
#define TK_MIN(a, b) tk_choose(a, b, (a) < (b))

typedef float v4 __attribute__((ext_vector_type(4)));
typedef int32_t i4 __attribute__((ext_vector_type(4)));

TK_INLINE v16 load_half16(const uint16_t *p) {
  v16 x;
  x.s0123 = (v4)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
  x.s4567 = (v4)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4)));
  x.s89ab = (v4)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 8)));
  x.scdef = (v4)vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 12)));
  return x;
}
TK_INLINE void store_half16(uint16_t *p, v16 x) {
  vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)x.s0123)));
  vst1_u16(p + 4, vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)x.s4567)));
  vst1_u16(p + 8, vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)x.s89ab)));
  vst1_u16(p + 12, vreinterpret_u16_f16(vcvt_f16_f32((float32x4_t)x.scdef)));
}
#define TK_LOAD_HALF16(p) load_half16(p)
#define TK_STORE_HALF16(p, x) store_half16(p, x)

/// sum[r][c] += four steps of four inputs each: the weights of outputs 4c to 4c + 3 in step s, WEIGHTS(s, c), by
/// those of four lanes of x[r]. A macro, for lanes must be constants where they are written.
#define TK_ADD_LANE(S, ROWS, WEIGHTS, x, sum)                               \
  do {                                                                      \
    _Pragma("clang loop unroll(full)") for (int c = 0; c < 4; c++) {        \
      const int8x16_t weights = WEIGHTS(S, c);                              \
      _Pragma("clang loop unroll(full)") for (int r = 0; r < (ROWS); r++)   \
          sum[r][c] = vdotq_laneq_s32(sum[r][c], weights, x[r], S);         \
    }                                                                       \
  } while (0)
#define TK_ADD_LANES(ROWS, WEIGHTS, x, sum)   \
  do {                                        \
    TK_ADD_LANE(0, ROWS, WEIGHTS, x, sum);    \
    TK_ADD_LANE(1, ROWS, WEIGHTS, x, sum);    \
    TK_ADD_LANE(2, ROWS, WEIGHTS, x, sum);    \
    TK_ADD_LANE(3, ROWS, WEIGHTS, x, sum);    \
  } while (0)
