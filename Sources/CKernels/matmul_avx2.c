// The quantised product on AVX2. vpmaddubsw multiplies unsigned by signed bytes and adds pairs in
// int16, with saturation, so what goes in must keep every int16 below 32768:
//
//   4 bits  right-aligned, 0..15: a pair is at most 2 * 15 * 127 = 3810, and 8 of them 30480
//   5 bits  right-aligned, 0..31: a pair is at most 7874, and 4 of them 31496
//   6 bits  right-aligned, 0..63: a pair is at most 16002, and 2 of them 32004
//   8 bits  as |w| times x with w's sign, |w| <= 128: a pair is at most 2 * 128 * 127 = 32512
//
// The sums so far are widened to int32 by vpmaddwd before they could overflow.
#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "matmul_x86.h"

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#define INLINE static inline __attribute__((always_inline))

enum { ROWS_AT_ONCE = 4 };

/// Half a vector (8 outputs) of right-aligned quants; of 8 bits, signed.
INLINE __m256i half_weights(const uint8_t *block, int bits, int v, int half) {
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

INLINE __m256i four_inputs(const int8_t *p) {
  int32_t value;
  memcpy(&value, p, 4);
  return _mm256_set1_epi32(value);
}

INLINE void tile_rows(int rows, int bits, bool has_offset, int group, const tk_tile_job *job) {
  const int groups = 32 / group, per_group = group / 4;
  const int64_t block_bytes = 64 * bits + 32 * groups * (1 + has_offset);
  // Vectors whose int16 sums can be added up before widening.
  const int run = bits == 4 ? 8 : bits == 5 ? 4 : bits == 6 ? 2 : 1;
  const __m256i ones = _mm256_set1_epi16(1);
  for (int half = 0; half < 2 && 8 * half < job->columns; half++) {
    __m256 sum[ROWS_AT_ONCE];
    for (int r = 0; r < rows; r++) sum[r] = _mm256_setzero_ps();
    const uint8_t *block = job->tile;
    const tk_activation_block *x = job->x;
    for (int64_t b = 0; b < job->blocks; b++, block += block_bytes, x += TK_ROW_GROUP) {
      for (int g = 0; g < groups; g++) {
        const uint8_t *scales = block + 64 * bits + 32 * g + 16 * half;
        __m256 scale = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)scales));
        __m256i dot[ROWS_AT_ONCE], wide[ROWS_AT_ONCE];
        for (int r = 0; r < rows; r++) wide[r] = _mm256_setzero_si256();
        for (int v = g * per_group, n = 0; n < per_group; v++, n++) {
          __m256i w = half_weights(block, bits, v, half);
          __m256i absolute = bits == 8 ? _mm256_abs_epi8(w) : w;
          for (int r = 0; r < rows; r++) {
            __m256i q = four_inputs(x[r].q + 4 * v);
            if (bits == 8) q = _mm256_sign_epi8(q, w);
            __m256i pairs = _mm256_maddubs_epi16(absolute, q);
            dot[r] = n % run == 0 ? pairs : _mm256_add_epi16(dot[r], pairs);
            if (n % run == run - 1 || n == per_group - 1)
              wide[r] = _mm256_add_epi32(wide[r], _mm256_madd_epi16(dot[r], ones));
          }
        }
        __m256 offset = _mm256_setzero_ps();
        if (has_offset)
          offset = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(scales + 32 * groups)));
        for (int r = 0; r < rows; r++) {
          // The scales are for left-aligned quants about 128.
          __m256i aligned = _mm256_slli_epi32(wide[r], 8 - bits);
          if (!has_offset && bits != 8)
            aligned = _mm256_add_epi32(
                aligned,
                _mm256_set1_epi32(groups == 1 ? x[r].correction : x[r].correction16[g]));
          __m256 both = _mm256_mul_ps(scale, _mm256_set1_ps(x[r].scale));
          sum[r] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(aligned), both, sum[r]);
          if (has_offset)
            sum[r] = _mm256_fmadd_ps(
                offset, _mm256_set1_ps(groups == 1 ? x[r].scaled_sum : x[r].scaled_sum16[g]),
                sum[r]);
        }
      }
    }
    int64_t columns = job->columns - 8 * half;
    for (int r = 0; r < rows; r++) {
      float *o = job->out + r * job->stride + 8 * half;
      __m256 y = _mm256_mul_ps(sum[r], _mm256_set1_ps(job->factor));
      const float *bias = job->bias ? job->bias + 8 * half : 0;
      if (columns >= 8) {
        if (bias) y = _mm256_add_ps(y, _mm256_loadu_ps(bias));
        if (job->accumulate) y = _mm256_add_ps(_mm256_loadu_ps(o), y);
        _mm256_storeu_ps(o, y);
      } else {
        float values[8];
        _mm256_storeu_ps(values, y);
        for (int64_t c = 0; c < columns; c++) {
          float value = bias ? values[c] + bias[c] : values[c];
          o[c] = job->accumulate ? o[c] + value : value;
        }
      }
    }
  }
}

#define FORMAT(NAME, BITS, OFFSET, GROUP)                                            \
  static __attribute__((noinline)) void NAME(int64_t rows, const tk_tile_job *job) { \
    switch (rows) {                                                                  \
      case 1: tile_rows(1, BITS, OFFSET, GROUP, job); break;                         \
      case 2: tile_rows(2, BITS, OFFSET, GROUP, job); break;                         \
      case 3: tile_rows(3, BITS, OFFSET, GROUP, job); break;                         \
      case 4: tile_rows(4, BITS, OFFSET, GROUP, job); break;                         \
    }                                                                                \
  }

#include "matmul_formats.h"

#pragma clang attribute pop

void tk_avx2_multiply(const tk_matrix *m, int64_t first_tile, int64_t last_tile,
                      const tk_activation_block *x, int64_t first_row, int64_t row_count,
                      float *out, int64_t stride, bool accumulate) {
  tk_multiply_tiles(function_for(m->format), ROWS_AT_ONCE, m, first_tile, last_tile, x, first_row,
                    row_count, out, stride, accumulate);
}
#endif
