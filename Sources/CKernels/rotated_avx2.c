// The kernels of sentence encoders (Rotated.h) on AVX2.
//
// vpmaddubsw would saturate on bytes of both signs, and taking the sign to the other side costs as much as
// going by words: vpmaddwd adds up two products of words in 32 bits, exactly. So activations are words.
// Weights stay bytes in memory. Of a lane's four, a mask leaves the words of inputs 0 and 2, and a shift those of
// 1 and 3: activations lie in that order.
#if defined(__x86_64__)
#include "rotated_sets.h"

#define TK(name) tk_avx2_##name

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "avx2_vectors.h"
#include "vector_math_template.h"

/// A rounded activation; of each four, in the order 0, 2, 1, 3.
typedef int16_t tk_quant;

enum {
  PRODUCT_ROWS = 4,
  STEPS = TK_ROTATED_GROUP / 4,
  HALVES = 2,
};

typedef int32_t i8 __attribute__((ext_vector_type(8)));

TK_INLINE i16 round_to_int(v16 x) {
  i16 whole;
  whole.lo = (i8)_mm256_cvtps_epi32((__m256)x.lo);
  whole.hi = (i8)_mm256_cvtps_epi32((__m256)x.hi);
  return whole;
}

/// 16 numbers in order, as words.
TK_INLINE __m256i words_of(i16 x) {
  // Packing goes by halves of a register.
  return _mm256_permute4x64_epi64(_mm256_packs_epi32((__m256i)x.lo, (__m256i)x.hi), 0xd8);
}

TK_INLINE void store_words(i16 a, i16 b, int16_t *out) {
  _mm256_storeu_si256((__m256i *)out, words_of(a));
  _mm256_storeu_si256((__m256i *)(out + 16), words_of(b));
}

TK_INLINE b16 bytes_of(i16 x) {
  const __m256i words = words_of(x);
  return (b16)_mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

/// 16 bytes as words, in their order; returns them.
TK_INLINE __m256i store_query(i16 x, tk_quant *out) {
  const __m128i order = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
  const __m256i words = _mm256_cvtepi8_epi16(_mm_shuffle_epi8((__m128i)bytes_of(x), order));
  _mm256_storeu_si256((__m256i *)out, words);
  return words;
}

/// Rounds a group; returns the sum.
TK_INLINE int32_t store_quants(const v16 *x, tk_quant *out) {
  i8 sums = (i8)(0);
#pragma clang loop unroll(full)
  for (int i = 0; i < TK_ROTATED_GROUP / 16; i++)
    sums += (i8)_mm256_madd_epi16(store_query(round_to_int(x[i]), out + 16 * i),
                                  _mm256_set1_epi16(1));
  return __builtin_reduce_add(sums);
}

#include "full_attention_template.h"
#include "rotated_product_template.h"
#include "rotated_rows_template.h"

/// Inputs 0 and 2, and 1 and 3, of 8 outputs.
typedef struct {
  __m256i even, odd;
} four_inputs;

TK_INLINE four_inputs split_bytes(const uint8_t *p) {
  const __m256i bytes = _mm256_loadu_si256((const __m256i *)p);
  return (four_inputs){_mm256_and_si256(bytes, _mm256_set1_epi16(255)),
                       _mm256_srli_epi16(bytes, 8)};
}

/// sum[r] += 16 outputs' four inputs at `w` by the numbers at x + r * stride.
TK_INLINE void add_step(int rows, const uint8_t *w, const tk_quant *x, int64_t stride,
                        __m256i (*sum)[HALVES]) {
  const four_inputs a = split_bytes(w), b = split_bytes(w + 32);
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    const __m256i even = four_bytes(x + r * stride), odd = four_bytes(x + r * stride + 2);
    sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(a.even, even));
    sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(b.even, even));
    sum[r][0] = _mm256_add_epi32(sum[r][0], _mm256_madd_epi16(a.odd, odd));
    sum[r][1] = _mm256_add_epi32(sum[r][1], _mm256_madd_epi16(b.odd, odd));
  }
}

