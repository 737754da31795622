// AVX2 with FMA and F16C, and AVX-VNNI, which has a product of its own.
#if defined(__x86_64__)
#include "attention.h"
#include "matmul_tiles.h"
#include "sets.h"
#include "tables.h"

#define TK(name) tk_avx2_##name
#define TK_TILE_ROWS 4
#define TK_TILE_VECTORS 1

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "avx2_vectors.h"
#include "byte_words.h"
#include "vector_template.h"
#include "delta_template.h"
#include "float_template.h"
#include "attention_template.h"

#pragma clang attribute pop

const tk_kernels *tk_avx2_kernels(void) {
  static const tk_kernels table = TK_KERNELS("avx2", tk_avx2_multiply);
  return &table;
}

const tk_kernels *tk_avxvnni_kernels(void) {
  static const tk_kernels table = TK_KERNELS("avxvnni", tk_avxvnni_multiply);
  return &table;
}
#endif
