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
#include "matmul_halves.h"

enum { ROWS_AT_ONCE = 3 };

/// A block, unpacked.
typedef struct {
  __m256i weights[STEPS][HALVES];  // right-aligned; of 8 bits, signed
  __m256i sizes[STEPS][HALVES];    // their magnitudes, of 8 bits
  __m256 scales[2][HALVES];      // of left-aligned quants
  __m256 offsets[2][HALVES];
} unpacked_block;

TK_INLINE void unpack(const tk_packed_block *block, tk_format f, unpacked_block *out) {
  const __m256i lookup = lookup_of(f);
#pragma clang loop unroll(full)
  for (int v = 0; v < STEPS; v++) {
#pragma clang loop unroll(full)
    for (int h = 0; h < HALVES; h++) {
      __m256i weights = half_weights(block->quants, f, lookup, v, h);
      if (f.bits == 8) {
        weights = _mm256_xor_si256(weights, _mm256_set1_epi8((char)0x80));
        out->sizes[v][h] = _mm256_abs_epi8(weights);
      }
      out->weights[v][h] = weights;
    }
  }
  unpack_scales(block, f, out->scales, out->offsets);
}

/// sums[r][h] += `rows` rows by a block. Each row's arithmetic is the same for every `rows`.
TK_INLINE void add_block(int rows, tk_format f, const unpacked_block *w,
                         const tk_activation_block *x, parts *sums) {
  const int bits = f.bits, groups = 32 / f.group, per_group = STEPS / groups;
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
      if (!f.has_offset && bits != 8) {
#pragma clang loop unroll(full)
        for (int h = 0; h < HALVES; h++)
          wide[r][h] = _mm256_add_epi32(wide[r][h], correction_of(groups, g, x + r));
      }
      add_scaled(f.has_offset, groups, g, w->scales[g], w->offsets[g], x + r, wide[r], sums + r);
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