/// One of a pair's two tiles.
TK_INLINE void multiply_tile(int rows, int groups, const product *p, int tile) {
  __m256 sum[PRODUCT_ROWS][HALVES];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) sum[r][0] = sum[r][1] = _mm256_setzero_ps();
  const uint8_t *w = p->weights + 64 * tile;
  const uint8_t *next = p->next ? p->next + 64 * tile : NULL;
  const tk_quant *x = p->x;
  for (int g = 0; g < groups; g++) {
    __m256i dot[PRODUCT_ROWS][HALVES];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
      dot[r][0] = dot[r][1] = _mm256_set1_epi32(p->corrections[4 * r + g]);
    for (int k = 0; k < STEPS; k++, w += 128, x += 4) {
      if (next) {
        _mm_prefetch((const char *)next, _MM_HINT_T0);
        next += 128;
      }
      add_step(rows, w, x, groups * TK_ROTATED_GROUP, dot);
    }
    const __m256 scale[HALVES] = {_mm256_loadu_ps((const float *)w),
                                  _mm256_loadu_ps((const float *)w + 8)};
    w += 128;
    if (next) next += 128;
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
      for (int h = 0; h < HALVES; h++)
        sum[r][h] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[r][h]), scale[h], sum[r][h]);
  }
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    for (int h = 0; h < HALVES; h++) {
      const int o = 16 * tile + 8 * h;
      __m256 y = p->bias ? _mm256_loadu_ps(p->bias + o) : _mm256_setzero_ps();
      y = _mm256_fmadd_ps(sum[r][h], _mm256_set1_ps(p->scales[r]), y);
      if (p->addend) y = _mm256_add_ps(y, _mm256_loadu_ps(p->addend + r * p->addend_stride + o));
      _mm256_storeu_ps(p->out + r * p->stride + o, y);
    }
  }
}

/// Of a unit's rows, as many as fit the registers.
TK_INLINE void score_rows(int rows, const tk_quant *q, const int32_t *corrections, int64_t d,
                          const head_memory *m, int64_t positions, int64_t width, float *scores,
                          v16 *tops) {
  for (int64_t j = 0; j < width; j += 16) {
    __m256i dot[PRODUCT_ROWS][HALVES];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) dot[r][0] = dot[r][1] = _mm256_set1_epi32(corrections[r]);
    for (int64_t k = 0; k < d / 4; k++)
      add_step(rows, m->keys + j * d + 64 * k, q + 4 * k, d, dot);
    const v16 scale = TK(load)(m->key_scales + j);
    const bool is_whole = j + 16 <= positions;
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      i16 whole;
      whole.lo = (i8)dot[r][0];
      whole.hi = (i8)dot[r][1];
      v16 x = __builtin_convertvector(whole, v16) * scale;
      if (!is_whole) x = first_of(x, positions - j, NOWHERE);
      tops[r] = TK(max)(x, tops[r]);
      TK(store)(scores + r * width + j, x);
    }
  }
}

#include "rotated_narrow_template.h"

TK_INLINE void blend_rows(int rows, const int16_t *weights, int64_t width, const head_memory *m,
                          int64_t d, const float *factors, float *out, int64_t stride) {
  for (int64_t i = 0; i < d; i += 16) {
    __m256i dot[PRODUCT_ROWS][HALVES];
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) dot[r][0] = dot[r][1] = _mm256_setzero_si256();
    for (int64_t p = 0; p < width; p += 2) {
      const __m256i *v = (const __m256i *)(m->values + p * d + 2 * i);
      const __m256i low = _mm256_loadu_si256(v), high = _mm256_loadu_si256(v + 1);
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const __m256i x = four_bytes(weights + r * width + p);
        dot[r][0] = _mm256_add_epi32(dot[r][0], _mm256_madd_epi16(low, x));
        dot[r][1] = _mm256_add_epi32(dot[r][1], _mm256_madd_epi16(high, x));
      }
    }
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++)
      for (int h = 0; h < HALVES; h++)
        _mm256_storeu_ps(out + r * stride + i + 8 * h,
                         _mm256_mul_ps(_mm256_cvtepi32_ps(dot[r][h]), _mm256_set1_ps(factors[r])));
  }
}

TK_INLINE void blend(int rows, const int16_t *weights, int64_t width, const head_memory *m,
                     int64_t d, const float *factors, float *out, int64_t stride) {
  const int most = PRODUCT_ROWS, first = rows < most ? rows : most;
  blend_rows(first, weights, width, m, d, factors, out, stride);
  if (rows > first)
    blend_rows(rows - first, weights + first * width, width, m, d, factors + first,
               out + first * stride, stride);
}

#pragma clang attribute pop

#include "rotated_table_template.h"

const tk_rotated_kernels *tk_rotated_avx2(void) { return &tk_avx2_rotated_table; }
#endif
