// The kernels of sentence encoders (Rotated.h) on AVX-VNNI: bytes as on AVX-512, by halves of a tile.
#if defined(__x86_64__)
#include "rotated_sets.h"
#include "sets.h"
#include "tables.h"

#define TK(name) tk_avxvnni_##name

#pragma clang attribute push(__attribute__((target(TK_AVXVNNI_TARGET))), apply_to = function)

#include "avxvnni_vectors.h"
#include "vector_math_template.h"

/// A rounded activation.
typedef int8_t tk_quant;

/// 12 sums hide an instruction's latency; weights and an activation take three of the other four registers.
enum { PRODUCT_ROWS = 6 };

#include "rotated_ymm_template.h"

TK_INLINE void store_query(i16 x, tk_quant *out) {
  const b16 bytes = bytes_of(x);
  memcpy(out, &bytes, sizeof bytes);
}

/// Rounds a group; returns the sum.
TK_INLINE int32_t store_quants(const v16 *x, tk_quant *out) {
  __m256i sums = _mm256_setzero_si256();
#pragma clang loop unroll(full)
  for (int i = 0; i < TK_ROTATED_GROUP; i += 32) {
    store_query(round_to_int(x[i / 16]), out + i);
    store_query(round_to_int(x[i / 16 + 1]), out + i + 16);
    sums = add_bytes(sums, _mm256_set1_epi8(1), _mm256_loadu_si256((const __m256i *)(out + i)));
  }
  return __builtin_reduce_add((i8)sums);
}

TK_INLINE void add_inputs(int rows, const uint8_t *w, int64_t step, const tk_quant *x,
                          int64_t stride, tile_sums *sums) {
#pragma clang loop unroll(full)
  for (int k = 0; k < 16; k += 4, w += step, x += 4) {
    const __m256i low = _mm256_loadu_si256((const __m256i *)w);
    const __m256i high = _mm256_loadu_si256((const __m256i *)(w + 32));
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const __m256i quants = four_bytes(x + r * stride);
      sums[r][0] = add_bytes(sums[r][0], low, quants);
      sums[r][1] = add_bytes(sums[r][1], high, quants);
    }
  }
}

#include "rotated_narrow_template.h"

#pragma clang attribute pop

const tk_rotated_kernels *tk_rotated_avxvnni(void) {
  static const tk_rotated_kernels table = TK_ROTATED_KERNELS(tk_avxvnni_rotated_multiply);
  return &table;
}

#if defined(TK_EMULATED)
const tk_rotated_kernels *tk_rotated_amx(void) {
  static const tk_rotated_kernels table = TK_ROTATED_KERNELS(tk_amx_rotated_multiply);
  return &table;
}
#endif
#endif
