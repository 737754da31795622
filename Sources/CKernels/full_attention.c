// Attention without a mask, every row of a text to every other, in whole numbers: for sentence encoders.
//
// Scores are products of int8: a query has a scale, and so has each position's key. Softmax weights
// are small in number where they matter and many where they don't, so eight bits are too few for them
// (the least cosine of 100 texts falls from 0.9993 to 0.998); they have twelve, values at least eleven, and
// vpdpwssd adds up two positions at a time.
//
// A value's scale is its position's too. It can't be taken out of a sum over positions, so it goes into
// the position's weight.
#include "CKernels.h"

#if defined(__x86_64__)
#define TK(name) tk_full_##name

#pragma clang attribute push(                                                          \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c"))), \
    apply_to = function)

#include "avx512_vectors.h"
#include "vector_math_template.h"

enum {
  ROWS = 8,          // of a unit: 16 sums of two vectors each
  POSITIONS = 32,    // positions are padded to
  MOST_WEIGHT = 4095,
};

/// A score that gives no weight.
#define NOWHERE -1e30f

static int64_t padded(int64_t positions) {
  return (positions + POSITIONS - 1) / POSITIONS * POSITIONS;
}

/// The largest value in whole numbers whose weighted sum over all positions is below 2^31.
static float most_value(int64_t width) {
  int64_t most = INT32_MAX / (MOST_WEIGHT * width);
  return (float)(most < INT16_MAX ? most : INT16_MAX);
}

/// A head's keys and values.
typedef struct {
  uint8_t *keys;        // (positions / 16, headDim / 4, 16, 4), plus 128
  int16_t *values;      // (positions / 2, headDim, 2)
  float *key_scales;    // (positions)
  float *value_scales;  // (positions)
} head_memory;

static int64_t head_bytes(int64_t d, int64_t width) { return width * (3 * d + 8); }

static head_memory memory_of(const tk_full_attention *a, int64_t head) {
  const int64_t d = a->head_dim, width = padded(a->positions);
  uint8_t *start = (uint8_t *)a->memory + head * head_bytes(d, width);
  float *scales = (float *)(start + 3 * d * width);
  return (head_memory){start, (int16_t *)(start + d * width), scales, scales + width};
}

int64_t tk_full_attention_bytes(int64_t heads, int64_t head_dim, int64_t positions) {
  return heads * head_bytes(head_dim, padded(positions));
}

int64_t tk_full_attention_scratch_bytes(int64_t head_dim, int64_t positions) {
  // Queries, scores, weights.
  return ROWS * (head_dim + padded(positions) * (4 + 2)) + 64;
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
    __m128i q = _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32((__m512)(TK(load)(key + i) * inverse)));
    _mm_storeu_si128((__m128i *)quants, _mm_xor_si128(q, _mm_set1_epi8((char)0x80)));
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
    __m512i even = _mm512_cvtps_epi32((__m512)(TK(load)(first + j) * a));
    __m512i odd = second ? _mm512_cvtps_epi32((__m512)(TK(load)(second + j) * b))
                         : _mm512_setzero_si512();
    _mm512_storeu_si512(out + 2 * j,
                        _mm512_mask_blend_epi16(0xaaaaaaaa, even, _mm512_slli_epi32(odd, 16)));
  }
}

void tk_full_attention_store(const tk_full_attention *a, int64_t first_head, int64_t last_head,
                             int64_t first, int64_t last, const float *keys, const float *values,
                             int64_t stride) {
  const int64_t d = a->head_dim, width = padded(a->positions);
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
TK_INLINE float round_query(const float *query, int64_t d, float scale, int8_t *out,
                            int32_t *correction) {
  const float largest = largest_of(query, d);
  const v16 inverse = TK(splat)(inverse_of(largest, 127));
  __m512i sum = _mm512_setzero_si512();
  for (int64_t i = 0; i < d; i += 16) {
    __m512i q = _mm512_cvtps_epi32((__m512)(TK(load)(query + i) * inverse));
    _mm_storeu_si128((__m128i *)(out + i), _mm512_cvtsepi32_epi8(q));
    sum = _mm512_add_epi32(sum, q);
  }
  *correction = -128 * _mm512_reduce_add_epi32(sum);
  return largest / 127 * scale;
}

/// The first `count` numbers of x, `other` behind.
TK_INLINE v16 first_of(v16 x, int64_t count, float other) {
  const i16 place = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  return tk_choose(x, TK(splat)(other), place < (i16)((int32_t)count));
}

/// scores[r][p] = the scaled key of p by the query of r in whole numbers, and far below all others
/// behind the text; tops[r] has the largest in one of its lanes. // (rows, width)
TK_INLINE void score(int rows, const int8_t *q, const int32_t *corrections, int64_t d,
                     const head_memory *m, int64_t positions, int64_t width, float *scores,
                     v16 *tops) {
  v16 top[ROWS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) top[r] = TK(splat)(NOWHERE);
  for (int64_t j = 0; j < width; j += POSITIONS) {
    const uint8_t *a = m->keys + j * d, *b = a + 16 * d;
    __m512i dot[2 * ROWS];
#pragma clang loop unroll(full)
    for (int i = 0; i < 2 * rows; i++) dot[i] = _mm512_set1_epi32(corrections[i / 2]);
    for (int64_t k = 0; k < d / 4; k++) {
      const __m512i low = _mm512_loadu_si512(a + 64 * k), high = _mm512_loadu_si512(b + 64 * k);
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const __m512i x = four_bytes(q + r * d + 4 * k);
        dot[2 * r] = _mm512_dpbusd_epi32(dot[2 * r], low, x);
        dot[2 * r + 1] = _mm512_dpbusd_epi32(dot[2 * r + 1], high, x);
      }
    }
    const __m512 scales[2] = {_mm512_loadu_ps(m->key_scales + j),
                              _mm512_loadu_ps(m->key_scales + j + 16)};
    const bool is_whole = j + POSITIONS <= positions;
#pragma clang loop unroll(full)
    for (int i = 0; i < 2 * rows; i++) {
      const int64_t p = j + 16 * (i % 2);
      v16 x = (v16)_mm512_mul_ps(_mm512_cvtepi32_ps(dot[i]), scales[i % 2]);
      if (!is_whole) x = first_of(x, positions - p, NOWHERE);
      top[i / 2] = TK(max)(x, top[i / 2]);
      TK(store)(scores + i / 2 * width + p, x);
    }
  }
  memcpy(tops, top, (size_t)rows * sizeof *top);
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
  for (int64_t j = 0; j < width; j += POSITIONS) {
    v16 low = power_of_two(TK(fma)(TK(load)(scores + j), factor, shift));
    v16 high = power_of_two(TK(fma)(TK(load)(scores + j + 16), factor, shift));
    if (j + POSITIONS > positions) {
      low = first_of(low, positions - j, 0);
      high = first_of(high, positions - j - 16, 0);
    }
    sum += low + high;
    __m512i a = _mm512_cvtps_epi32((__m512)(low * TK(load)(value_scales + j)));
    __m512i b = _mm512_cvtps_epi32((__m512)(high * TK(load)(value_scales + j + 16)));
    const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    _mm512_storeu_si512(weights + j,
                        _mm512_permutexvar_epi64(order, _mm512_packs_epi32(a, b)));
  }
  return TK(sum)(sum);
}

