// Norms, activations, quantisation, rotation and reductions. Included once an instruction set,
// with TK(name) giving each copy its own names, and load_half16/store_half16 defined.

#include "vector_math_template.h"

static void TK(quantize)(const float *x, int64_t width, int64_t row, int64_t blocks,
                         int64_t first_block, int64_t last_block, tk_activation_block *out) {
  for (int64_t b = first_block; b < last_block; b++) {
    tk_activation_block *o = TK(block_at)(out, row, blocks, b);
    const float *p = x + 32 * b;
    if (32 * b + 32 <= width) {
      TK(quantize_block)(TK(load)(p), TK(load)(p + 16), o);
    } else {
      float padded[32] = {0};
      for (int64_t i = 0; i < width - 32 * b; i++) padded[i] = p[i];
      TK(quantize_block)(TK(load)(padded), TK(load)(padded + 16), o);
    }
  }
}

/// One row as two: rounded to int8, and what the rounding left, rounded once more.
static void TK(quantize_split)(const float *x, int64_t width, int64_t row, int64_t rest,
                               int64_t blocks, tk_activation_block *out) {
  for (int64_t b = 0; b < blocks; b++) {
    tk_activation_block *o = TK(block_at)(out, row, blocks, b);
    float part[32] = {0};
    int64_t count = width - 32 * b < 32 ? width - 32 * b : 32;
    memcpy(part, x + 32 * b, (size_t)count * sizeof(float));
    v16 a = TK(load)(part), c = TK(load)(part + 16);
    TK(quantize_block)(a, c, o);
    b16 qa, qb;
    memcpy(&qa, o->q, 16);
    memcpy(&qb, o->q + 16, 16);
    const v16 scale = TK(splat)(-o->scale);
    a = TK(fma)(__builtin_convertvector(qa, v16), scale, a);
    c = TK(fma)(__builtin_convertvector(qb, v16), scale, c);
    TK(quantize_block)(a, c, TK(block_at)(out, rest, blocks, b));
  }
}

TK_INLINE float TK(sum_squares)(const float *x, int64_t n) {
  v16 a = TK(splat)(0), b = a;
  int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    v16 p = TK(load)(x + i), q = TK(load)(x + i + 16);
    a = TK(fma)(p, p, a);
    b = TK(fma)(q, q, b);
  }
  float rest = 0;
  for (; i < n; i++) rest += x[i] * x[i];
  return TK(sum)(a + b) + rest;
}

static void TK(rms_norm)(const float *x, const float *weight, int64_t n, float epsilon,
                         float *out) {
  float factor = 1 / sqrtf(TK(sum_squares)(x, n) / (float)n + epsilon);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    TK(store)(out + i, TK(load)(x + i) * TK(splat)(factor) * TK(load)(weight + i));
  for (; i < n; i++) out[i] = x[i] * factor * weight[i];
}

static void TK(rms_norm_quantize)(const float *x, const float *weight, int64_t n, float epsilon,
                                  int64_t row, int64_t blocks, tk_activation_block *out) {
  float factor = 1 / sqrtf(TK(sum_squares)(x, n) / (float)n + epsilon);
  v16 f = TK(splat)(factor);
  for (int64_t b = 0; b < blocks; b++) {
    tk_activation_block *o = TK(block_at)(out, row, blocks, b);
    const float *p = x + 32 * b, *w = weight + 32 * b;
    if (32 * b + 32 <= n) {
      TK(quantize_block)
      (TK(load)(p) * f * TK(load)(w), TK(load)(p + 16) * f * TK(load)(w + 16), o);
    } else {
      float padded[32] = {0};
      for (int64_t i = 0; i < n - 32 * b; i++) padded[i] = p[i] * factor * w[i];
      TK(quantize_block)(TK(load)(padded), TK(load)(padded + 16), o);
    }
  }
}

static void TK(layer_norm)(const float *x, const float *weight, const float *bias, int64_t n,
                           float epsilon, float *out) {
  v16 total = TK(splat)(0);
  float rest = 0;
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) total += TK(load)(x + i);
  for (; i < n; i++) rest += x[i];
  float mean = (TK(sum)(total) + rest) / (float)n;
  v16 squares = TK(splat)(0);
  rest = 0;
  for (i = 0; i + 16 <= n; i += 16) {
    v16 d = TK(load)(x + i) - TK(splat)(mean);
    squares = TK(fma)(d, d, squares);
  }
  for (; i < n; i++) rest += (x[i] - mean) * (x[i] - mean);
  float factor = 1 / sqrtf((TK(sum)(squares) + rest) / (float)n + epsilon);
  for (i = 0; i + 16 <= n; i += 16) {
    v16 d = (TK(load)(x + i) - TK(splat)(mean)) * TK(splat)(factor);
    TK(store)(out + i, TK(fma)(d, TK(load)(weight + i), TK(load)(bias + i)));
  }
  for (; i < n; i++) out[i] = (x[i] - mean) * factor * weight[i] + bias[i];
}

