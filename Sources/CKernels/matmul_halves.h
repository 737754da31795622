// What the quantised products of AVX2 and AVX-VNNI share: halves of a tile, 8 outputs, in registers of 32 bytes.
// Included where the target attribute is in force.
#pragma once

#include "matmul_tiles.h"

enum { HALVES = 2, STEPS = 8 };

/// A row's sums of 16 outputs.
typedef __m256 parts[HALVES];

/// A format's table, its numbers as right-aligned quants.
TK_INLINE __m256i lookup_of(tk_format f) {
  if (!f.table) return _mm256_setzero_si256();
  const __m128i numbers = _mm_loadu_si128((const __m128i *)tk_table(f.table));
  const __m128i zero = _mm_set1_epi8((char)(1 << (f.bits - 1)));
  return _mm256_broadcastsi128_si256(_mm_add_epi8(numbers, zero));
}

/// Half a vector (8 outputs) of right-aligned quants.
TK_INLINE __m256i half_weights(const uint8_t *quants, tk_format f, __m256i lookup, int v, int half) {
  const int bits = f.table ? 4 : f.bits;
  if (bits == 8) return _mm256_loadu_si256((const __m256i *)(quants + 64 * v + 32 * half));
  __m256i pair = _mm256_loadu_si256((const __m256i *)(quants + 64 * (v % 4) + 32 * half));
  __m256i upper = _mm256_and_si256(v < 4 ? pair : _mm256_srli_epi16(pair, 4),
                                   _mm256_set1_epi8(15));
  if (f.table) return _mm256_shuffle_epi8(lookup, upper);
  if (bits == 4) return upper;
  if (bits == 5) {
    __m256i plane = _mm256_loadu_si256((const __m256i *)(quants + 256 + 32 * half));
    __m256i low = _mm256_and_si256(_mm256_srli_epi16(plane, v), _mm256_set1_epi8(1));
    return _mm256_or_si256(_mm256_add_epi8(upper, upper), low);
  }
  __m256i plane = _mm256_loadu_si256((const __m256i *)(quants + 256 + 64 * (v / 4) + 32 * half));
  __m256i low = _mm256_and_si256(_mm256_srli_epi16(plane, 2 * (v % 4)), _mm256_set1_epi8(3));
  return _mm256_or_si256(_mm256_slli_epi16(upper, 2), low);
}

/// Scales (or offsets) of 8 outputs.
TK_INLINE __m256 half_scales(tk_format f, const uint8_t *scales, const uint8_t *units, int half) {
  if (f.scales == TK_SCALES_HALF)
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(scales + 16 * half)));
  const __m128i bytes = _mm_loadl_epi64((const __m128i *)(scales + 8 * half));
  if (f.scales == TK_SCALES_EXPONENT)
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu8_epi32(bytes), 23));
  return _mm256_mul_ps(_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
                       _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(units + 16 * half))));
}

/// A block's scales, and its offsets where it has them, a group.
TK_INLINE void unpack_scales(const tk_packed_block *block, tk_format f, __m256 (*scales)[HALVES],
                             __m256 (*offsets)[HALVES]) {
#pragma clang loop unroll(full)
  for (int g = 0; g < 32 / f.group; g++) {
    const int64_t at = g * tk_scale_bytes(f);
#pragma clang loop unroll(full)
    for (int h = 0; h < HALVES; h++) {
      scales[g][h] = half_scales(f, block->scales + at, block->units, h);
      if (f.has_offset) offsets[g][h] = half_scales(f, block->offsets + at, block->units + 32, h);
    }
  }
}

/// A row's whole sums of a group, of left-aligned quants, to its sums of a tile.
TK_INLINE void add_scaled(bool has_offset, int groups, int g, const __m256 *scales,
                          const __m256 *offsets, const tk_activation_block *x,
                          const __m256i *dot, parts *sum) {
  const __m256 row_scale = _mm256_set1_ps(x->scale);
#pragma clang loop unroll(full)
  for (int h = 0; h < HALVES; h++) {
    const __m256 both = _mm256_mul_ps(scales[h], row_scale);
    (*sum)[h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[h]), both, (*sum)[h]);
    if (has_offset)
      (*sum)[h] = _mm256_fmadd_ps(
          offsets[h], _mm256_set1_ps(groups == 1 ? x->scaled_sum : x->scaled_sum16[g]), (*sum)[h]);
  }
}

/// Where the sums of a group begin: left-aligned quants without an offset are about 128.
TK_INLINE __m256i correction_of(int groups, int g, const tk_activation_block *x) {
  return _mm256_set1_epi32(groups == 1 ? x->correction : x->correction16[g]);
}
