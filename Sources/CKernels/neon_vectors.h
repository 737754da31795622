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

// What attention_bytes_template.h wants: whole numbers are two digits, of which the first pass takes the upper ones.
#define TK_BYTE_PASSES 2

/// 16 columns of four bytes each.
typedef struct {
  int8x16_t four[4];
} byte_columns;

TK_INLINE byte_columns load_columns(const int8_t *p) {
  return (byte_columns){{vld1q_s8(p), vld1q_s8(p + 16), vld1q_s8(p + 32), vld1q_s8(p + 48)}};
}

/// Whole numbers as add_columns takes them: of four neighbours the upper digits, -127 to 127, and the lower ones, -64 to
/// 63. 32 bytes.
TK_INLINE void store_whole(i16 x, void *out) {
  const i16 upper = (x + 64) >> 7, lower = x - (upper << 7);
  const b16 a = __builtin_convertvector(upper, b16), b = __builtin_convertvector(lower, b16);
  const i4 u = (i4)a, l = (i4)b;
  const i4 first = {u.x, l.x, u.y, l.y}, second = {u.z, l.z, u.w, l.w};
  memcpy(out, &first, 16);
  memcpy((char *)out + 16, &second, 16);
}

/// sum + four bytes of each column times a digit of four whole numbers.
TK_INLINE i16 add_columns(i16 sum, byte_columns c, const void *whole, int pass) {
  int32_t digits;
  memcpy(&digits, (const char *)whole + 4 * pass, 4);
  const int8x16_t x = vreinterpretq_s8_s32(vdupq_n_s32(digits));
  sum.s0123 = (i4)vdotq_s32((int32x4_t)sum.s0123, c.four[0], x);
  sum.s4567 = (i4)vdotq_s32((int32x4_t)sum.s4567, c.four[1], x);
  sum.s89ab = (i4)vdotq_s32((int32x4_t)sum.s89ab, c.four[2], x);
  sum.scdef = (i4)vdotq_s32((int32x4_t)sum.scdef, c.four[3], x);
  return sum;
}

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
