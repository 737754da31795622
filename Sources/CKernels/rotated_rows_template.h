// Activations of an encoder into the rotated form (Rotated.h): norms, GELU, rotation, rounding. Included once an
// instruction set, with the functions of its rotated_*.c defined.

enum { VECTORS = TK_ROTATED_GROUP / 16, MOST_GROUPS = 4 };

/// Sums and differences of neighbours: one number from each of two places, of which the second is
/// subtracted.
TK_INLINE v16 neighbours(v16 x) {
  const v16 sign = {1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1};
  return TK(fma)(x, sign, x.s1032547698badcfe);
}
TK_INLINE v16 next_neighbours(v16 x) {
  const v16 sign = {1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1};
  return TK(fma)(x, sign, x.s23016745ab89efcd);
}

/// The Hadamard transform of a group, times sqrt(32).
TK_INLINE void rotate_group(v16 *x) {
#pragma clang loop unroll(full)
  for (int distance = 4; distance > 0; distance /= 2) {
#pragma clang loop unroll(full)
    for (int i = 0; i < VECTORS; i++) {
      if (i & distance) continue;
      v16 a = x[i], b = x[i + distance];
      x[i] = a + b;
      x[i + distance] = a - b;
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < VECTORS; i++) x[i] = next_neighbours(neighbours(x[i]));
}

/// What is left of a chunk's rotation once its groups are rotated; returns the largest magnitude.
TK_INLINE float join_groups(int groups, v16 *x) {
  // Without their signs, floats are ordered as integers are; NaN is above all.
  i16 largest = (i16)TK(splat)(0);
  const v16 factor = TK(splat)(-2 / (float)groups);
  for (int i = 0; i < VECTORS; i++) {
    v16 sum = x[i];
    for (int g = 1; g < groups; g++) sum += x[g * VECTORS + i];
    for (int g = 0; g < groups; g++) {
      v16 y = TK(fma)(sum, factor, x[g * VECTORS + i]);
      x[g * VECTORS + i] = y;
      largest = __builtin_elementwise_max(largest, (i16)TK(abs)(y));
    }
  }
  return tk_bits_to_float((uint32_t)__builtin_reduce_max(largest));
}

/// Rounds a chunk whose groups are rotated, and writes it.
TK_INLINE void write_chunk(int groups, v16 *x, const tk_rotated_rows *out, int64_t place) {
  tk_quant *quants = (tk_quant *)out->quants + place * groups * TK_ROTATED_GROUP;
  int32_t *corrections = out->corrections + place * 4;
  const float largest = join_groups(groups, x);
  const v16 inverse = TK(splat)(largest > 1e-35f ? 127 / largest : 0);
  // Rotated twice a number would be 32 times itself.
  out->scales[place] = largest * (1.0f / 127 / 32);
  for (int g = 0; g < groups; g++) {
    v16 *y = x + g * VECTORS;
    for (int i = 0; i < VECTORS; i++) y[i] *= inverse;
    corrections[g] = -128 * store_quants(y, quants + g * TK_ROTATED_GROUP);
  }
}

/// x times the normal distribution's share below x, as exactly as rounding to int8 leaves room for:
/// within 1e-4 of the larger of |x| and 1. erf(x / sqrt(2)) is a polynomial fitted to |x| < 3.8.
TK_INLINE v16 rough_gelu(v16 x) {
  static const float factors[] = {2.96473523e-7f,  -9.30747198e-6f, 1.72979594e-4f, -2.16144696e-3f,
                                  1.95139362e-2f, -0.132577123f,   0.797773815f};
  const v16 end = TK(splat)(3.8f), half = TK(splat)(0.5f) * x;
  v16 a = TK(min)(TK(max)(x, -end), end), u = a * a, p = TK(splat)(-4.17315575e-9f);
#pragma clang loop unroll(full)
  for (int i = 0; i < 7; i++) p = TK(fma)(p, u, TK(splat)(factors[i]));
  return TK(fma)(half * a, p, half);
}

TK_INLINE void layer_norm_rows(int groups, const float *x, int64_t x_stride, int64_t count,
                               const float *weight, const float *bias, float epsilon,
                               float *hidden, int64_t hidden_stride, const tk_rotated_rows *out,
                               int64_t row) {
  const int64_t width = groups * TK_ROTATED_GROUP, n = out->chunks * width;
  for (int64_t r = 0; r < count; r++) {
    const float *in = x + r * x_stride;
    float *h = hidden + r * hidden_stride;
    v16 total[2] = {TK(splat)(0), TK(splat)(0)}, squares[2] = {TK(splat)(0), TK(splat)(0)};
    for (int64_t i = 0; i < n; i += 32)
      total[0] += TK(load)(in + i), total[1] += TK(load)(in + i + 16);
    const v16 mean = TK(splat)(TK(sum)(total[0] + total[1]) / (float)n);
    for (int64_t i = 0; i < n; i += 32) {
      v16 a = TK(load)(in + i) - mean, b = TK(load)(in + i + 16) - mean;
      squares[0] = TK(fma)(a, a, squares[0]);
      squares[1] = TK(fma)(b, b, squares[1]);
    }
    const v16 factor =
        TK(splat)(1 / sqrtf(TK(sum)(squares[0] + squares[1]) / (float)n + epsilon));
    for (int64_t c = 0; c < out->chunks; c++) {
      v16 chunk[MOST_GROUPS * VECTORS];
      for (int g = 0; g < groups; g++) {
        v16 group[VECTORS];
#pragma clang loop unroll(full)
        for (int i = 0; i < VECTORS; i++) {
          const int64_t k = c * width + 16 * (g * VECTORS + i);
          group[i] = TK(fma)((TK(load)(in + k) - mean) * factor, TK(load)(weight + k),
                             TK(load)(bias + k));
          TK(store)(h + k, group[i]);
        }
        rotate_group(group);
        memcpy(chunk + g * VECTORS, group, sizeof group);
      }
      write_chunk(groups, chunk, out, c * out->rows + row + r);
    }
  }
}

TK_INLINE void quantize_rows(int groups, const float *x, int64_t x_stride, int64_t count,
                             int64_t first, int64_t last, bool gelu, const tk_rotated_rows *out,
                             int64_t row) {
  const int64_t width = groups * TK_ROTATED_GROUP;
  for (int64_t r = 0; r < count; r++) {
    for (int64_t c = first; c < last; c++) {
      const float *in = x + r * x_stride + c * width;
      v16 chunk[MOST_GROUPS * VECTORS];
      // In a loop of its own: with its factors beside it a whole group doesn't fit the registers.
      if (gelu) {
        for (int i = 0; i < groups * VECTORS; i++) chunk[i] = rough_gelu(TK(load)(in + 16 * i));
        in = (const float *)chunk;
      }
      for (int g = 0; g < groups; g++) {
        v16 group[VECTORS];
        memcpy(group, in + g * TK_ROTATED_GROUP, sizeof group);
        rotate_group(group);
        memcpy(chunk + g * VECTORS, group, sizeof group);
      }
      write_chunk(groups, chunk, out, c * out->rows + row + r);
    }
  }
}

static void TK(rotated_layer_norm)(const float *x, int64_t x_stride, int64_t count,
                                   const float *weight, const float *bias, float epsilon,
                                   float *hidden, int64_t hidden_stride,
                                   const tk_rotated_rows *out, int64_t row) {
  if (out->groups == 3)
    layer_norm_rows(3, x, x_stride, count, weight, bias, epsilon, hidden, hidden_stride, out,
                    row);
  else
    layer_norm_rows(4, x, x_stride, count, weight, bias, epsilon, hidden, hidden_stride, out,
                    row);
}

static void TK(rotated_quantize)(const float *x, int64_t x_stride, int64_t count, int64_t first,
                                 int64_t last, bool gelu, const tk_rotated_rows *out,
                                 int64_t row) {
  if (out->groups == 3) quantize_rows(3, x, x_stride, count, first, last, gelu, out, row);
  else quantize_rows(4, x, x_stride, count, first, last, gelu, out, row);
}