TK_INLINE void TK(gated_kind)(const float *gate, const float *up, int64_t count, int32_t kind,
                              float *out) {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) {
    v16 y = up ? TK(load)(up + i) : TK(splat)(0);
    TK(store)(out + i, TK(combine)(TK(load)(gate + i), y, up != 0, kind));
  }
  int64_t n = count - i;
  if (n > 0) {
    v16 y = up ? TK(load_some)(up + i, n, 0) : TK(splat)(0);
    TK(store_some)(out + i, TK(combine)(TK(load_some)(gate + i, n, 0), y, up != 0, kind), n);
  }
}

static void TK(gated)(const float *gate, const float *up, int64_t count, int32_t kind,
                      float *out) {
  if (kind == 0) TK(gated_kind)(gate, up, count, 0, out);
  else if (kind == 1) TK(gated_kind)(gate, up, count, 1, out);
  else if (kind == 2) TK(gated_kind)(gate, up, count, 2, out);
  else if (kind == 3) TK(gated_kind)(gate, up, count, 3, out);
  else if (kind == 4) TK(gated_kind)(gate, up, count, 4, out);
  else TK(gated_kind)(gate, up, count, 5, out);
}

TK_INLINE void TK(gated_quantize_kind)(const float *gate, const float *up, int64_t width,
                                       int32_t kind, int64_t row, int64_t blocks,
                                       int64_t first_block, int64_t last_block,
                                       tk_activation_block *out) {
  for (int64_t b = first_block; b < last_block; b++) {
    tk_activation_block *o = TK(block_at)(out, row, blocks, b);
    int64_t n = width - 32 * b, k = 32 * b;
    v16 x0, x1, u0 = TK(splat)(0), u1 = u0;
    if (n >= 32) {
      x0 = TK(load)(gate + k), x1 = TK(load)(gate + k + 16);
      if (up) u0 = TK(load)(up + k), u1 = TK(load)(up + k + 16);
    } else {
      float padded[64] = {0};
      memcpy(padded, gate + k, (size_t)n * 4);
      if (up) memcpy(padded + 32, up + k, (size_t)n * 4);
      x0 = TK(load)(padded), x1 = TK(load)(padded + 16);
      if (up) u0 = TK(load)(padded + 32), u1 = TK(load)(padded + 48);
    }
    TK(quantize_block)
    (TK(combine)(x0, u0, up != 0, kind), TK(combine)(x1, u1, up != 0, kind), o);
  }
}

static void TK(gated_quantize)(const float *gate, const float *up, int64_t width, int32_t kind,
                               int64_t row, int64_t blocks, int64_t first_block,
                               int64_t last_block, tk_activation_block *out) {
  if (kind == 0)
    TK(gated_quantize_kind)(gate, up, width, 0, row, blocks, first_block, last_block, out);
  else if (kind == 1)
    TK(gated_quantize_kind)(gate, up, width, 1, row, blocks, first_block, last_block, out);
  else if (kind == 2)
    TK(gated_quantize_kind)(gate, up, width, 2, row, blocks, first_block, last_block, out);
  else if (kind == 3)
    TK(gated_quantize_kind)(gate, up, width, 3, row, blocks, first_block, last_block, out);
  else if (kind == 4)
    TK(gated_quantize_kind)(gate, up, width, 4, row, blocks, first_block, last_block, out);
  else
    TK(gated_quantize_kind)(gate, up, width, 5, row, blocks, first_block, last_block, out);
}

static void TK(rotary)(float *x, int64_t heads, int64_t head_dim, int64_t pairs,
                       const float *cosines, const float *sines, int32_t style) {
  for (int64_t h = 0; h < heads; h++, x += head_dim) {
    if (style == 1) {
      for (int64_t i = 0; i < pairs; i++) {
        float a = x[i], b = x[i + pairs];
        x[i] = a * cosines[i] - b * sines[i];
        x[i + pairs] = b * cosines[i] + a * sines[i];
      }
    } else {
      for (int64_t i = 0; i < pairs; i++) {
        float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cosines[i] - b * sines[i];
        x[2 * i + 1] = b * cosines[i] + a * sines[i];
      }
    }
  }
}

static void TK(add)(float *x, const float *y, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) TK(store)(x + i, TK(load)(x + i) + TK(load)(y + i));
  for (; i < n; i++) x[i] += y[i];
}

