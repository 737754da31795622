// AVX2 with FMA and F16C.
#if defined(__x86_64__)
#include <immintrin.h>

#include "attention.h"
#include "matmul_tiles.h"
#include "sets.h"
#include "vectors.h"

#define TK(name) tk_avx2_##name
#define TK_SET_NAME "avx2"
#define TK_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define TK_MAX(a, b) tk_choose(a, b, (a) > (b))
#define TK_MIN(a, b) tk_choose(a, b, (a) < (b))
#define TK_TILE_ROWS 4
#define TK_TILE_VECTORS 1

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

TK_INLINE v16 load_half16(const uint16_t *p) {
  typedef float v8 __attribute__((ext_vector_type(8)));
  v16 x;
  x.lo = (v8)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
  x.hi = (v8)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)));
  return x;
}
TK_INLINE void store_half16(uint16_t *p, v16 x) {
  _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph((__m256)x.lo, _MM_FROUND_TO_NEAREST_INT));
  _mm_storeu_si128((__m128i *)(p + 8), _mm256_cvtps_ph((__m256)x.hi, _MM_FROUND_TO_NEAREST_INT));
}
#define TK_LOAD_HALF16(p) load_half16(p)
#define TK_STORE_HALF16(p, x) store_half16(p, x)

#include "vector_template.h"
#include "float_template.h"
#include "attention_template.h"

#pragma clang attribute pop

#include "table_template.h"

const tk_kernels *tk_avx2_kernels(void) { return &tk_avx2_table; }
#endif
