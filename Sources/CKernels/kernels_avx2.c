// AVX2 with FMA and F16C.
#if defined(__x86_64__)
#include "attention.h"
#include "matmul_tiles.h"
#include "sets.h"

#define TK(name) tk_avx2_##name
#define TK_SET_NAME "avx2"
#define TK_TILE_ROWS 4
#define TK_TILE_VECTORS 1

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "avx2_vectors.h"
#include "vector_template.h"
#include "float_template.h"
#include "attention_template.h"

#pragma clang attribute pop

#include "table_template.h"

const tk_kernels *tk_avx2_kernels(void) { return &tk_avx2_table; }
#endif
