// The kernels of sentence encoders (Rotated.h) on NEON with dot products. sdot takes signed bytes: weights lose the
// 128 that was added for others' sake as they are loaded, and no sum needs a correction.
#if defined(__aarch64__)
#include "rotated_sets.h"

#define TK(name) tk_neon_##name

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#include "neon_vectors.h"
#include "vector_math_template.h"

/// A rounded activation.
typedef int8_t tk_quant;

enum { PRODUCT_ROWS = 4, QUARTERS = 4, LANES = 16 };

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

/// sum[r] += the weights of 16 outputs and 16 inputs, `step` bytes from four inputs to the next, by the numbers
/// at x + r * stride.
TK_INLINE void add_steps(int rows, const uint8_t *w, int64_t step, const tk_quant *x,
                         int64_t stride, int32x4_t (*sum)[QUARTERS]) {
  int8x16_t q[PRODUCT_ROWS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) q[r] = vld1q_s8(x + r * stride);
#define WEIGHTS(s, c) signed_weights(w + s * step + 16 * c)
  TK_ADD_LANES(rows, WEIGHTS, q, sum);
#undef WEIGHTS
}

TK_INLINE void clear(int rows, int32x4_t (*sum)[QUARTERS]) {
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < QUARTERS; c++) sum[r][c] = vdupq_n_s32(0);
}

/// One of a pair's two tiles.
TK_INLINE void multiply_tile(int rows, int groups, const product *p, int tile) {
  float32x4_t sum[PRODUCT_ROWS][QUARTERS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
    for (int c = 0; c < QUARTERS; c++) sum[r][c] = vdupq_n_f32(0);
  const uint8_t *w = p->weights + 64 * tile;
  const uint8_t *next = p->next ? p->next + 64 * tile : NULL;
  const tk_quant *x = p->x;
  for (int g = 0; g < groups; g++) {
    int32x4_t dot[PRODUCT_ROWS][QUARTERS];
    clear(rows, dot);
    for (int k = 0; k < TK_ROTATED_GROUP; k += LANES, w += 4 * 128, x += LANES) {
      if (next) {
        for (int i = 0; i < 4; i++) __builtin_prefetch(next + 128 * i);
        next += 4 * 128;
      }
      add_steps(rows, w, 128, x, groups * TK_ROTATED_GROUP, dot);
    }
#pragma clang loop unroll(full)
    for (int c = 0; c < QUARTERS; c++) {
      const float32x4_t scale = vld1q_f32((const float *)w + 4 * c);
      for (int r = 0; r < rows; r++)
        sum[r][c] = vfmaq_f32(sum[r][c], vcvtq_f32_s32(dot[r][c]), scale);
    }
    w += 128;
    if (next) next += 128;
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    for (int c = 0; c < QUARTERS; c++) {
      const int o = 16 * tile + 4 * c;
      float32x4_t y = p->bias ? vld1q_f32(p->bias + o) : vdupq_n_f32(0);
      y = vfmaq_n_f32(y, sum[r][c], p->scales[r]);
      if (p->addend) y = vaddq_f32(y, vld1q_f32(p->addend + r * p->addend_stride + o));
      vst1q_f32(p->out + r * p->stride + o, y);
    }
  }
}

/// Of a unit's rows, as many as fit the registers.
TK_INLINE void score_rows(int rows, const tk_quant *q, const int32_t *corrections, int64_t d,
                          const head_memory *m, int64_t positions, int64_t width, float *scores,
                          v16 *tops) {
  (void)corrections;
  for (int64_t j = 0; j < width; j += 16) {
    int32x4_t dot[PRODUCT_ROWS][QUARTERS];
    clear(rows, dot);
    for (int64_t k = 0; k < d; k += LANES)
      add_steps(rows, m->keys + j * d + 16 * k, 64, q + k, d, dot);
    const v16 scale = TK(load)(m->key_scales + j);
    const bool is_whole = j + 16 <= positions;
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      i16 whole;
      whole.s0123 = (i4)dot[r][0], whole.s4567 = (i4)dot[r][1];
      whole.s89ab = (i4)dot[r][2], whole.scdef = (i4)dot[r][3];
      v16 x = __builtin_convertvector(whole, v16) * scale;
      if (!is_whole) x = first_of(x, positions - j, NOWHERE);
      tops[r] = TK(max)(x, tops[r]);
      TK(store)(scores + r * width + j, x);
    }
  }
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

#include "rotated_table_template.h"

const tk_rotated_kernels *tk_rotated_neon(void) { return &tk_neon_rotated_table; }
#endif
