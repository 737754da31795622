// The product of rotated int8 (Rotated.h) by AMX's tiles. An instruction is 16 rows by 16 outputs by 64 inputs, and
// takes 16 cycles, in which AVX-512 does an eighth of that. The layout of a group, four inputs of 16 outputs in 64
// bytes, is a tile's own, so weights lie as the other sets have them. All else is AVX-512's: activations,
// attention, and products of few rows, which wait for the weights anyway.
//
// Whole sums are exact, and are scaled and added up as on AVX-512: results are the same to the bit.
#if defined(__x86_64__)
#include "rotated_sets.h"
#include "sets.h"

#define TK(name) tk_amx_##name

#if defined(TK_EMULATED)
#define FEW_ROWS tk_rotated_avxvnni
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#include "avx2_vectors.h"
#else
#define FEW_ROWS tk_rotated_avx512
#pragma clang attribute push(                                                              \
    __attribute__((target(                                                                 \
        "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c,amx-tile,amx-int8"))),     \
    apply_to = function)
#include "avx512_vectors.h"
#endif

#include "amx_tiles.h"
#include "vector_math_template.h"

enum {
  /// Rows from which on tiles are used.
  FEWEST_ROWS = 9,
  TILE_ROWS = 16,
  /// Two tiles of rows by two of outputs: each tile that is loaded is used twice.
  PIECE_ROWS = 2 * TILE_ROWS,
  GROUP = TK_ROTATED_GROUP,
  PAIR = TK_ROTATED_PAIR,
};

/// Tiles by number.
enum { SUMS_00, SUMS_01, SUMS_10, SUMS_11, ROWS_0, ROWS_1, OUTPUTS_0, OUTPUTS_1 };

/// A group's whole sums, and what they have become so far. // (rows, pair)
typedef struct {
  _Alignas(64) int32_t whole[PIECE_ROWS][PAIR];
  float sums[PIECE_ROWS][PAIR];
} piece_sums;

/// Fetches a quarter of what a step of 64 inputs will take of the next pair.
TK_INLINE void fetch(const uint8_t *next, int quarter) {
  if (!next) return;
  for (int i = 0; i < 16 * PAIR; i += 64) __builtin_prefetch(next + quarter * 16 * PAIR + i);
}

/// A group's whole sums of up to 32 rows and a pair of tiles, in the tiles of sums. The second tile of rows begins at
/// row `second`, so that it ends with the last; 0 where there is none.
TK_INLINE void multiply_group(const uint8_t *w, const uint8_t *next, const int8_t *x, int64_t stride,
                              int64_t second) {
  TILE_ZERO(SUMS_00);
  TILE_ZERO(SUMS_01);
  TILE_ZERO(SUMS_10);
  TILE_ZERO(SUMS_11);
#pragma clang loop unroll(full)
  for (int k = 0; k < GROUP; k += 64, w += 64 * PAIR) {
    TILE_LOAD(OUTPUTS_0, w, 128);
    TILE_LOAD(ROWS_0, x + k, stride);
    fetch(next, 0);
    TILE_ADD_PRODUCT(SUMS_00, ROWS_0, OUTPUTS_0);
    TILE_LOAD(OUTPUTS_1, w + 64, 128);
    fetch(next, 1);
    TILE_ADD_PRODUCT(SUMS_01, ROWS_0, OUTPUTS_1);
    fetch(next, 2);
    if (second) {
      TILE_LOAD(ROWS_1, x + second * stride + k, stride);
      TILE_ADD_PRODUCT(SUMS_10, ROWS_1, OUTPUTS_0);
      TILE_ADD_PRODUCT(SUMS_11, ROWS_1, OUTPUTS_1);
    }
    fetch(next, 3);
    if (next) next += 64 * PAIR;
  }
}

TK_INLINE void store_group(int64_t second, int32_t (*out)[PAIR]) {
  const int64_t row = PAIR * sizeof(int32_t);
  TILE_STORE(SUMS_00, out[0], row);
  TILE_STORE(SUMS_01, out[0] + 16, row);
  if (second) {
    TILE_STORE(SUMS_10, out[second], row);
    TILE_STORE(SUMS_11, out[second] + 16, row);
  }
}

/// Scales a group's whole sums and adds them up.
TK_INLINE void add_group(int64_t rows, bool is_first, const int32_t (*whole)[PAIR],
                         const float *scales, const int32_t *corrections, float (*sums)[PAIR]) {
  const v16 scale[2] = {TK(load)(scales), TK(load)(scales + 16)};
  for (int64_t r = 0; r < rows; r++) {
    const i16 correction = (i16)(corrections[4 * r]);
#pragma clang loop unroll(full)
    for (int h = 0; h < 2; h++) {
      i16 dot;
      memcpy(&dot, whole[r] + 16 * h, sizeof dot);
      const v16 sum = is_first ? TK(splat)(0) : TK(load)(sums[r] + 16 * h);
      TK(store)(sums[r] + 16 * h,
                TK(fma)(__builtin_convertvector(dot + correction, v16), scale[h], sum));
    }
  }
}

