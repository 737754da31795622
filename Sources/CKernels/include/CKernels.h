// The C side of the Kernels room: everything that runs inside a token's time.
//
// Nothing here knows of threads: each function does the rows, tiles or units that it is told to,
// and the Swift side shares them out. Nothing here checks sizes either: Swift did,
// when the matrix or buffer was made.
//
// THE PACKED LAYOUT OF A QUANTISED MATRIX (outputs, inputs)
//
// Outputs ("columns" of the product) are taken 16 at a time: a tile. Inputs are taken 32 at a
// time: a block. A tile's blocks lie one after the other, a matrix's tiles too, so one row of the
// product streams the memory once, in order.
//
//     matrix   | tile 0 (outputs 0-15)           | tile 1 (outputs 16-31)         | ...
//     tile     | block 0 (inputs 0-31) | block 1 | ...
//     block    | nibbles 256 B | low bits 0/64/128 B | scales 16 x f16 | offsets 16 x f16 |
//
// That is where scales are f16. Where they are bytes the quants of a block come alone; see below.
//
// Inside a block the weights form 8 "vectors" of 64 bytes, as VNNI's vpdpbusd wants them: lane c
// (one 32-bit accumulator) holds four consecutive inputs of output c.
//
//     vector v:  byte 4c+j  =  weight of output c, input 4v+j     (c = 0..15, j = 0..3)
//
//     8 bits:    8 vectors as they are                                              512 B
//     4 bits:    byte vector n = 0..3: low half is vector n, high half vector n+4   256 B
//     5 bits:    the upper 4 bits as above, then a plane of 64 bytes whose bit v of
//                byte i is the lowest bit of vector v's byte i                      320 B
//     6 bits:    the upper 4 bits as above, then two planes of 64 bytes: plane 0 has
//                vectors 0..3, plane 1 vectors 4..7, two bits each                  384 B
//
// What the dot product sees is u = q << (8 - bits), always "left-aligned" in the unsigned byte, so
// that types with a fixed zero point have theirs at 128, whatever their width:
//
//     without offsets:  weight = factor * scale[c] * (u - 128)
//     with offsets:     weight = factor * (scale[c] * u + offset[c])
//
// `factor` is one power of two a matrix. It keeps what is stored as f16 in the middle of its range.
// Types with groups of 16 inputs (Q2_K, Q3_K, Q6_K) have two rows of scales a block, and two of
// offsets.
//
// Scales are stored as the file has them, since one sequence decodes as fast as memory is read:
//
//     TK_SCALES_HALF      f16                                  Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, IQ4_NL
//     TK_SCALES_BYTE      signed bytes, multiples of an f16 that 8 blocks of an output share
//                                                              Q2_K ... Q6_K, IQ4_XS
//     TK_SCALES_EXPONENT  a byte, the exponent of a float      MXFP4
//
// With bytes, 8 blocks (256 inputs) form a super-block, whose scales come first:
//
//     super-block | units of scales 16 x f16 | units of offsets 16 x f16 | scales of block 0: 16 B a
//                 | group, then its offsets | ... of block 7 | quants of block 0 | ... of block 7 |
//
// Four bits may stand for numbers of a table (`tk_table`): the dot product then sees 128 plus the
// table's number, left-aligned.
//
// Activations are int8 in blocks of 32 with a float scale. A block is one cache line that also
// holds what the zero point and the offsets are multiplied with. Rows are interleaved in groups
// of TK_ROW_GROUP so that the rows of a register tile lie at fixed distances:
//
//     row group | block 0: row 0, row 1, ... row G-1 | block 1: row 0, ... |
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/// Tells Swift that values of a type never change once made.
#define TK_SENDABLE __attribute__((swift_attr("@Sendable")))

#define TK_TILE 16
#define TK_BLOCK 32
#define TK_ROW_GROUP 12
#define TK_PAGE_POSITIONS 64

// ---------------------------------------------------------------------------------------------
// Memory

/// Zeroed memory on a 64-byte boundary (2 MiB and huge pages where it is large), or NULL.
void *tk_allocate(size_t bytes);
/// `bytes` as they were asked for.
void tk_free(void *memory, size_t bytes);
/// Gives freed memory back to the system, where the C library keeps any.
void tk_give_back(void);
/// Zeroed memory that is a nameless file in `folder`, so that the system can write it out and read
/// it again when memory is short; NULL where the folder has no room for it.
void *tk_allocate_in_file(size_t bytes, const char *folder);
void tk_free_in_file(void *memory, size_t bytes);

