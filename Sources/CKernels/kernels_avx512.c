// AVX-512 (F, BW, DQ, VL) with VNNI.
#if defined(__x86_64__)
#include <immintrin.h>

#include "attention.h"
#include "matmul_x86.h"
#include "sets.h"
#include "vectors.h"

#define TK(name) tk_avx512_##name
#define TK_SET_NAME "avx512"
#define TK_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#define TK_TILE_ROWS 6
#define TK_TILE_VECTORS 4

#pragma clang attribute push(                                                               \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
    apply_to = function)

TK_INLINE v16 load_half16(const uint16_t *p) {
  return (v16)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
TK_INLINE void store_half16(uint16_t *p, v16 x) {
  _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT));
}
#define TK_LOAD_HALF16(p) load_half16(p)
#define TK_STORE_HALF16(p, x) store_half16(p, x)

#include "vector_template.h"
#include "float_template.h"
#include "attention_template.h"

#pragma clang attribute pop

#include "table_template.h"

const tk_kernels *tk_avx512_kernels(void) { return &tk_avx512_table; }
#endif