/// Where the results of a piece go, and what is added to them.
typedef struct {
  float *out;
  int64_t stride;
  const float *bias;
  const float *addend;
  int64_t addend_stride;
} piece_end;

TK_INLINE void finish(int64_t rows, const float (*sums)[PAIR], const float *scales,
                      const piece_end *end) {
  for (int64_t r = 0; r < rows; r++) {
    const v16 scale = TK(splat)(scales[r]);
#pragma clang loop unroll(full)
    for (int o = 0; o < PAIR; o += 16) {
      v16 y = end->bias ? TK(load)(end->bias + o) : TK(splat)(0);
      y = TK(fma)(TK(load)(sums[r] + o), scale, y);
      if (end->addend) y += TK(load)(end->addend + r * end->addend_stride + o);
      TK(store)(end->out + r * end->stride + o, y);
    }
  }
}

/// One chunk of some rows by one pair of tiles. A group's sums are scaled while the next one's are multiplied: these
/// are stored behind that, for loads would wait for stores before them that wait for the tiles.
TK_INLINE void multiply_piece(int64_t groups, int64_t rows, const uint8_t *w, const uint8_t *next,
                              const int8_t *x, const int32_t *corrections, const float *scales,
                              const piece_end *end) {
  piece_sums memory;
  const int64_t second = rows > TILE_ROWS ? rows - TILE_ROWS : 0;
  for (int64_t g = 0; g <= groups; g++) {
    if (g < groups)
      multiply_group(w + g * TK_ROTATED_GROUP_BYTES, next ? next + g * TK_ROTATED_GROUP_BYTES : NULL,
                     x + g * GROUP, groups * GROUP, second);
    if (g > 0)
      add_group(rows, g == 1, memory.whole, (const float *)(w + g * TK_ROTATED_GROUP_BYTES) - PAIR,
                corrections + g - 1, memory.sums);
    if (g < groups) store_group(second, memory.whole);
  }
  finish(rows, memory.sums, scales, end);
}

static void begin_tiles(int64_t rows) {
  tk_tile_shapes shapes = {.palette = 1};
  const uint8_t most = (uint8_t)(rows < TILE_ROWS ? rows : TILE_ROWS);
  for (int t = 0; t < 8; t++) {
    shapes.row_bytes[t] = 64;
    shapes.rows[t] = t == OUTPUTS_0 || t == OUTPUTS_1 ? TILE_ROWS : most;
  }
  TILES_BEGIN(&shapes);
}

void tk_amx_rotated_multiply(const tk_rotated_matrix *m, int64_t first, int64_t last,
                             const tk_rotated_rows *x, int64_t row, int64_t count, float *out,
                             int64_t stride, const float *bias, const float *addend,
                             int64_t addend_stride) {
  if (count < FEWEST_ROWS) {
    FEW_ROWS()->multiply(m, first, last, x, row, count, out, stride, bias, addend, addend_stride);
    return;
  }
  const int64_t pairs = m->outputs / PAIR, width = GROUP * m->groups;
  const int64_t pair_bytes = m->groups * TK_ROTATED_GROUP_BYTES;
  const int64_t pieces = (count + PIECE_ROWS - 1) / PIECE_ROWS;
  begin_tiles(count);
  for (int64_t c = 0; c < m->chunks; c++) {
    for (int64_t t = first; t < last; t++) {
      const uint8_t *w = m->tiles + (c * pairs + t) * pair_bytes;
      for (int64_t i = 0; i < pieces; i++) {
        // Of nearly equal size: where there are several, none has fewer rows than a tile.
        const int64_t begin = count * i / pieces, rows = count * (i + 1) / pieces - begin;
        const int64_t place = c * x->rows + row + begin;
        piece_end end = {.out = out + begin * stride + t * PAIR, .stride = stride};
        if (c == 0) {
          end.bias = bias ? bias + t * PAIR : NULL;
          end.addend = addend ? addend + begin * addend_stride + t * PAIR : NULL;
          end.addend_stride = addend_stride;
        } else {
          end.addend = end.out;
          end.addend_stride = stride;
        }
        multiply_piece(m->groups, rows, w, i == 0 ? w + pair_bytes : NULL,
                       (const int8_t *)x->quants + place * width, x->corrections + place * 4,
                       x->scales + place, &end);
      }
    }
  }
  TILES_END();
}

#pragma clang attribute pop
#endif