// ---------------------------------------------------------------------------------------------
// Weights

/// How scales (and offsets) are stored.
enum { TK_SCALES_HALF, TK_SCALES_BYTE, TK_SCALES_EXPONENT };

/// What four stored bits stand for, where they are no numbers themselves.
enum { TK_NO_TABLE, TK_TABLE_MXFP4, TK_TABLE_IQ4 };

/// How a quantised matrix is packed.
typedef struct {
  int32_t bits;        // of a quant: 4, 5, 6 or 8
  int32_t has_offset;  // 1: stored offsets; 0: zero point 128
  int32_t group;       // inputs that share a scale: 32 or 16
  int32_t scales;      // TK_SCALES_...
  int32_t table;       // TK_..._TABLE; with one, 4 bits are stored whatever `bits` is
} tk_format;

typedef struct {
  const uint8_t *tiles;
  int64_t outputs;
  int64_t inputs;
  int64_t blocks;           // blocks of 32 inputs, the last one padded with zeros
  int64_t bytes_per_block;  // of one tile
  tk_format format;
  float factor;
  const float *bias;        // added to every product; NULL: none // (outputs)
} TK_SENDABLE tk_matrix;

/// Numbers of `type` (ggml's numbering) from `source` to floats. `count` is a multiple of the
/// type's block size. False for an unknown type.
bool tk_dequantize(uint32_t type, const void *source, int64_t count, float *destination);

/// The packed format for a type; false where the type is unknown. F32, F16 and BF16 become 8 bits.
bool tk_format_for_type(uint32_t type, tk_format *format);
/// On average, where blocks share something.
int64_t tk_format_bytes_per_block(tk_format format);

/// The largest of what rows [first, last) have as f16 (or as an exponent) in the packed layout, for
/// choosing the matrix's factor.
float tk_pack_magnitude(uint32_t type, const void *source, int64_t inputs, int64_t first_row,
                        int64_t last_row);
/// The factor for a largest magnitude.
float tk_pack_factor(float magnitude);
/// Packs tiles [first, last) of `matrix` from `source` (outputs, inputs) into `tiles`, the
/// memory of `matrix->tiles`.
void tk_pack_tiles(const tk_matrix *matrix, uint32_t type, const void *source, int64_t first_tile,
                   int64_t last_tile, uint8_t *tiles);
/// One output's weights, dequantised. // (inputs)
void tk_matrix_row(const tk_matrix *matrix, int64_t row, float *destination);

/// Float tiles: (tile, input, 16 outputs).
void tk_pack_float_tiles(uint32_t type, const void *source, int64_t source_row_bytes,
                         int64_t outputs, int64_t inputs, int64_t first_tile, int64_t last_tile,
                         float *tiles, float *scratch_row);

// ---------------------------------------------------------------------------------------------
// Activations

/// 32 quantised activations of one row and what belongs to them: a cache line.
typedef struct {
  int8_t q[32];
  float scale;
  float scaled_sum;         // scale * sum of q
  int32_t correction;       // -128 * sum of q
  float scaled_sum16[2];    // the same for each half
  int32_t correction16[2];
  int32_t unused;
} tk_activation_block;

// ---------------------------------------------------------------------------------------------
// Attention

typedef struct {
  int32_t key_value_heads;
  int32_t head_dim;   // of keys
  int32_t value_dim;  // of values
  int32_t type;       // TK_KV_...
} tk_kv_layout;

/// What keys and values are stored as.
enum { TK_KV_FLOAT, TK_KV_HALF, TK_KV_BYTE };

/// Widths of a head's keys and values at most where they are bytes.
#define TK_MOST_BYTE_DIM 1024

// A page: for each key/value head, K as (headDim, 64 positions), then V as (64 positions,
// valueDim).
//
// Of bytes: for each key/value head
//
//     K       (4 tiles of positions, headDim / 4, 16 positions, 4 numbers)     64 * headDim B
//     V       (64 / 4, valueDim, 4 positions)                                  64 * valueDim B
//     scales  of 64 keys, then of 64 values, the upper halves of floats                 256 B
//
// so that four bytes that lie together belong to one sum, a head's number = byte * scale of its position, and keys
// are those that a Hadamard transform has turned (attention_bytes_template.h).
int64_t tk_kv_page_bytes(tk_kv_layout layout);

/// One head's keys as floats, from a page of any type. // (headDim, 64)
void tk_kv_keys(tk_kv_layout layout, const void *page, int64_t head, float *keys);

