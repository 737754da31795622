// The quantised product on NEON with dot products. sdot multiplies signed bytes: quants of 4, 5 and 6 bits are
// right-aligned, and so not negative, those of 8 bits less their zero point. It takes a row's four inputs from a
// lane of a register, so that nothing is broadcast.
//
// A block is met by four rows at a time: 16 sums.
#if defined(__aarch64__)
#include "matmul_tiles.h"

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#include "neon_vectors.h"

enum { QUARTERS = 4, STEPS = 8, ROWS_AT_ONCE = 4 };

/// A row's sums of 16 outputs.
typedef float32x4_t parts[QUARTERS];

/// A format's table, its numbers as right-aligned quants; of 8 bits, signed.
TK_INLINE int8x16_t lookup_of(tk_format f) {
  if (!f.table) return vdupq_n_s8(0);
  return vaddq_s8(vld1q_s8(tk_table(f.table)), vdupq_n_s8(f.bits == 8 ? 0 : 1 << (f.bits - 1)));
}

/// A quarter of a vector (4 outputs) of right-aligned quants; of 8 bits, signed.
TK_INLINE int8x16_t quarter_weights(const uint8_t *quants, tk_format f, int8x16_t lookup, int v,
                                    int quarter) {
  const int bits = f.table ? 4 : f.bits;
  if (bits == 8)
    return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(quants + 64 * v + 16 * quarter), vdupq_n_u8(0x80)));
  const uint8x16_t pair = vld1q_u8(quants + 64 * (v % 4) + 16 * quarter);
  const uint8x16_t upper = v < 4 ? vandq_u8(pair, vdupq_n_u8(15)) : vshrq_n_u8(pair, 4);
  if (f.table) return vqtbl1q_s8(lookup, upper);
  if (bits == 4) return vreinterpretq_s8_u8(upper);
  if (bits == 5) {
    const uint8x16_t plane = vld1q_u8(quants + 256 + 16 * quarter);
    const uint8x16_t low =
        vandq_u8(vshlq_u8(plane, vdupq_n_s8((int8_t)-v)), vdupq_n_u8(1));
    return vreinterpretq_s8_u8(vorrq_u8(vshlq_n_u8(upper, 1), low));
  }
  const uint8x16_t plane = vld1q_u8(quants + 256 + 64 * (v / 4) + 16 * quarter);
  const uint8x16_t low =
      vandq_u8(vshlq_u8(plane, vdupq_n_s8((int8_t)(-2 * (v % 4)))), vdupq_n_u8(3));
  return vreinterpretq_s8_u8(vorrq_u8(vshlq_n_u8(upper, 2), low));
}

TK_INLINE float32x4_t quarter_halves(const uint8_t *p, int quarter) {
  float16x4_t halves;
  memcpy(&halves, p + 8 * quarter, sizeof halves);
  return vcvt_f32_f16(halves);
}

/// Scales (or offsets) of 4 outputs.
TK_INLINE float32x4_t quarter_scales(tk_format f, const uint8_t *scales, const uint8_t *units,
                                     int quarter) {
  if (f.scales == TK_SCALES_HALF) return quarter_halves(scales, quarter);
  uint32_t four;
  memcpy(&four, scales + 4 * quarter, sizeof four);
  const uint8x8_t bytes = vcreate_u8(four);
  if (f.scales == TK_SCALES_EXPONENT)
    return vreinterpretq_f32_u32(vshlq_n_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes))), 23));
  const int16x4_t codes = vget_low_s16(vmovl_s8(vreinterpret_s8_u8(bytes)));
  return vmulq_f32(vcvtq_f32_s32(vmovl_s16(codes)), quarter_halves(units, quarter));
}

/// A block, unpacked.
typedef struct {
  int8x16_t weights[STEPS][QUARTERS];
  float32x4_t scales[2][QUARTERS];  // of left-aligned quants
  float32x4_t offsets[2][QUARTERS];
} unpacked_block;

TK_INLINE void unpack(const tk_packed_block *block, tk_format f, unpacked_block *out) {
  const int8x16_t lookup = lookup_of(f);
#pragma clang loop unroll(full)
  for (int v = 0; v < STEPS; v++)
    for (int c = 0; c < QUARTERS; c++)
      out->weights[v][c] = quarter_weights(block->quants, f, lookup, v, c);
#pragma clang loop unroll(full)
  for (int g = 0; g < 32 / f.group; g++) {
    const int64_t at = g * tk_scale_bytes(f);
    for (int c = 0; c < QUARTERS; c++) {
      out->scales[g][c] = quarter_scales(f, block->scales + at, block->units, c);
      if (f.has_offset)
        out->offsets[g][c] = quarter_scales(f, block->offsets + at, block->units + 32, c);
    }
  }
}

/// sums[r][c] += `rows` rows by a block. Each row's arithmetic is the same for every `rows`.
TK_INLINE void add_block(int rows, tk_format f, const unpacked_block *w,
                         const tk_activation_block *x, parts *sums) {
  const int bits = f.bits, groups = 32 / f.group;
  int32x4_t dot[ROWS_AT_ONCE][QUARTERS];
#pragma clang loop unroll(full)
  for (int half = 0; half < 2; half++) {
    if (half == 0 || groups == 2) {
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++)
        for (int c = 0; c < QUARTERS; c++) dot[r][c] = vdupq_n_s32(0);
    }
    int8x16_t q[ROWS_AT_ONCE];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) q[r] = vld1q_s8(x[r].q + 16 * half);
#define WEIGHTS(s, c) w->weights[4 * half + s][c]
    TK_ADD_LANES(rows, WEIGHTS, q, dot);
#undef WEIGHTS
    if (half == 0 && groups == 1) continue;
    const int g = groups == 1 ? 0 : half;
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      for (int c = 0; c < QUARTERS; c++) {
        int32x4_t sum = vshlq_s32(dot[r][c], vdupq_n_s32(8 - bits));
        if (!f.has_offset && bits != 8)
          // Left-aligned quants are about 128.
          sum = vaddq_s32(
              sum, vdupq_n_s32(groups == 1 ? x[r].correction : x[r].correction16[g]));
        const float32x4_t both = vmulq_n_f32(w->scales[g][c], x[r].scale);
        sums[r][c] = vfmaq_f32(sums[r][c], vcvtq_f32_s32(sum), both);
        if (f.has_offset)
          sums[r][c] = vfmaq_n_f32(sums[r][c], w->offsets[g][c],
                                   groups == 1 ? x[r].scaled_sum : x[r].scaled_sum16[g]);
      }
    }
  }
}

#include "matmul_unpacked_template.h"

#pragma clang attribute pop

void tk_neon_multiply(const tk_matrix *m, int64_t first_tile, int64_t last_tile,
                      const tk_activation_block *x, int64_t first_row, int64_t row_count,
                      float *out, int64_t stride, bool accumulate) {
  tk_multiply_tiles(function_for(m->format), MOST_ROWS, m, first_tile, last_tile, x, first_row,
                    row_count, out, stride, accumulate);
}
#endif
