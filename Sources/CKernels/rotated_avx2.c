// The kernels of sentence encoders (Rotated.h) on AVX2.
//
// vpmaddubsw would saturate on bytes of both signs, and taking the sign to the other side costs as much as
// going by words: vpmaddwd adds up two products of words in 32 bits, exactly. So activations are words.
// Weights stay bytes in memory. Of a lane's four, a mask leaves the words of inputs 0 and 2, and a shift those of
// 1 and 3: activations lie in that order.
#if defined(__x86_64__)
#include "rotated_sets.h"

#define TK(name) tk_avx2_##name

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "avx2_vectors.h"
#include "vector_math_template.h"

/// A rounded activation; of each four, in the order 0, 2, 1, 3.
typedef int16_t tk_quant;

enum {
  PRODUCT_ROWS = 4,
  HALVES = 2,
};

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

/// 16 bytes as words, in their order; returns them.
TK_INLINE __m256i store_query(i16 x, tk_quant *out) {
  const __m128i order = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
  const __m256i words = _mm256_cvtepi8_epi16(_mm_shuffle_epi8((__m128i)bytes_of(x), order));
  _mm256_storeu_si256((__m256i *)out, words);
  return words;
}

/// Rounds a group; returns the sum.
TK_INLINE int32_t store_quants(const v16 *x, tk_quant *out) {
  i8 sums = (i8)(0);
#pragma clang loop unroll(full)
  for (int i = 0; i < TK_ROTATED_GROUP / 16; i++)
    sums += (i8)_mm256_madd_epi16(store_query(round_to_int(x[i]), out + 16 * i),
                                  _mm256_set1_epi16(1));
  return __builtin_reduce_add(sums);
}

#include "full_attention_template.h"
#include "rotated_product_template.h"
#include "rotated_rows_template.h"

/// Inputs 0 and 2, and 1 and 3, of 8 outputs.
typedef struct {
  __m256i even, odd;
} four_inputs;

TK_INLINE four_inputs split_bytes(const uint8_t *p) {
  const __m256i bytes = _mm256_loadu_si256((const __m256i *)p);
  return (four_inputs){_mm256_and_si256(bytes, _mm256_set1_epi16(255)),
                       _mm256_srli_epi16(bytes, 8)};
}

typedef __m256i tile_sums[HALVES];

TK_INLINE void start(int rows, const int32_t *corrections, int64_t stride, tile_sums *sums) {
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++)
    sums[r][0] = sums[r][1] = _mm256_set1_epi32(corrections[r * stride]);
}

TK_INLINE void add_inputs(int rows, const uint8_t *w, int64_t step, const tk_quant *x,
                          int64_t stride, tile_sums *sums) {
#pragma clang loop unroll(full)
  for (int k = 0; k < 16; k += 4, w += step, x += 4) {
    const four_inputs a = split_bytes(w), b = split_bytes(w + 32);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const __m256i even = four_bytes(x + r * stride), odd = four_bytes(x + r * stride + 2);
      sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(a.even, even));
      sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(b.even, even));
      sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(a.odd, odd));
      sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(b.odd, odd));
    }
  }
}

#include "rotated_narrow_template.h"

TK_INLINE void blend_rows(int rows, const int16_t *weights, int64_t width, const head_memory *m,
                          int64_t d, const float *factors, float *out, int64_t stride) {
  for (int64_t i = 0; i < d; i += 16) {
    __m256i dot[PRODUCT_ROWS][HALVES];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) dot[r][0] = dot[r][1] = _mm256_setzero_si256();
    for (int64_t p = 0; p < width; p += 2) {
      const __m256i *v = (const __m256i *)(m->values + p * d + 2 * i);
      const __m256i low = _mm256_loadu_si256(v), high = _mm256_loadu_si256(v + 1);
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const __m256i x = four_bytes(weights + r * width + p);
        dot[r][0] = _mm256_add_epi32(dot[r][0], _mm256_madd_epi16(low, x));
        dot[r][1] = _mm256_add_epi32(dot[r][1], _mm256_madd_epi16(high, x));
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
  const int most = PRODUCT_ROWS, first = rows < most ? rows : most;
  blend_rows(first, weights, width, m, d, factors, out, stride);
  if (rows > first)
    blend_rows(rows - first, weights + first * width, width, m, d, factors + first,
               out + first * stride, stride);
}

#pragma clang attribute pop

#include "rotated_table_template.h"

const tk_rotated_kernels *tk_rotated_avx2(void) { return &tk_avx2_rotated_table; }
#endif