/// Written out, since the compiler would rather have a multiplication and an addition, which is twice
/// the work for two units that are busy all the time.
TK_INLINE __m512i add_products(__m512i sum, __m512i a, __m512i b) {
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}

/// out[r] = factors[r] times the sum of the weights of r by the values. // (rows, headDim)
TK_INLINE void blend(int rows, const int16_t *weights, int64_t width, const head_memory *m,
                     int64_t d, const float *factors, float *out, int64_t stride) {
  for (int64_t i = 0; i < d; i += 32) {
    __m512i dot[2 * ROWS];
#pragma clang loop unroll(full)
    for (int j = 0; j < 2 * rows; j++) dot[j] = _mm512_setzero_si512();
    for (int64_t p = 0; p < width; p += 2) {
      const int16_t *v = m->values + p * d + 2 * i;
      const __m512i low = _mm512_loadu_si512(v), high = _mm512_loadu_si512(v + 32);
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const __m512i x = four_bytes(weights + r * width + p);
        dot[2 * r] = add_products(dot[2 * r], low, x);
        dot[2 * r + 1] = add_products(dot[2 * r + 1], high, x);
      }
    }
#pragma clang loop unroll(full)
    for (int j = 0; j < 2 * rows; j++)
      _mm512_storeu_ps(
          out + j / 2 * stride + i + 16 * (j % 2),
          _mm512_mul_ps(_mm512_cvtepi32_ps(dot[j]), _mm512_set1_ps(factors[j / 2])));
  }
}

TK_INLINE void attend(int rows, const tk_full_attention *a, int64_t head, int64_t first,
                      uint8_t *scratch) {
  const int64_t d = a->head_dim, width = padded(a->positions);
  const head_memory m = memory_of(a, head);
  float *scores = (float *)scratch;
  int16_t *weights = (int16_t *)(scores + ROWS * width);
  int8_t *q = (int8_t *)(weights + ROWS * width);
  int32_t corrections[ROWS];
  float factors[ROWS];
  for (int r = 0; r < rows; r++)
    factors[r] = round_query(a->queries + (first + r) * a->query_stride + head * d, d, a->scale,
                             q + r * d, corrections + r);
  v16 tops[ROWS];
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

void tk_full_attention_run(const tk_full_attention *a, int64_t first_head, int64_t last_head,
                           int64_t first, int64_t last, void *scratch) {
  typedef void (*function)(const tk_full_attention *, int64_t, int64_t, uint8_t *);
  static const function functions[ROWS] = {attend_1, attend_2, attend_3, attend_4,
                                           attend_5, attend_6, attend_7, attend_8};
  const int64_t count = last - first, pieces = (count + ROWS - 1) / ROWS;
  // A head's rows one after the other: its keys and values stay near.
  for (int64_t h = first_head; h < last_head; h++) {
    for (int64_t i = 0; i < pieces; i++) {
      const int64_t begin = count * i / pieces, end = count * (i + 1) / pieces;
      functions[end - begin - 1](a, h, first + begin, scratch);
    }
  }
}

#pragma clang attribute pop
#else
int64_t tk_full_attention_bytes(int64_t heads, int64_t head_dim, int64_t positions) {
  return 0 * heads * head_dim * positions;
}
int64_t tk_full_attention_scratch_bytes(int64_t head_dim, int64_t positions) {
  return 0 * head_dim * positions;
}
void tk_full_attention_store(const tk_full_attention *a, int64_t first_head, int64_t last_head,
                             int64_t first, int64_t last, const float *keys, const float *values,
                             int64_t stride) {
  (void)a, (void)first_head, (void)last_head, (void)first, (void)last, (void)keys, (void)values,
      (void)stride;
}
void tk_full_attention_run(const tk_full_attention *a, int64_t first_head, int64_t last_head,
                           int64_t first, int64_t last, void *scratch) {
  (void)a, (void)first_head, (void)last_head, (void)first, (void)last, (void)scratch;
}
#endif
