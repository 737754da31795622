// The kernels of sentence encoders (Rotated.h) on NEON with dot products. sdot takes signed bytes: weights lose the
// 128 that was added for others' sake as they are loaded, and no sum needs a correction.
#if defined(__aarch64__)
#include "rotated_sets.h"
#include "tables.h"

#define TK(name) tk_neon_##name

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#include "neon_vectors.h"
#include "vector_math_template.h"

/// A rounded activation.
typedef int8_t tk_quant;

enum { PRODUCT_ROWS = 4, QUARTERS = 4 };

TK_INLINE i16 round_to_int(v16 x) {
  i16 whole;
  whole.s0123 = (i4)vcvtnq_s32_f32((float32x4_t)x.s0123);
  whole.s4567 = (i4)vcvtnq_s32_f32((float32x4_t)x.s4567);
  whole.s89ab = (i4)vcvtnq_s32_f32((float32x4_t)x.s89ab);
  whole.scdef = (i4)vcvtnq_s32_f32((float32x4_t)x.scdef);
  return whole;
}

TK_INLINE int16x8x2_t words_of(i16 x) {
  return (int16x8x2_t){{
      vcombine_s16(vqmovn_s32((int32x4_t)x.s0123), vqmovn_s32((int32x4_t)x.s4567)),
      vcombine_s16(vqmovn_s32((int32x4_t)x.s89ab), vqmovn_s32((int32x4_t)x.scdef)),
  }};
}

/// 32 numbers in order as words.
TK_INLINE void store_words(i16 a, i16 b, int16_t *out) {
  const int16x8x2_t first = words_of(a), second = words_of(b);
  vst1q_s16(out, first.val[0]), vst1q_s16(out + 8, first.val[1]);
  vst1q_s16(out + 16, second.val[0]), vst1q_s16(out + 24, second.val[1]);
}

TK_INLINE b16 bytes_of(i16 x) {
  const int16x8x2_t words = words_of(x);
  return (b16)vcombine_s8(vqmovn_s16(words.val[0]), vqmovn_s16(words.val[1]));
}

TK_INLINE void store_query(i16 x, tk_quant *out) { vst1q_s8(out, (int8x16_t)bytes_of(x)); }

/// Rounds a group; returns the sum.
TK_INLINE int32_t store_quants(const v16 *x, tk_quant *out) {
  int32x4_t sums = vdupq_n_s32(0);
#pragma clang loop unroll(full)
  for (int i = 0; i < TK_ROTATED_GROUP / 16; i++) {
    const int8x16_t bytes = (int8x16_t)bytes_of(round_to_int(x[i]));
    vst1q_s8(out + 16 * i, bytes);
    sums = vdotq_s32(sums, bytes, vdupq_n_s8(1));
  }
  return vaddvq_s32(sums);
}

#include "full_attention_template.h"
#include "rotated_product_template.h"
#include "rotated_rows_template.h"

TK_INLINE int8x16_t signed_weights(const uint8_t *p) {
  return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(p), vdupq_n_u8(0x80)));
}

typedef int32x4_t tile_sums[QUARTERS];

TK_INLINE void start(int rows, const int32_t *corrections, int64_t stride, tile_sums *sums) {
  (void)corrections, (void)stride;
  memset(sums, 0, (size_t)rows * sizeof *sums);
}

TK_INLINE void add_inputs(int rows, const uint8_t *w, int64_t step, const tk_quant *x,
                          int64_t stride, tile_sums *sums) {
  int8x16_t q[PRODUCT_ROWS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) q[r] = vld1q_s8(x + r * stride);
#define WEIGHTS(s, c) signed_weights(w + s * step + 16 * c)
  TK_ADD_LANES(rows, WEIGHTS, q, sums);
#undef WEIGHTS
}

#include "rotated_narrow_template.h"

/// Sums of two positions' products for each of four dimensions.
TK_INLINE int32x4_t pair_products(int16x8_t values, int16x8_t weights) {
  return vpaddq_s32(vmull_s16(vget_low_s16(values), vget_low_s16(weights)),
                    vmull_high_s16(values, weights));
}

TK_INLINE void blend(int rows, const int16_t *weights, int64_t width, const head_memory *m,
                     int64_t d, const float *factors, float *out, int64_t stride) {
  for (int64_t i = 0; i < d; i += 8) {
    int32x4_t dot[TK_ATTENTION_ROWS][2];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) dot[r][0] = dot[r][1] = vdupq_n_s32(0);
    for (int64_t p = 0; p < width; p += 2) {
      const int16_t *v = m->values + p * d + 2 * i;
      const int16x8_t low = vld1q_s16(v), high = vld1q_s16(v + 8);
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        int32_t pair;
        memcpy(&pair, weights + r * width + p, 4);
        const int16x8_t x = vreinterpretq_s16_s32(vdupq_n_s32(pair));
        dot[r][0] = vaddq_s32(dot[r][0], pair_products(low, x));
        dot[r][1] = vaddq_s32(dot[r][1], pair_products(high, x));
      }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
      for (int h = 0; h < 2; h++)
        vst1q_f32(out + r * stride + i + 4 * h,
                  vmulq_n_f32(vcvtq_f32_s32(dot[r][h]), factors[r]));
  }
}

#pragma clang attribute pop

const tk_rotated_kernels *tk_rotated_neon(void) {
  static const tk_rotated_kernels table = TK_ROTATED_KERNELS(tk_neon_rotated_multiply);
  return &table;
}
#endif
