// What the kernels of AVX-VNNI share: AVX2's vectors, and dot products of bytes. Included where its target attribute
// is in force.
#pragma once

#include "avx2_vectors.h"

/// sum + products of unsigned and signed bytes, four a lane.
TK_INLINE __m256i add_bytes(__m256i sum, __m256i a, __m256i b) {
#if defined(TK_EMULATED)
  const __m256i even = _mm256_madd_epi16(_mm256_and_si256(a, _mm256_set1_epi16(255)),
                                         _mm256_srai_epi16(_mm256_slli_epi16(b, 8), 8));
  const __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(a, 8), _mm256_srai_epi16(b, 8));
  return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
#else
  return _mm256_dpbusd_avx_epi32(sum, a, b);
#endif
}
