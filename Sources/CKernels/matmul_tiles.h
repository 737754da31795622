// What the quantised products of AVX2, AVX-512 and NEON share: the loops over panels, tiles and rows.
#pragma once

#include "CKernels.h"
#include "packed_layout.h"

/// Bytes ahead of the weights in use that are fetched when few rows make memory the limit.
#ifndef TK_PREFETCH_BYTES
#define TK_PREFETCH_BYTES 4096
#endif

/// Some rows by one tile of outputs: of one row group, or from the beginning of one on.
typedef struct {
  const uint8_t *tile;
  const tk_activation_block *x;  // the first row's first block
  int64_t blocks;
  float *out;
  int64_t stride;
  int64_t columns;  // 16, or fewer in the last tile
  float factor;
  const float *bias;  // of the tile's first output; or NULL
  bool accumulate;
} tk_tile_job;

typedef void (*tk_tile_function)(int64_t rows, const tk_tile_job *job);

/// Runs `function` on pieces of at most `rows_at_once` rows, a multiple of TK_ROW_GROUP, so that a panel of
/// activations stays in the second-level cache while the weights pass by, and a tile's weights in the
/// first-level cache while the panel's rows pass by.
void tk_multiply_tiles(tk_tile_function function, int64_t rows_at_once, const tk_matrix *matrix,
                       int64_t first_tile, int64_t last_tile, const tk_activation_block *x,
                       int64_t first_row, int64_t row_count, float *out, int64_t stride,
                       bool accumulate);
void tk_avx512_multiply(const tk_matrix *m, int64_t first_tile, int64_t last_tile,
                        const tk_activation_block *x, int64_t first_row, int64_t row_count,
                        float *out, int64_t stride, bool accumulate);
void tk_avx2_multiply(const tk_matrix *m, int64_t first_tile, int64_t last_tile,
                      const tk_activation_block *x, int64_t first_row, int64_t row_count,
                      float *out, int64_t stride, bool accumulate);
void tk_avxvnni_multiply(const tk_matrix *m, int64_t first_tile, int64_t last_tile,
                         const tk_activation_block *x, int64_t first_row, int64_t row_count,
                         float *out, int64_t stride, bool accumulate);
void tk_neon_multiply(const tk_matrix *m, int64_t first_tile, int64_t last_tile,
                      const tk_activation_block *x, int64_t first_row, int64_t row_count,
                      float *out, int64_t stride, bool accumulate);
