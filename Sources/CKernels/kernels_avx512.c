// AVX-512 (F, BW, DQ, VL) with VNNI.
#if defined(__x86_64__)
#include "attention.h"
#include "matmul_tiles.h"
#include "sets.h"
#include "vectors.h"

#define TK(name) tk_avx512_##name
#define TK_SET_NAME "avx512"
#define TK_TILE_ROWS 6
#define TK_TILE_VECTORS 4

#pragma clang attribute push(                                                               \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
    apply_to = function)

#include "avx512_vectors.h"
#include "vector_template.h"
#include "float_template.h"
#include "attention_template.h"

#pragma clang attribute pop

#include "table_template.h"

const tk_kernels *tk_avx512_kernels(void) { return &tk_avx512_table; }
#endif