static void TK(scale)(float *x, float factor, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) TK(store)(x + i, TK(load)(x + i) * TK(splat)(factor));
  for (; i < n; i++) x[i] *= factor;
}

/// x = cap tanh(x / cap)
static void TK(soften_range)(float *x, float cap, int64_t count) {
  const v16 factor = TK(splat)(1 / cap), limit = TK(splat)(cap);
  int64_t i = 0;
  for (; i + 16 <= count; i += 16)
    TK(store)(x + i, TK(tanh)(TK(load)(x + i) * factor) * limit);
  if (i < count)
    TK(store_some)(x + i, TK(tanh)(TK(load_some)(x + i, count - i, 0) * factor) * limit, count - i);
}

static void TK(add_scaled)(float *x, const float *y, float factor, int64_t n) {
  int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    TK(store)(x + i, TK(fma)(TK(load)(y + i), TK(splat)(factor), TK(load)(x + i)));
  for (; i < n; i++) x[i] += factor * y[i];
}

/// Sums in registers: x is read and written once, however many rows there are.
static void TK(add_rows)(float *x, const float *rows, int64_t stride, const float *factors,
                         int64_t row_count, int64_t n) {
  int64_t i = 0;
  for (; i + 64 <= n; i += 64) {
    v16 a = TK(load)(x + i), b = TK(load)(x + i + 16);
    v16 c = TK(load)(x + i + 32), d = TK(load)(x + i + 48);
    const float *row = rows + i;
    for (int64_t r = 0; r < row_count; r++, row += stride) {
      v16 factor = TK(splat)(factors[r]);
      a = TK(fma)(TK(load)(row), factor, a);
      b = TK(fma)(TK(load)(row + 16), factor, b);
      c = TK(fma)(TK(load)(row + 32), factor, c);
      d = TK(fma)(TK(load)(row + 48), factor, d);
    }
    TK(store)(x + i, a), TK(store)(x + i + 16, b);
    TK(store)(x + i + 32, c), TK(store)(x + i + 48, d);
  }
  for (; i + 16 <= n; i += 16) {
    v16 a = TK(load)(x + i);
    for (int64_t r = 0; r < row_count; r++)
      a = TK(fma)(TK(load)(rows + r * stride + i), TK(splat)(factors[r]), a);
    TK(store)(x + i, a);
  }
  for (; i < n; i++)
    for (int64_t r = 0; r < row_count; r++) x[i] += factors[r] * rows[r * stride + i];
}

/// 16 whole numbers of one byte, as floats.
TK_INLINE v16 TK(load_bytes)(const int8_t *p) {
  b16 bytes;
  memcpy(&bytes, p, sizeof bytes);
  return __builtin_convertvector(bytes, v16);
}

/// Four rows to each load and conversion of a tile.
TK_INLINE void TK(add_tile_4)(float *x, int64_t x_stride, const int8_t *tile, int64_t rank,
                              const float *factors, int64_t factor_stride) {
  v16 a = TK(load)(x), b = TK(load)(x + x_stride);
  v16 c = TK(load)(x + 2 * x_stride), d = TK(load)(x + 3 * x_stride);
  for (int64_t k = 0; k < rank; k++, tile += 16, factors++) {
    v16 bytes = TK(load_bytes)(tile);
    a = TK(fma)(bytes, TK(splat)(factors[0]), a);
    b = TK(fma)(bytes, TK(splat)(factors[factor_stride]), b);
    c = TK(fma)(bytes, TK(splat)(factors[2 * factor_stride]), c);
    d = TK(fma)(bytes, TK(splat)(factors[3 * factor_stride]), d);
  }
  TK(store)(x, a), TK(store)(x + x_stride, b);
  TK(store)(x + 2 * x_stride, c), TK(store)(x + 3 * x_stride, d);
}

