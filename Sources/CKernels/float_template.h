// The product with float weights in tiles of (input, 16 outputs). Each output is summed in runs of
// 64 inputs, and the runs are summed: a good deal more exact than one long sum, at no cost.

TK_INLINE void TK(float_rows)(const float *w, int64_t inputs, const float *x, int64_t x_stride,
                              int rows, float *out, int64_t stride, int64_t columns,
                              bool accumulate) {
  v16 total[8], run[8];
  for (int r = 0; r < rows; r++) total[r] = TK(splat)(0);
  for (int64_t k = 0; k < inputs;) {
    int64_t end = k + 64 < inputs ? k + 64 : inputs;
    for (int r = 0; r < rows; r++) run[r] = TK(splat)(0);
    for (; k < end; k++) {
      v16 weight = TK(load)(w + 16 * k);
      for (int r = 0; r < rows; r++)
        run[r] = TK(fma)(TK(splat)(x[r * x_stride + k]), weight, run[r]);
    }
    for (int r = 0; r < rows; r++) total[r] += run[r];
  }
  for (int r = 0; r < rows; r++) {
    float *o = out + r * stride;
    if (columns == 16) {
      TK(store)(o, accumulate ? TK(load)(o) + total[r] : total[r]);
    } else {
      for (int64_t c = 0; c < columns; c++) o[c] = accumulate ? o[c] + total[r][c] : total[r][c];
    }
  }
}

// One row. Four runs at a time: one sum after the other would wait for each addition. The runs
// are added in their order, so that the result is the same to the last bit as beside other rows.
TK_INLINE void TK(float_row)(const float *w, int64_t inputs, const float *x, float *out,
                             int64_t columns, bool accumulate) {
  v16 total = TK(splat)(0);
  int64_t k = 0;
  for (; k + 256 <= inputs; k += 256) {
    v16 run[4];
    for (int r = 0; r < 4; r++) run[r] = TK(splat)(0);
    for (int64_t i = k; i < k + 64; i++)
      for (int r = 0; r < 4; r++)
        run[r] = TK(fma)(TK(splat)(x[i + 64 * r]), TK(load)(w + 16 * (i + 64 * r)), run[r]);
    for (int r = 0; r < 4; r++) total += run[r];
  }
  while (k < inputs) {
    int64_t end = k + 64 < inputs ? k + 64 : inputs;
    v16 run = TK(splat)(0);
    for (; k < end; k++) run = TK(fma)(TK(splat)(x[k]), TK(load)(w + 16 * k), run);
    total += run;
  }
  if (columns == 16) {
    TK(store)(out, accumulate ? TK(load)(out) + total : total);
  } else {
    for (int64_t c = 0; c < columns; c++) out[c] = accumulate ? out[c] + total[c] : total[c];
  }
}

static void TK(multiply_float)(const float *tiles, int64_t outputs, int64_t inputs,
                               int64_t first_tile, int64_t last_tile, const float *x,
                               int64_t x_stride, int64_t row_count, float *out, int64_t stride,
                               bool accumulate) {
  for (int64_t t = first_tile; t < last_tile; t++) {
    const float *w = tiles + t * inputs * 16;
    int64_t columns = outputs - t * 16 < 16 ? outputs - t * 16 : 16;
    float *o = out + t * 16;
    int64_t r = 0;
    for (; r + 8 <= row_count; r += 8)
      TK(float_rows)(w, inputs, x + r * x_stride, x_stride, 8, o + r * stride, stride,
                     columns, accumulate);
    for (; r + 4 <= row_count; r += 4)
      TK(float_rows)(w, inputs, x + r * x_stride, x_stride, 4, o + r * stride, stride,
                     columns, accumulate);
    for (; r < row_count; r++)
      TK(float_row)(w, inputs, x + r * x_stride, o + r * stride, columns, accumulate);
  }
}
