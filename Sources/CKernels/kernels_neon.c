// NEON with dot products (ARMv8.2 and later).
#if defined(__aarch64__)
#include "attention.h"
#include "matmul_tiles.h"
#include "sets.h"
#include "tables.h"

#define TK(name) tk_neon_##name
#define TK_TILE_ROWS 5
#define TK_TILE_VECTORS 1

#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)

#include "neon_vectors.h"
#include "vector_template.h"
#include "delta_template.h"
#include "float_template.h"
#include "attention_template.h"

#pragma clang attribute pop

const tk_kernels *tk_neon_kernels(void) {
  static const tk_kernels table = TK_KERNELS("neon", tk_neon_multiply);
  return &table;
}
#endif
