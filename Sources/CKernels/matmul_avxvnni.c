// The quantised product on AVX-VNNI. As on AVX-512, quants are left-aligned and the unsigned side of vpdpbusd,
// here for half a tile at a time. A block is met by four rows: 8 sums, which is enough to hide most of an
// instruction's latency, and the next block's begin before these end.
#if defined(__x86_64__)
#include "matmul_tiles.h"
#include "sets.h"

#pragma clang attribute push(__attribute__((target(TK_AVXVNNI_TARGET))), apply_to = function)

#include "avxvnni_vectors.h"
#include "matmul_halves.h"

enum { ROWS_AT_ONCE = 4 };

/// A block, unpacked.
typedef struct {
  __m256i weights[STEPS][HALVES];  // left-aligned
  __m256 scales[2][HALVES];
  __m256 offsets[2][HALVES];
} unpacked_block;

TK_INLINE void unpack(const tk_packed_block *block, tk_format f, unpacked_block *out) {
  const __m256i lookup = lookup_of(f);
#pragma clang loop unroll(full)
  for (int v = 0; v < STEPS; v++) {
#pragma clang loop unroll(full)
    for (int h = 0; h < HALVES; h++)
      // Nothing comes to a byte from its neighbour, whose upper bits are zero.
      out->weights[v][h] = _mm256_slli_epi16(half_weights(block->quants, f, lookup, v, h), 8 - f.bits);
  }
  unpack_scales(block, f, out->scales, out->offsets);
}

/// sums[r][h] += `rows` rows by a block. Each row's arithmetic is the same for every `rows`.
TK_INLINE void add_block(int rows, tk_format f, const unpacked_block *w,
                         const tk_activation_block *x, parts *sums) {
  const int groups = 32 / f.group, per_group = STEPS / groups;
#pragma clang loop unroll(full)
  for (int g = 0; g < groups; g++) {
    __m256i dot[ROWS_AT_ONCE][HALVES];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
      dot[r][0] = dot[r][1] =
          f.has_offset ? _mm256_setzero_si256() : correction_of(groups, g, x + r);
#pragma clang loop unroll(full)
    for (int v = g * per_group; v < (g + 1) * per_group; v++) {
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const __m256i q = four_bytes(x[r].q + 4 * v);
#pragma clang loop unroll(full)
        for (int h = 0; h < HALVES; h++) dot[r][h] = add_bytes(dot[r][h], w->weights[v][h], q);
      }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
      add_scaled(f.has_offset, groups, g, w->scales[g], w->offsets[g], x + r, dot[r], sums + r);
  }
}

#include "matmul_unpacked_template.h"

#pragma clang attribute pop

void tk_avxvnni_multiply(const tk_matrix *m, int64_t first_tile, int64_t last_tile,
                         const tk_activation_block *x, int64_t first_row, int64_t row_count,
                         float *out, int64_t stride, bool accumulate) {
  tk_multiply_tiles(function_for(m->format), MOST_ROWS, m, first_tile, last_tile, x, first_row,
                    row_count, out, stride, accumulate);
}
#endif