/// Some rows of one sequence.
typedef struct {
  int64_t first_row;       // in the query and output buffers
  int64_t row_count;
  int64_t first_position;  // of first_row in its sequence
  void *const *pages;      // of this sequence and layer, in order of positions
  const int64_t *ends;     // (row_count): the position behind the last that a row sees, never falling; NULL: its own
} tk_attention_span;

typedef struct {
  tk_kv_layout layout;
  int32_t heads;
  float scale;
  float softcap;        // 0: none
  int64_t window;       // positions that a row sees, itself included; 0: all
  int64_t key_count;    // 0: causal; else every row sees positions 0..<key_count
  int64_t query_stride;   // floats between rows
  int64_t output_stride;
  const float *queries;   // (rows, heads, headDim)
  const float *sinks;     // (heads) or NULL: scores of a position without a value
  float *output;          // (rows, heads, valueDim)
  tk_activation_block *quantized;  // or NULL: the output's quantised form, valueDim % 32 == 0
  int64_t quantized_blocks;        // blocks of a row of it
  /// What workers share long sequences of few rows in; zeroed at first, and left so that the next call finds what it
  /// needs. Less, or NULL, where rows are not to be shared.
  void *shared;
  int64_t shared_bytes;
} tk_attention;

/// Bytes of scratch that one worker needs.
int64_t tk_attention_scratch_bytes(tk_kv_layout layout);

// ---------------------------------------------------------------------------------------------
// Kernels

/// The functions of one instruction set.
typedef struct {
  const char *name;

  /// out[row][output] (+)= sum over inputs, for tiles [first, last) and rows
  /// [first_row, first_row + row_count) of the activations; `out` is the first of these rows.
  void (*multiply)(const tk_matrix *matrix, int64_t first_tile, int64_t last_tile,
                   const tk_activation_block *x, int64_t first_row, int64_t row_count, float *out,
                   int64_t stride, bool accumulate);
  void (*multiply_float)(const float *tiles, int64_t outputs, int64_t inputs, int64_t first_tile,
                         int64_t last_tile, const float *x, int64_t x_stride, int64_t row_count,
                         float *out, int64_t stride, bool accumulate);

  /// Quantises blocks [first_block, last_block) of one row; x is the whole row (width floats).
  void (*quantize)(const float *x, int64_t width, int64_t row, int64_t blocks, int64_t first_block,
                   int64_t last_block, tk_activation_block *out);
  /// Quantises a row as row `row`, and what that leaves of it as row `rest`.
  void (*quantize_split)(const float *x, int64_t width, int64_t row, int64_t rest, int64_t blocks,
                         tk_activation_block *out);
  void (*rms_norm)(const float *x, const float *weight, int64_t width, float epsilon, float *out);
  void (*rms_norm_quantize)(const float *x, const float *weight, int64_t width, float epsilon,
                            int64_t row, int64_t blocks, tk_activation_block *out);
  void (*layer_norm)(const float *x, const float *weight, const float *bias, int64_t width,
                     float epsilon, float *out);
  /// activation(gate) * up; kind 0: SiLU, 1: GELU by tanh, 2: GELU by erf. `up` may be NULL.
  /// Kind 3 is gpt-oss's: gate at most 7, up within 7 of 0, gate * sigmoid(1.702 gate) * (up + 1).
  /// Kind 4 is the sigmoid, kind 5 the square of what is above 0.
  void (*gated)(const float *gate, const float *up, int64_t count, int32_t kind, float *out);
  void (*gated_quantize)(const float *gate, const float *up, int64_t width, int32_t kind,
                         int64_t row, int64_t blocks, int64_t first_block, int64_t last_block,
                         tk_activation_block *out);
  /// Rotates the first 2 * pairs numbers of each head. style 0: interleaved pairs, 1: halves.
  void (*rotary)(float *x, int64_t heads, int64_t head_dim, int64_t pairs, const float *cosines,
                 const float *sines, int32_t style);
  void (*add)(float *x, const float *y, int64_t count);          // x += y
  void (*scale)(float *x, float factor, int64_t count);          // x *= factor
  void (*soften_range)(float *x, float cap, int64_t count);      // x = cap * tanh(x / cap)
  void (*add_scaled)(float *x, const float *y, float factor, int64_t count);  // x += factor * y
  /// x += sum over r of factors[r] * rows[r]; the rows lie `stride` floats apart.
  void (*add_rows)(float *x, const float *rows, int64_t stride, const float *factors,
                   int64_t row_count, int64_t count);
  /// x[r][i] += sum over k of factors[r][k] * tiles[i / 16][k][i % 16], for `rows` rows; the last
  /// tile is whole.
  void (*add_tiles)(float *x, int64_t x_stride, const int8_t *tiles, int64_t rank,
                    const float *factors, int64_t factor_stride, int64_t rows, int64_t count);
  double (*dot)(const float *x, const float *y, int64_t count);
  float (*maximum)(const float *x, int64_t count);
  /// Index of the largest (the first of equals); NaN is never chosen.
  int64_t (*argmax)(const float *x, int64_t count);
  /// Index, from `first` on, of the first number that is at least `bound`; `count` where none is.
  int64_t (*find_at_least)(const float *x, float bound, int64_t first, int64_t count);
  /// Sum of exp(x - maximum).
  double (*exp_sum)(const float *x, float maximum, int64_t count);
  /// x becomes exp(x - maximum) * factor.
  void (*exp_scale)(float *x, float maximum, float factor, int64_t count);

  /// The gated delta rule for 16 columns of a head's state // (key_dim, 16), for `tokens` tokens in turn:
  /// state = decay * state + key x (beta * (value - decay * state^T key)), out = state^T query.
  /// `key_dim` is even; strides are floats from a token to the next.
  void (*delta_rule)(float *state, int64_t key_dim, const float *keys, const float *queries,
                     int64_t key_stride, const float *values, int64_t value_stride,
                     const float *decays, const float *betas, int64_t gate_stride, int64_t tokens,
                     float *out, int64_t out_stride);
  /// Mamba-2's recurrence for 16 numbers of a head with their states // (state_size, 16), for `tokens` tokens in turn:
  /// state = decay * state + input x (step * value), out = state^T output + skip * value. Inputs and outputs
  /// have `state_size` numbers; strides are floats from a token to the next.
  void (*state_space)(float *state, int64_t state_size, const float *inputs, const float *outputs,
                      int64_t map_stride, const float *values, int64_t value_stride,
                      const float *decays, const float *steps, int64_t gate_stride, float skip,
                      int64_t tokens, float *out, int64_t out_stride);
  /// out = the sum over j of rows[j] * weights[j], number by number, or the SiLU of it; `count` is a multiple
  /// of 16. // rows: `taps` pointers, weights (taps, weight_stride)
  void (*short_convolution)(const float *const *rows, const float *weights, int64_t taps,
                            int64_t weight_stride, int64_t count, bool silu, float *out);

  /// Stores `count` neighbouring positions of a sequence, whose keys and values lie `key_stride` and
  /// `value_stride` floats apart.
  void (*kv_store)(tk_kv_layout layout, const float *keys, int64_t key_stride,
                   const float *values, int64_t value_stride, void *const *pages,
                   int64_t first_position, int64_t count);
  /// Units `first, first + step, ...` of all spans together.
  void (*attention)(const tk_attention *attention, const tk_attention_span *spans,
                    int64_t span_count, int64_t workers, int64_t first, int64_t step,
                    void *scratch);
} TK_SENDABLE tk_kernels;

