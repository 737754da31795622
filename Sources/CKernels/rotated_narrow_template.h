// What sets share whose registers are narrower than a tile of 16 outputs: a pair's tiles one after the other, and
// a unit's rows by PRODUCT_ROWS, which are four. Included once an instruction set, behind its multiply_tile and
// score_rows.

TK_INLINE void multiply_rows(int rows, int groups, const product *p) {
  multiply_tile(rows, groups, p, 0);
  multiply_tile(rows, groups, p, 1);
}

#define GROUPS_FUNCTION(NAME, GROUPS)                                          \
  static __attribute__((noinline)) void NAME(int64_t rows, const product *p) { \
    switch (rows) {                                                            \
      case 1: multiply_rows(1, GROUPS, p); break;                              \
      case 2: multiply_rows(2, GROUPS, p); break;                              \
      case 3: multiply_rows(3, GROUPS, p); break;                              \
      case 4: multiply_rows(4, GROUPS, p); break;                              \
    }                                                                          \
  }

GROUPS_FUNCTION(multiply_3, 3)
GROUPS_FUNCTION(multiply_4, 4)

TK_INLINE void score(int rows, const tk_quant *q, const int32_t *corrections, int64_t d,
                     const head_memory *m, int64_t positions, int64_t width, float *scores,
                     v16 *tops) {
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) tops[r] = TK(splat)(NOWHERE);
  const int most = PRODUCT_ROWS, first = rows < most ? rows : most;
  score_rows(first, q, corrections, d, m, positions, width, scores, tops);
  if (rows > first)
    score_rows(rows - first, q + first * d, corrections + first, d, m, positions, width,
               scores + first * width, tops + first);
}
