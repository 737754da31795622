// What the templates are told of AVX-512. Included where its target attribute is in force.
#pragma once

#include <immintrin.h>

#include "vectors.h"

#define TK_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define TK_MAX(a, b) (v16) _mm512_max_ps((__m512)(a), (__m512)(b))
#define TK_MIN(a, b) (v16) _mm512_min_ps((__m512)(a), (__m512)(b))

TK_INLINE v16 load_half16(const uint16_t *p) {
  return (v16)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
TK_INLINE void store_half16(uint16_t *p, v16 x) {
  _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT));
}
/// Four bytes in every lane.
TK_INLINE __m512i four_bytes(const void *p) {
  int32_t value;
  memcpy(&value, p, 4);
  return _mm512_set1_epi32(value);
}
/// Rounds to nearest, stores, and sums each half by the sum-of-absolute-differences instruction.
TK_INLINE void quants(v16 a, v16 b, int8_t *q, int32_t *sum_a, int32_t *sum_b) {
  __m128i low = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32((__m512)a));
  __m128i high = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32((__m512)b));
  _mm_storeu_si128((__m128i *)q, low);
  _mm_storeu_si128((__m128i *)(q + 16), high);
  const __m128i flip = _mm_set1_epi8((char)0x80), zero = _mm_setzero_si128();
  __m128i sl = _mm_sad_epu8(_mm_xor_si128(low, flip), zero);
  __m128i sh = _mm_sad_epu8(_mm_xor_si128(high, flip), zero);
  *sum_a = _mm_cvtsi128_si32(_mm_add_epi32(sl, _mm_unpackhi_epi64(sl, sl))) - 2048;
  *sum_b = _mm_cvtsi128_si32(_mm_add_epi32(sh, _mm_unpackhi_epi64(sh, sh))) - 2048;
}
#define TK_QUANTS(a, b, q, sum_a, sum_b) quants(a, b, q, sum_a, sum_b)
#define TK_ROUND(x) \
  (v16) _mm512_roundscale_ps((__m512)(x), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)
#define TK_SCALEF(p, n) (v16) _mm512_scalef_ps((__m512)(p), (__m512)(n))
#define TK_LOAD_HALF16(p) load_half16(p)
#define TK_STORE_HALF16(p, x) store_half16(p, x)

/// sum + products of two words a lane with two words.
TK_INLINE i16 add_pairs(i16 sum, w32 a, const void *two_words) {
  return (i16)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)a, four_bytes(two_words));
}