enum { TK_GENERIC, TK_AVX2, TK_AVXVNNI, TK_AVX512, TK_AMX, TK_NEON };

/// NULL where this CPU or build does not have it.
const tk_kernels *tk_kernels_for(int32_t instruction_set);

// ---------------------------------------------------------------------------------------------
// Threads

/// More than any machine has: Linux wants room for all that it was built for.
#define TK_MOST_PROCESSORS 65536

/// The processors that this process may use, a bit each, in TK_MOST_PROCESSORS bits; false where that can't be told.
bool tk_allowed_processors(uint64_t *mask);
int64_t tk_allowed_processor_count(void);

typedef struct tk_pool tk_pool;

/// `threads` workers: the caller of tk_pool_run is worker 0, the others are threads of the pool.
/// NULL where a thread cannot be made.
tk_pool *tk_pool_create(int32_t threads);
void tk_pool_destroy(tk_pool *pool);
/// Runs body(context, index) on every worker and returns when all have returned. One caller at a
/// time.
void tk_pool_run(tk_pool *pool, void (*body)(void *context, int32_t index), void *context);
/// Waits until every worker of the running body has come here.
void tk_pool_barrier(tk_pool *pool, int32_t index);

// ---------------------------------------------------------------------------------------------
// The machine's limits, for the benchmark

/// Runs the fastest int8 or float instruction for `rounds` rounds; returns operations a round.
double tk_limit_integer(int64_t rounds);
double tk_limit_float(int64_t rounds);
/// Reads memory once.
int64_t tk_limit_read(const void *memory, int64_t bytes);

#include "Rotated.h"
