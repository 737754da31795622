// Attention without a mask, every row of a text to every other, in whole numbers: for sentence encoders.
//
// Scores are products of int8: a query has a scale, and so has each position's key. Softmax weights
// are small in number where they matter and many where they don't, so eight bits are too few for them
// (the least cosine of 100 texts falls from 0.9993 to 0.998); they have twelve, values at least eleven, and
// a multiplication adds up two positions at a time.
//
// A value's scale is its position's too. It can't be taken out of a sum over positions, so it goes into
// the position's weight.
//
// Included once an instruction set, with the functions of its rotated_*.c defined.

#ifndef TK_SCALEF
/// 2^n p, for n from -126 on; nearly 0 below.
TK_INLINE v16 times_power(v16 p, v16 n) {
  const v16 bounded = TK(max)(n, TK(splat)(-126));
  return p * (v16)((round_to_int(bounded) + 127) << 23);
}
#define TK_ROUND(x) __builtin_elementwise_roundeven(x)
#define TK_SCALEF(p, n) times_power(p, n)
#endif

/// A head's keys and values.
typedef struct {
  uint8_t *keys;        // (positions / 16, headDim / 4, 16, 4), plus 128
  int16_t *values;      // (positions / 2, headDim, 2)
  float *key_scales;    // (positions)
  float *value_scales;  // (positions)
} head_memory;

/// scores[r][p] = the scaled key of p by the query of r in whole numbers, and far below all others
/// behind the text; tops[r] has the largest in one of its lanes. // (rows, width)
TK_INLINE void score(int rows, const tk_quant *q, const int32_t *corrections, int64_t d,
                     const head_memory *m, int64_t positions, int64_t width, float *scores,
                     v16 *tops);
/// out[r] = factors[r] times the sum of the weights of r by the values. // (rows, headDim)
TK_INLINE void blend(int rows, const int16_t *weights, int64_t width, const head_memory *m,
                     int64_t d, const float *factors, float *out, int64_t stride);

/// The first `count` numbers of x, `other` behind.
TK_INLINE v16 first_of(v16 x, int64_t count, float other) {
  const i16 place = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return tk_choose(x, TK(splat)(other), place < (i16)((int32_t)count));
}

/// The largest value in whole numbers whose weighted sum over all positions is below 2^31.
static float most_value(int64_t width) {
  int64_t most = INT32_MAX / (MOST_WEIGHT * width);
  return (float)(most < INT16_MAX ? most : INT16_MAX);
}

static head_memory memory_of(const tk_full_attention *a, int64_t head) {
  const int64_t d = a->head_dim, width = tk_padded_positions(a->positions);
  uint8_t *start = (uint8_t *)a->memory + head * tk_head_bytes(d, width);
  float *scales = (float *)(start + 3 * d * width);
  return (head_memory){start, (int16_t *)(start + d * width), scales, scales + width};
}

TK_INLINE float largest_of(const float *x, int64_t d) {
  v16 largest = TK(splat)(0);
  for (int64_t i = 0; i < d; i += 16) largest = TK(max)(largest, TK(abs)(TK(load)(x + i)));
  return TK(max_of)(largest);
}

TK_INLINE float inverse_of(float largest, float most) {
  return largest > 1e-30f ? most / largest : 0;
}

static void store_key(const float *key, int64_t d, uint8_t *out, float *scale) {
  const float largest = largest_of(key, d);
  const v16 inverse = TK(splat)(inverse_of(largest, 127));
  *scale = largest / 127;
  for (int64_t i = 0; i < d; i += 16) {
    uint32_t quants[4];
    const b16 q = bytes_of(round_to_int(TK(load)(key + i) * inverse)) ^ (int8_t)-128;
    memcpy(quants, &q, sizeof q);
    for (int k = 0; k < 4; k++) memcpy(out + (i / 4 + k) * 64, quants + k, 4);
  }
}

/// Values of two positions, of which the second may be missing.
static void store_values(const float *first, const float *second, int64_t d, float most,
                         int16_t *out, float *scales) {
  const float largest[2] = {largest_of(first, d), second ? largest_of(second, d) : 0};
  const v16 a = TK(splat)(inverse_of(largest[0], most));
  const v16 b = TK(splat)(inverse_of(largest[1], most));
  for (int i = 0; i < 2; i++) scales[i] = largest[i] / most;
  for (int64_t j = 0; j < d; j += 16) {
    const i16 even = round_to_int(TK(load)(first + j) * a);
    const i16 odd = second ? round_to_int(TK(load)(second + j) * b) : (i16)(0);
    const i16 both = (even & 0xffff) | odd << 16;
    memcpy(out + 2 * j, &both, sizeof both);
  }
}

static void TK(full_attention_store)(const tk_full_attention *a, int64_t first_head,
                                     int64_t last_head, int64_t first, int64_t last,
                                     const float *keys, const float *values, int64_t stride) {
  const int64_t d = a->head_dim, width = tk_padded_positions(a->positions);
  const float most = most_value(width);
  for (int64_t h = first_head; h < last_head; h++) {
    const head_memory m = memory_of(a, h);
    for (int64_t p = first; p < last; p++)
      store_key(keys + p * stride + h * d, d, m.keys + p / 16 * 16 * d + p % 16 * 4,
                m.key_scales + p);
    for (int64_t p = first; p < last; p += 2) {
      const float *value = values + p * stride + h * d;
      store_values(value, p + 1 < last ? value + stride : NULL, d, most, m.values + p * d,
                   m.value_scales + p);
    }
    if (last == a->positions) {
      // What lies behind the text weighs nothing, whatever the memory held.
      for (int64_t p = last; p < width; p++) m.key_scales[p] = m.value_scales[p] = 0;
    }
  }
}

