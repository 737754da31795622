// The kernels of sentence encoders: int8 behind a rotation, and attention without a mask.
//
// ROTATED INT8
//
// One scale has to do for many numbers, or applying scales costs more than multiplying. But a
// transformer's activations have few large numbers among many small ones, to which a common scale leaves
// two or three bits. Both sides of a product may be turned by the same orthogonal matrix R first,
// x W' = (x R)(W R)': turned, a large number is spread over all of its group, and 128 numbers share
// a scale with little loss (QuaRot, arXiv 2404.00456).
//
// Inputs are taken in chunks of `groups` groups of 128. R is, in a chunk, a Hadamard transform of 32 numbers of
// a group (8 vectors, then neighbours by fours), and between the groups I - 2/groups, whose
// entries differ little in size for three or four groups. Neither needs a multiplication a number.
//
// A weight has the scale of its output and its group; an activation that of its row and its chunk.
//
//     matrix   | chunk 0: pair 0 (outputs 0-31), pair 1, ... | chunk 1: ... |
//     pair     | group 0 | group 1 | ...
//     group    | 32 steps of 2 x 64 B, weights + 128 | 32 scales in float |
//     step k   byte 64 t + 4 c + j = weight of output 16 t + c, input 4 k + j of the group
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define TK_ROTATED_GROUP 128
#define TK_ROTATED_PAIR 32
/// Of a group of a pair: the weights and their scales.
#define TK_ROTATED_GROUP_BYTES (TK_ROTATED_PAIR * (TK_ROTATED_GROUP + 4))

typedef struct {
  const uint8_t *tiles;
  int64_t outputs;  // a multiple of 32
  int64_t chunks;
  int64_t groups;   // of 128 inputs, in a chunk: 3 or 4
} TK_SENDABLE tk_rotated_matrix;

int64_t tk_rotated_matrix_bytes(int64_t outputs, int64_t chunks, int64_t groups);
/// Rotates and packs outputs [32 * first_pair, 32 * last_pair) of `weights` (outputs, inputs) into
/// `tiles`, the memory of `matrix->tiles`.
void tk_rotated_pack(const tk_rotated_matrix *matrix, const float *weights, int64_t first_pair,
                     int64_t last_pair, uint8_t *tiles);

/// Activations, rotated.
typedef struct {
  void *quants;          // (chunks, rows, 128 * groups), each of the kernels' quant_bytes
  float *scales;         // (chunks, rows)
  int32_t *corrections;  // (chunks, rows, 4): -128 times a group's sum
  int64_t rows;          // that there is room for
  int64_t chunks;
  int64_t groups;
} tk_rotated_rows;

// ---------------------------------------------------------------------------------------------
// Attention without a mask

/// One text, whose rows all see each other.
typedef struct {
  int64_t head_dim;      // a multiple of 32
  int64_t positions;     // of the text: at most TK_FULL_POSITIONS
  float scale;
  const float *queries;  // (positions, heads, headDim)
  int64_t query_stride;  // floats between rows
  float *output;         // (positions, heads, headDim)
  int64_t output_stride;
  void *memory;          // of the text: keys and values as they are stored
} tk_full_attention;

#define TK_FULL_POSITIONS 512

/// What a text's keys and values take.
int64_t tk_full_attention_bytes(int64_t heads, int64_t head_dim, int64_t positions);
int64_t tk_full_attention_scratch_bytes(int64_t head_dim, int64_t positions);
// ---------------------------------------------------------------------------------------------
// Kernels

/// The functions of one instruction set. Their results are the same to the bit in each.
typedef struct {
  /// Bytes of a rounded activation. AVX2 has nothing for signed bytes that is faster than words.
  int64_t quant_bytes;

  /// Layer norms of `count` rows of `x`; each goes to `hidden` as it is, and rotated to a row of `out`
  /// from `row` on.
  void (*layer_norm)(const float *x, int64_t x_stride, int64_t count, const float *weight,
                     const float *bias, float epsilon, float *hidden, int64_t hidden_stride,
                     const tk_rotated_rows *out, int64_t row);
  /// Rotates chunks [first, last) of `count` rows of `x`, or of their GELU, to rows of `out` from `row` on.
  void (*quantize)(const float *x, int64_t x_stride, int64_t count, int64_t first, int64_t last,
                   bool gelu, const tk_rotated_rows *out, int64_t row);
  /// out[r][o] = sum of rows [row, row + count) of x with outputs of pairs [first, last), plus `bias`
  /// (outputs) and `addend` (rows, outputs), each of which may be NULL; `addend` may be `out`. A row's
  /// arithmetic is the same whatever the others.
  void (*multiply)(const tk_rotated_matrix *matrix, int64_t first, int64_t last,
                   const tk_rotated_rows *x, int64_t row, int64_t count, float *out,
                   int64_t stride, const float *bias, const float *addend, int64_t addend_stride);

  /// Stores positions [first, last) of some heads. `first` is even, `last` too or the text's end. Keys and
  /// values are those of position 0, head 0.
  void (*attention_store)(const tk_full_attention *attention, int64_t first_head,
                          int64_t last_head, int64_t first, int64_t last, const float *keys,
                          const float *values, int64_t stride);
  /// Rows [first, last) of some heads.
  void (*attention_run)(const tk_full_attention *attention, int64_t first_head, int64_t last_head,
                        int64_t first, int64_t last, void *scratch);
} TK_SENDABLE tk_rotated_kernels;

/// NULL where the machine, or this build, has none for the set.
const tk_rotated_kernels *tk_rotated_kernels_for(int32_t set);
