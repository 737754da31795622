// The quantised product on AVX2. vpmaddubsw multiplies unsigned by signed bytes and adds pairs in
// int16, with saturation, so what goes in must keep every int16 below 32768:
//
//   4 bits  right-aligned, 0..15: a pair is at most 2 * 15 * 127 = 3810, and 8 of them 30480
//   5 bits  right-aligned, 0..31: a pair is at most 7874, and 4 of them 31496
//   6 bits  right-aligned, 0..63: a pair is at most 16002, and 2 of them 32004
//   8 bits  as |w| times x with w's sign, |w| <= 128: a pair is at most 2 * 128 * 127 = 32512
//
// The sums so far are widened to int32 by vpmaddwd before they could overflow.
//
// A block of a tile is two halves of 8 outputs. It is met by three rows at a time: 6 sums of int16 and what
// they need fill the registers.
#if defined(__x86_64__)
#include "matmul_tiles.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "avx2_vectors.h"

enum { HALVES = 2, STEPS = 8, ROWS_AT_ONCE = 3 };

/// A row's sums of 16 outputs.
typedef __m256 parts[HALVES];

/// Half a vector (8 outputs) of right-aligned quants; of 8 bits, signed.
TK_INLINE __m256i half_weights(const uint8_t *block, int bits, int v, int half) {
  if (bits == 8) {
    __m256i u = _mm256_loadu_si256((const __m256i *)(block + 64 * v + 32 * half));
    return _mm256_xor_si256(u, _mm256_set1_epi8((char)0x80));
  }
  __m256i pair = _mm256_loadu_si256((const __m256i *)(block + 64 * (v % 4) + 32 * half));
  __m256i upper = _mm256_and_si256(v < 4 ? pair : _mm256_srli_epi16(pair, 4),
                                   _mm256_set1_epi8(15));
  if (bits == 4) return upper;
  if (bits == 5) {
    __m256i plane = _mm256_loadu_si256((const __m256i *)(block + 256 + 32 * half));
    __m256i low = _mm256_and_si256(_mm256_srli_epi16(plane, v), _mm256_set1_epi8(1));
    return _mm256_or_si256(_mm256_add_epi8(upper, upper), low);
  }
  __m256i plane = _mm256_loadu_si256((const __m256i *)(block + 256 + 64 * (v / 4) + 32 * half));
  __m256i low = _mm256_and_si256(_mm256_srli_epi16(plane, 2 * (v % 4)), _mm256_set1_epi8(3));
  return _mm256_or_si256(_mm256_slli_epi16(upper, 2), low);
}

TK_INLINE __m256 half_scales(const uint8_t *p, int half) {
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 16 * half)));
}

/// A block, unpacked.
typedef struct {
  __m256i weights[STEPS][HALVES];
  __m256i sizes[STEPS][HALVES];  // their magnitudes, of 8 bits
  __m256 scales[2][HALVES];      // of left-aligned quants
  __m256 offsets[2][HALVES];
} unpacked_block;

TK_INLINE void unpack(const uint8_t *block, int bits, bool has_offset, int groups,
                      unpacked_block *out) {
#pragma clang loop unroll(full)
  for (int v = 0; v < STEPS; v++) {
#pragma clang loop unroll(full)
    for (int h = 0; h < HALVES; h++) {
      out->weights[v][h] = half_weights(block, bits, v, h);
      if (bits == 8) out->sizes[v][h] = _mm256_abs_epi8(out->weights[v][h]);
    }
  }
#pragma clang loop unroll(full)
  for (int g = 0; g < groups; g++) {
    const uint8_t *scales = block + 64 * bits + 32 * g;
#pragma clang loop unroll(full)
    for (int h = 0; h < HALVES; h++) {
      out->scales[g][h] = half_scales(scales, h);
      if (has_offset) out->offsets[g][h] = half_scales(scales + 32 * groups, h);
    }
  }
}

/// sums[r][h] += `rows` rows by a block. Each row's arithmetic is the same for every `rows`.
TK_INLINE void add_block(int rows, int bits, bool has_offset, int groups, const unpacked_block *w,
                         const tk_activation_block *x, parts *sums) {
  const int per_group = STEPS / groups;
  // Vectors whose int16 sums can be added up before widening.
  const int run = bits == 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1;
  // Left-aligns while it widens.
  const __m256i ones = _mm256_set1_epi16((short)(1 << (8 - bits)));
#pragma clang loop unroll(full)
  for (int g = 0; g < groups; g++) {
    __m256i dot[ROWS_AT_ONCE][HALVES], wide[ROWS_AT_ONCE][HALVES];
#pragma clang loop unroll(full)
    for (int n = 0; n < per_group; n++) {
      const int v = g * per_group + n;
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const __m256i q = four_bytes(x[r].q + 4 * v);
#pragma clang loop unroll(full)
        for (int h = 0; h < HALVES; h++) {
          const __m256i weights = w->weights[v][h];
          const __m256i pairs =
              bits == 8 ? _mm256_maddubs_epi16(w->sizes[v][h], _mm256_sign_epi8(q, weights))
                        : _mm256_maddubs_epi16(weights, q);
          dot[r][h] = n % run == 0 ? pairs : _mm256_add_epi16(dot[r][h], pairs);
          if (n % run == run - 1 || n == per_group - 1) {
            const __m256i sum = _mm256_madd_epi16(dot[r][h], ones);
            wide[r][h] = n < run ? sum : _mm256_add_epi32(wide[r][h], sum);
          }
        }
      }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const __m256 row_scale = _mm256_set1_ps(x[r].scale);
#pragma clang loop unroll(full)
      for (int h = 0; h < HALVES; h++) {
        __m256i sum = wide[r][h];
        if (!has_offset && bits != 8)
          // Left-aligned quants are about 128.
          sum = _mm256_add_epi32(
              sum, _mm256_set1_epi32(groups == 1 ? x[r].correction : x[r].correction16[g]));
        __m256 both = _mm256_mul_ps(w->scales[g][h], row_scale);
        sums[r][h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), both, sums[r][h]);
        if (has_offset)
          sums[r][h] = _mm256_fmadd_ps(
              w->offsets[g][h],
              _mm256_set1_ps(groups == 1 ? x[r].scaled_sum : x[r].scaled_sum16[g]), sums[r][h]);
      }
    }
  }
}

#include "matmul_unpacked_template.h"

#pragma clang attribute pop

void tk_avx2_multiply(const tk_matrix *m, int64_t first_tile, int64_t last_tile,
                      const tk_activation_block *x, int64_t first_row, int64_t row_count,
                      float *out, int64_t stride, bool accumulate) {
  tk_multiply_tiles(function_for(m->format), MOST_ROWS, m, first_tile, last_tile, x, first_row,
                    row_count, out, stride, accumulate);
}
#endif
