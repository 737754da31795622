// What sentence encoders' kernels share on AVX2 and AVX-VNNI, with registers of 32 bytes. Included once an
// instruction set, behind its tk_quant and PRODUCT_ROWS and before its store_query, store_quants and narrow sums.

enum { HALVES = 2 };

typedef int32_t i8 __attribute__((ext_vector_type(8)));

TK_INLINE i16 round_to_int(v16 x) {
  i16 whole;
  whole.lo = (i8)_mm256_cvtps_epi32((__m256)x.lo);
  whole.hi = (i8)_mm256_cvtps_epi32((__m256)x.hi);
  return whole;
}

/// 16 numbers in order, as words.
TK_INLINE __m256i words_of(i16 x) {
  // Packing goes by halves of a register.
  return _mm256_permute4x64_epi64(_mm256_packs_epi32((__m256i)x.lo, (__m256i)x.hi), 0xd8);
}

TK_INLINE void store_words(i16 a, i16 b, int16_t *out) {
  _mm256_storeu_si256((__m256i *)out, words_of(a));
  _mm256_storeu_si256((__m256i *)(out + 16), words_of(b));
}

TK_INLINE b16 bytes_of(i16 x) {
  const __m256i words = words_of(x);
  return (b16)_mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

TK_INLINE void store_query(i16 x, tk_quant *out);
TK_INLINE int32_t store_quants(const v16 *x, tk_quant *out);

#include "full_attention_template.h"
#include "rotated_product_template.h"
#include "rotated_rows_template.h"

TK_INLINE void blend_rows(int rows, const int16_t *weights, int64_t width, const head_memory *m,
                          int64_t d, const float *factors, float *out, int64_t stride) {
  for (int64_t i = 0; i < d; i += 16) {
    __m256i dot[HALF_A_UNIT][HALVES];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) dot[r][0] = dot[r][1] = _mm256_setzero_si256();
    for (int64_t p = 0; p < width; p += 2) {
      const __m256i *v = (const __m256i *)(m->values + p * d + 2 * i);
      const __m256i low = _mm256_loadu_si256(v), high = _mm256_loadu_si256(v + 1);
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const __m256i x = four_bytes(weights + r * width + p);
        dot[r][0] = add_words(dot[r][0], low, x);
        dot[r][1] = add_words(dot[r][1], high, x);
      }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
      for (int h = 0; h < HALVES; h++)
        _mm256_storeu_ps(out + r * stride + i + 8 * h,
                         _mm256_mul_ps(_mm256_cvtepi32_ps(dot[r][h]), _mm256_set1_ps(factors[r])));
  }
}

TK_INLINE void blend(int rows, const int16_t *weights, int64_t width, const head_memory *m,
                     int64_t d, const float *factors, float *out, int64_t stride) {
  const int first = rows < HALF_A_UNIT ? rows : HALF_A_UNIT;
  blend_rows(first, weights, width, m, d, factors, out, stride);
  if (rows > first)
    blend_rows(rows - first, weights + first * width, width, m, d, factors + first,
               out + first * stride, stride);
}

typedef __m256i tile_sums[HALVES];

TK_INLINE void start(int rows, const int32_t *corrections, int64_t stride, tile_sums *sums) {
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
    sums[r][0] = sums[r][1] = _mm256_set1_epi32(corrections[r * stride]);
}