static void TK(add_tiles)(float *x, int64_t x_stride, const int8_t *tiles, int64_t rank,
                          const float *factors, int64_t factor_stride, int64_t rows, int64_t n) {
  const int64_t tile_bytes = rank * 16;
  int64_t row = 0;
  for (; row + 4 <= rows; row += 4)
    for (int64_t i = 0; i + 16 <= n; i += 16)
      TK(add_tile_4)(x + row * x_stride + i, x_stride, tiles + i * rank, rank,
                     factors + row * factor_stride, factor_stride);
  for (; row < rows; row++) {
    float *y = x + row * x_stride;
    const float *own = factors + row * factor_stride;
    int64_t i = 0;
    // Four tiles at once: their sums don't wait for one another.
    for (; i + 64 <= n; i += 64) {
      v16 a = TK(load)(y + i), b = TK(load)(y + i + 16);
      v16 c = TK(load)(y + i + 32), d = TK(load)(y + i + 48);
      const int8_t *tile = tiles + i * rank;
      for (int64_t k = 0; k < rank; k++, tile += 16) {
        v16 factor = TK(splat)(own[k]);
        a = TK(fma)(TK(load_bytes)(tile), factor, a);
        b = TK(fma)(TK(load_bytes)(tile + tile_bytes), factor, b);
        c = TK(fma)(TK(load_bytes)(tile + 2 * tile_bytes), factor, c);
        d = TK(fma)(TK(load_bytes)(tile + 3 * tile_bytes), factor, d);
      }
      TK(store)(y + i, a), TK(store)(y + i + 16, b);
      TK(store)(y + i + 32, c), TK(store)(y + i + 48, d);
    }
    for (; i + 16 <= n; i += 16) {
      v16 a = TK(load)(y + i);
      const int8_t *tile = tiles + i * rank;
      for (int64_t k = 0; k < rank; k++, tile += 16)
        a = TK(fma)(TK(load_bytes)(tile), TK(splat)(own[k]), a);
      TK(store)(y + i, a);
    }
  }
  const int64_t rest = n % 16;
  if (rest == 0) return;
  // The last tile is whole, the row is not.
  const int64_t i = n - rest;
  for (row = 0; row < rows; row++) {
    float *last = x + row * x_stride + i;
    const float *own = factors + row * factor_stride;
    v16 a = TK(load_some)(last, rest, 0);
    for (int64_t k = 0; k < rank; k++)
      a = TK(fma)(TK(load_bytes)(tiles + i * rank + k * 16), TK(splat)(own[k]), a);
    TK(store_some)(last, a, rest);
  }
}

static double TK(dot)(const float *x, const float *y, int64_t n) {
  double total = 0;
  int64_t i = 0;
  while (i + 16 <= n) {
    // Floats in runs of 4096, doubles between them.
    int64_t end = i + 4096 < n ? i + 4096 : n;
    v16 a = TK(splat)(0);
    for (; i + 16 <= end; i += 16) a = TK(fma)(TK(load)(x + i), TK(load)(y + i), a);
    total += TK(sum)(a);
  }
  for (; i < n; i++) total += x[i] * y[i];
  return total;
}

static float TK(maximum)(const float *x, int64_t n) {
  v16 a = TK(splat)(-INFINITY);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) a = TK(max)(TK(load)(x + i), a);
  float largest = TK(max_of)(a);
  for (; i < n; i++) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

static int64_t TK(find_at_least)(const float *x, float bound, int64_t first, int64_t n) {
  int64_t i = first;
  for (; i + 16 <= n; i += 16) {
    i16 found = TK(load)(x + i) >= bound;
    if (__builtin_reduce_or(found)) break;
  }
  while (i < n && !(x[i] >= bound)) i++;
  return i;
}

static int64_t TK(argmax)(const float *x, int64_t n) {
  v16 best = TK(splat)(-INFINITY);
  i16 where = (i16)(0), here = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16, here += 16) {
    v16 y = TK(load)(x + i);
    i16 larger = y > best;
    best = (v16)(((i16)y & larger) | ((i16)best & ~larger));
    where = (here & larger) | (where & ~larger);
  }
  float largest = -INFINITY;
  int64_t index = 0;
  for (int j = 0; j < 16 && i > 0; j++) {
    if (best[j] > largest || (best[j] == largest && where[j] < index)) {
      largest = best[j];
      index = where[j];
    }
  }
  for (; i < n; i++) {
    if (x[i] > largest) {
      largest = x[i];
      index = i;
    }
  }
  return index;
}

static double TK(exp_sum)(const float *x, float maximum, int64_t n) {
  double total = 0;
  v16 m = TK(splat)(maximum);
  int64_t i = 0;
  while (i + 16 <= n) {
    int64_t end = i + 1024 < n ? i + 1024 : n;
    v16 a = TK(splat)(0);
    for (; i + 16 <= end; i += 16) a += TK(exp)(TK(load)(x + i) - m);
    total += TK(sum)(a);
  }
  if (i < n) total += TK(sum)(TK(exp)(TK(load_some)(x + i, n - i, -INFINITY) - m));
  return total;
}

static void TK(exp_scale)(float *x, float maximum, float factor, int64_t n) {
  v16 m = TK(splat)(maximum), f = TK(splat)(factor);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) TK(store)(x + i, TK(exp)(TK(load)(x + i) - m) * f);
  if (i < n)
    TK(store_some)(x + i, TK(exp)(TK(load_some)(x + i, n - i, -INFINITY) - m) * f, n - i);
}