/// Queries in whole numbers; returns what a score of theirs is to be multiplied with.
TK_INLINE float round_query(const float *query, int64_t d, float scale, tk_quant *out,
                            int32_t *correction) {
  const float largest = largest_of(query, d);
  const v16 inverse = TK(splat)(inverse_of(largest, 127));
  i16 sum = (i16)(0);
  for (int64_t i = 0; i < d; i += 16) {
    const i16 q = round_to_int(TK(load)(query + i) * inverse);
    store_query(q, out + i);
    sum += q;
  }
  *correction = -128 * __builtin_reduce_add(sum);
  return largest / 127 * scale;
}

/// 2^x, relative error below 5e-5; 0 far below 0.
TK_INLINE v16 power_of_two(v16 x) {
  v16 n = TK_ROUND(x), r = x - n;
  v16 p = TK(splat)(0x1.3b2ab6p-7f);
  p = TK(fma)(p, r, TK(splat)(0x1.c6b08ep-5f));
  p = TK(fma)(p, r, TK(splat)(0x1.ebfbep-3f));
  p = TK(fma)(p, r, TK(splat)(0x1.62e43p-1f));
  p = TK(fma)(p, r, TK(splat)(1));
  return TK_SCALEF(p, n);
}

/// A row's scores, in units of `unit`, become its positions' weights, times 2^`enlarged` and their
/// values' scales and in whole numbers; returns the sum of the weights without those scales.
TK_INLINE float soften(const float *scores, float top, int64_t positions, int64_t width,
                       float unit, const float *value_scales, float enlarged,
                       int16_t *weights) {
  const float to_power = unit * 0x1.715476p0f;
  const v16 factor = TK(splat)(to_power);
  const v16 shift = TK(splat)(enlarged - top * to_power);
  v16 sum = TK(splat)(0);
  for (int64_t j = 0; j < width; j += TK_POSITION_GROUP) {
    v16 low = power_of_two(TK(fma)(TK(load)(scores + j), factor, shift));
    v16 high = power_of_two(TK(fma)(TK(load)(scores + j + 16), factor, shift));
    if (j + TK_POSITION_GROUP > positions) {
      low = first_of(low, positions - j, 0);
      high = first_of(high, positions - j - 16, 0);
    }
    sum += low + high;
    store_words(round_to_int(low * TK(load)(value_scales + j)),
                round_to_int(high * TK(load)(value_scales + j + 16)), weights + j);
  }
  return TK(sum)(sum);
}

TK_INLINE void attend(int rows, const tk_full_attention *a, int64_t head, int64_t first,
                      uint8_t *scratch) {
  const int64_t d = a->head_dim, width = tk_padded_positions(a->positions);
  const head_memory m = memory_of(a, head);
  float *scores = (float *)scratch;
  int16_t *weights = (int16_t *)(scores + TK_ATTENTION_ROWS * width);
  tk_quant *q = (tk_quant *)(weights + TK_ATTENTION_ROWS * width);
  int32_t corrections[TK_ATTENTION_ROWS];
  float factors[TK_ATTENTION_ROWS];
  for (int r = 0; r < rows; r++)
    factors[r] = round_query(a->queries + (first + r) * a->query_stride + head * d, d, a->scale,
                             q + r * d, corrections + r);
  v16 tops[TK_ATTENTION_ROWS];
  score(rows, q, corrections, d, &m, a->positions, width, scores, tops);
  v16 most = TK(splat)(1e-30f);
  for (int64_t j = 0; j < width; j += 16) most = TK(max)(TK(load)(m.value_scales + j), most);
  const float enlarged = log2f(MOST_WEIGHT / TK(max_of)(most));
  for (int r = 0; r < rows; r++) {
    float total = soften(scores + r * width, TK(max_of)(tops[r]), a->positions, width, factors[r],
                         m.value_scales, enlarged, weights + r * width);
    factors[r] = 1 / total;
  }
  blend(rows, weights, width, &m, d, factors,
        a->output + first * a->output_stride + head * d, a->output_stride);
}

#define ROWS_FUNCTION(R)                                                                     \
  static __attribute__((noinline)) void attend_##R(const tk_full_attention *a, int64_t head, \
                                                   int64_t first, uint8_t *scratch) {        \
    attend(R, a, head, first, scratch);                                                      \
  }
ROWS_FUNCTION(1)
ROWS_FUNCTION(2)
ROWS_FUNCTION(3)
ROWS_FUNCTION(4)
ROWS_FUNCTION(5)
ROWS_FUNCTION(6)
ROWS_FUNCTION(7)
ROWS_FUNCTION(8)

static void TK(full_attention_run)(const tk_full_attention *a, int64_t first_head,
                                   int64_t last_head, int64_t first, int64_t last,
                                   void *scratch) {
  typedef void (*function)(const tk_full_attention *, int64_t, int64_t, uint8_t *);
  static const function functions[TK_ATTENTION_ROWS] = {attend_1, attend_2, attend_3, attend_4,
                                           attend_5, attend_6, attend_7, attend_8};
  const int64_t count = last - first, pieces = (count + TK_ATTENTION_ROWS - 1) / TK_ATTENTION_ROWS;
  // A head's rows one after the other: its keys and values stay near.
  for (int64_t h = first_head; h < last_head; h++) {
    for (int64_t i = 0; i < pieces; i++) {
      const int64_t begin = count * i / pieces, end = count * (i + 1) / pieces;
      functions[end - begin - 1](a, h, first + begin, scratch);
    }
  }
}
