// The loops of sets that unpack a block once for all rows of a job, up to four groups of them: to memory in the
// first-level cache, where they are met by a few rows at a time. Included once an instruction set, behind its
// `parts` (a row's sums of a tile, in registers), unpacked_block, unpack, add_block and ROWS_AT_ONCE.

enum { MOST_ROWS = 4 * TK_ROW_GROUP };

/// A row's sums to its outputs.
TK_INLINE void finish(const tk_tile_job *job, int64_t row, const parts *sums) {
  v16 y;
  memcpy(&y, sums, sizeof y);
  y *= (v16)(job->factor);
  float *out = job->out + row * job->stride;
  if (job->columns == TK_TILE) {
    if (job->bias) y += *(const v16_unaligned *)job->bias;
    if (job->accumulate) y += *(const v16_unaligned *)out;
    *(v16_unaligned *)out = y;
    return;
  }
  float values[TK_TILE];
  memcpy(values, &y, sizeof y);
#pragma clang loop vectorize(disable)
  for (int64_t c = 0; c < job->columns; c++) {
    const float value = job->bias ? values[c] + job->bias[c] : values[c];
    out[c] = job->accumulate ? out[c] + value : value;
  }
}

TK_INLINE void tile_rows(int64_t rows, tk_format f, const tk_tile_job *job) {
  parts sums[MOST_ROWS];
  memset(sums, 0, (size_t)rows * sizeof *sums);
  unpacked_block w;
  for (int64_t b = 0; b < job->blocks; b++) {
    const tk_packed_block block = tk_block_at(f, job->tile, b);
    unpack(&block, f, &w);
    const tk_activation_block *x = job->x + b * TK_ROW_GROUP;
    for (int64_t first = 0; first < rows; first += TK_ROW_GROUP, x += job->blocks * TK_ROW_GROUP) {
      const int64_t count = rows - first < TK_ROW_GROUP ? rows - first : TK_ROW_GROUP;
      parts *sum = sums + first;
      int64_t r = 0;
      for (; r + ROWS_AT_ONCE <= count; r += ROWS_AT_ONCE)
        add_block(ROWS_AT_ONCE, f, &w, x + r, sum + r);
      if (count - r == 3) add_block(3, f, &w, x + r, sum + r);
      if (count - r == 2) add_block(2, f, &w, x + r, sum + r);
      if (count - r == 1) add_block(1, f, &w, x + r, sum + r);
    }
  }
  for (int64_t r = 0; r < rows; r++) finish(job, r, sums + r);
}

/// Few rows: memory is the limit, so what comes next is fetched, and sums stay in registers.
TK_INLINE void tile_few(int rows, tk_format f, const tk_tile_job *job) {
  const int64_t block_bytes = tk_block_bytes(f);
  parts sums[ROWS_AT_ONCE];
  memset(sums, 0, (size_t)rows * sizeof *sums);
  const uint8_t *next = job->tile + TK_PREFETCH_BYTES;
  const tk_activation_block *x = job->x;
  for (int64_t b = 0; b < job->blocks; b++, next += block_bytes, x += TK_ROW_GROUP) {
#pragma clang loop unroll(full)
    for (int64_t i = 0; i < block_bytes; i += 64)
      __builtin_prefetch(next + i);
    const tk_packed_block block = tk_block_at(f, job->tile, b);
    unpacked_block w;
    unpack(&block, f, &w);
    add_block(rows, f, &w, x, sums);
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) finish(job, r, sums + r);
}

#define FORMAT(NAME, ...)                                                            \
  static __attribute__((noinline)) void NAME(int64_t rows, const tk_tile_job *job) { \
    const tk_format f = {__VA_ARGS__};                                               \
    switch (rows) {                                                                  \
      case 1: tile_few(1, f, job); break;                                            \
      case 2: tile_few(2, f, job); break;                                            \
      default: tile_rows(rows, f, job); break;                                       \
    }                                                                                \
  }

#include "matmul_formats.h"
