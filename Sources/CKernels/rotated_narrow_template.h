// What sets share whose registers are narrower than a tile of 16 outputs: they take a pair's tiles one after the
// other, PRODUCT_ROWS rows at once, which are four to six, and attend by half a unit's rows. Included once an
// instruction set, behind its
//
//     tile_sums   a row's sums of a tile in whole numbers, in registers
//     start       sums[r] = where a sum begins whose correction is corrections[r * stride]
//     add_inputs  sums[r] += 16 inputs of a tile, `step` bytes from four of them to the next, by the numbers
//                 at x + r * stride

TK_INLINE v16 floats_of(const tile_sums *sums) {
  i16 whole;
  memcpy(&whole, sums, sizeof whole);
  return __builtin_convertvector(whole, v16);
}

/// One of a pair's two tiles.
TK_INLINE void multiply_tile(int rows, int groups, const product *p, int tile) {
  v16 sum[PRODUCT_ROWS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) sum[r] = TK(splat)(0);
  const uint8_t *w = p->weights + 64 * tile;
  const uint8_t *next = p->next ? p->next + 64 * tile : NULL;
  const tk_quant *x = p->x;
  for (int g = 0; g < groups; g++) {
    tile_sums dot[PRODUCT_ROWS];
    start(rows, p->corrections + g, 4, dot);
    for (int k = 0; k < TK_ROTATED_GROUP; k += 16, w += 4 * 128, x += 16) {
      if (next) {
        for (int i = 0; i < 4; i++, next += 128) __builtin_prefetch(next);
      }
      add_inputs(rows, w, 128, x, groups * TK_ROTATED_GROUP, dot);
    }
    const v16 scale = TK(load)((const float *)w);
    w += 128;
    if (next) next += 128;
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) sum[r] = TK(fma)(floats_of(dot + r), scale, sum[r]);
  }
  const int o = 16 * tile;
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    v16 y = p->bias ? TK(load)(p->bias + o) : TK(splat)(0);
    y = TK(fma)(sum[r], TK(splat)(p->scales[r]), y);
    if (p->addend) y += TK(load)(p->addend + r * p->addend_stride + o);
    TK(store)(p->out + r * p->stride + o, y);
  }
}

TK_INLINE void multiply_rows(int rows, int groups, const product *p) {
  multiply_tile(rows, groups, p, 0);
  multiply_tile(rows, groups, p, 1);
}

#define ROWS_CASE(R, GROUPS)                                               \
  case R:                                                                  \
    if (R <= PRODUCT_ROWS) multiply_rows(R <= PRODUCT_ROWS ? R : 1, GROUPS, p); \
    break;

#define GROUPS_FUNCTION(NAME, GROUPS)                                          \
  static __attribute__((noinline)) void NAME(int64_t rows, const product *p) { \
    switch (rows) {                                                            \
      ROWS_CASE(1, GROUPS)                                                     \
      ROWS_CASE(2, GROUPS)                                                     \
      ROWS_CASE(3, GROUPS)                                                     \
      ROWS_CASE(4, GROUPS)                                                     \
      ROWS_CASE(5, GROUPS)                                                     \
      ROWS_CASE(6, GROUPS)                                                     \
    }                                                                          \
  }

GROUPS_FUNCTION(multiply_3, 3)
GROUPS_FUNCTION(multiply_4, 4)

/// Of half a unit's rows.
TK_INLINE void score_rows(int rows, const tk_quant *q, const int32_t *corrections, int64_t d,
                          const head_memory *m, int64_t positions, int64_t width, float *scores,
                          v16 *tops) {
  for (int64_t j = 0; j < width; j += 16) {
    tile_sums dot[HALF_A_UNIT];
    start(rows, corrections, 1, dot);
    for (int64_t k = 0; k < d; k += 16)
      add_inputs(rows, m->keys + j * d + 16 * k, 64, q + k, d, dot);
    const v16 scale = TK(load)(m->key_scales + j);
    const bool is_whole = j + 16 <= positions;
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      v16 x = floats_of(dot + r) * scale;
      if (!is_whole) x = first_of(x, positions - j, NOWHERE);
      tops[r] = TK(max)(x, tops[r]);
      TK(store)(scores + r * width + j, x);
    }
  }
}

TK_INLINE void score(int rows, const tk_quant *q, const int32_t *corrections, int64_t d,
                     const head_memory *m, int64_t positions, int64_t width, float *scores,
                     v16 *tops) {
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) tops[r] = TK(splat)(NOWHERE);
  const int first = rows < HALF_A_UNIT ? rows : HALF_A_UNIT;
  score_rows(first, q, corrections, d, m, positions, width, scores, tops);
  if (rows > first)
    score_rows(rows - first, q + first * d, corrections + first, d, m, positions, width,
               scores + first * width, tops + first);
}
