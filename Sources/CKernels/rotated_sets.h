// What the instruction sets' kernels of sentence encoders share.
#pragma once

#include "CKernels.h"

enum {
  TK_ATTENTION_ROWS = 8,    // that attend together at most: a unit
  HALF_A_UNIT = 4,          // what fits narrower registers
  TK_POSITION_GROUP = 32,   // positions are padded to
  MOST_WEIGHT = 4095,
};

/// A score that gives no weight.
#define NOWHERE -1e30f

static inline int64_t tk_padded_positions(int64_t positions) {
  return (positions + TK_POSITION_GROUP - 1) / TK_POSITION_GROUP * TK_POSITION_GROUP;
}

/// A head's keys, values and their scales.
static inline int64_t tk_head_bytes(int64_t head_dim, int64_t width) {
  return width * (3 * head_dim + 8);
}

#if defined(__x86_64__)
const tk_rotated_kernels *tk_rotated_avx2(void);
const tk_rotated_kernels *tk_rotated_avxvnni(void);
const tk_rotated_kernels *tk_rotated_avx512(void);
const tk_rotated_kernels *tk_rotated_amx(void);
void tk_amx_rotated_multiply(const tk_rotated_matrix *m, int64_t first, int64_t last,
                             const tk_rotated_rows *x, int64_t row, int64_t count, float *out,
                             int64_t stride, const float *bias, const float *addend,
                             int64_t addend_stride);
#elif defined(__aarch64__)
const tk_rotated_kernels *tk_rotated_neon(void);
#endif
