// What the templates are told of AVX2, and what its kernels share. Included where its target attribute is in force.
#pragma once

#include <immintrin.h>

#include "vectors.h"

#define TK_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define TK_MAX(a, b) tk_choose(a, b, (a) > (b))
#define TK_MIN(a, b) tk_choose(a, b, (a) < (b))

typedef float v8 __attribute__((ext_vector_type(8)));

TK_INLINE v16 load_half16(const uint16_t *p) {
  v16 x;
  x.lo = (v8)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
  x.hi = (v8)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)));
  return x;
}
TK_INLINE void store_half16(uint16_t *p, v16 x) {
  _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph((__m256)x.lo, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128((__m128i *)(p + 8), _mm256_cvtps_ph((__m256)x.hi, _MM_FROUND_TO_NEAREST_INT));
}
/// Four bytes in every lane.
TK_INLINE __m256i four_bytes(const void *p) {
  int32_t value;
  memcpy(&value, p, 4);
  return _mm256_set1_epi32(value);
}
/// sum + products of words, two a lane.
TK_INLINE __m256i add_words(__m256i sum, __m256i a, __m256i b) {
  return _mm256_add_epi32(sum, _mm256_madd_epi16(a, b));
}
#define TK_LOAD_HALF16(p) load_half16(p)
#define TK_STORE_HALF16(p, x) store_half16(p, x)

typedef int32_t i8 __attribute__((ext_vector_type(8)));

/// sum + products of two words a lane with two words.
TK_INLINE i16 add_pairs(i16 sum, w32 a, const void *two_words) {
  const __m256i b = four_bytes(two_words);
  sum.lo = (i8)add_words((__m256i)sum.lo, (__m256i)a.lo, b);
  sum.hi = (i8)add_words((__m256i)sum.hi, (__m256i)a.hi, b);
  return sum;
}
