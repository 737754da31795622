// AVX-512 (F, BW, DQ, VL) with VNNI, and with AMX, of which only sentence encoders make use (rotated_amx.c).
#if defined(__x86_64__)
#include "attention.h"
#include "matmul_tiles.h"
#include "sets.h"
#include "tables.h"
#include "vectors.h"

#define TK(name) tk_avx512_##name
#define TK_TILE_ROWS 6
#define TK_TILE_VECTORS 4

#pragma clang attribute push(                                                               \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
    apply_to = function)

#include "avx512_vectors.h"
#include "byte_words.h"
#include "vector_template.h"
#include "delta_template.h"
#include "float_template.h"
#include "attention_template.h"

#pragma clang attribute pop

const tk_kernels *tk_avx512_kernels(void) {
  static const tk_kernels table = TK_KERNELS("avx512", tk_avx512_multiply);
  return &table;
}

const tk_kernels *tk_amx_kernels(void) {
  static const tk_kernels table = TK_KERNELS("amx", tk_avx512_multiply);
  return &table;
}
#endif
