// The kernels of sentence encoders (Rotated.h) on AVX-512 with VNNI.
#if defined(__x86_64__)
#include "rotated_sets.h"
#include "tables.h"

#define TK(name) tk_avx512_##name

#pragma clang attribute push(                                                          \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c"))), \
    apply_to = function)

#include "avx512_vectors.h"
#include "vector_math_template.h"

/// A rounded activation.
typedef int8_t tk_quant;

enum {
  /// Rows of a register tile: with two vectors of outputs 16 sums, which is enough to hide an instruction's
  /// latency, and as many sums of what earlier groups gave stay in registers too.
  PRODUCT_ROWS = 8,
  STEPS = TK_ROTATED_GROUP / 4,
};

TK_INLINE i16 round_to_int(v16 x) { return (i16)_mm512_cvtps_epi32((__m512)x); }
TK_INLINE b16 bytes_of(i16 x) { return (b16)_mm512_cvtsepi32_epi8((__m512i)x); }
TK_INLINE void store_query(i16 x, tk_quant *out) {
  const b16 bytes = bytes_of(x);
  memcpy(out, &bytes, sizeof bytes);
}

/// 32 numbers in order as words.
TK_INLINE void store_words(i16 a, i16 b, int16_t *out) {
  const __m512i order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
  _mm512_storeu_si512(
      out, _mm512_permutexvar_epi64(order, _mm512_packs_epi32((__m512i)a, (__m512i)b)));
}

/// Rounds a group; returns the sum.
TK_INLINE int32_t store_quants(const v16 *x, tk_quant *out) {
  // Packing goes by quarters of a register; the permutation puts them in order.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m512i sums = _mm512_setzero_si512();
  for (int half = 0; half < 2; half++) {
    __m512i whole[4];
    for (int i = 0; i < 4; i++) whole[i] = _mm512_cvtps_epi32((__m512)x[4 * half + i]);
    __m512i bytes = _mm512_permutexvar_epi32(
        order, _mm512_packs_epi16(_mm512_packs_epi32(whole[0], whole[1]),
                                  _mm512_packs_epi32(whole[2], whole[3])));
    _mm512_storeu_si512(out + 64 * half, bytes);
    sums = _mm512_dpbusd_epi32(sums, _mm512_set1_epi8(1), bytes);
  }
  return _mm512_reduce_add_epi32(sums);
}

#include "full_attention_template.h"
#include "rotated_product_template.h"
#include "rotated_rows_template.h"

TK_INLINE void multiply_rows(int rows, int groups, const product *p) {
  __m512 sum[2 * PRODUCT_ROWS];
#pragma clang loop unroll(full)
  for (int i = 0; i < 2 * rows; i++) sum[i] = _mm512_setzero_ps();
  const uint8_t *w = p->weights, *next = p->next;
  const int8_t *x = p->x;
  for (int g = 0; g < groups; g++) {
    __m512i dot[2 * PRODUCT_ROWS];
#pragma clang loop unroll(full)
    for (int i = 0; i < 2 * rows; i++)
      dot[i] = _mm512_set1_epi32(p->corrections[i / 2 * 4 + g]);
    // Unrolled further it no longer fits the registers.
#pragma clang loop unroll(disable)
    for (int k = 0; k < STEPS; k++, w += 128, x += 4) {
      if (next) {
        _mm_prefetch((const char *)next, _MM_HINT_T0);
        _mm_prefetch((const char *)next + 64, _MM_HINT_T0);
        next += 128;
      }
      const __m512i a = _mm512_loadu_si512(w), b = _mm512_loadu_si512(w + 64);
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const __m512i quants = four_bytes(x + r * groups * TK_ROTATED_GROUP);
        dot[2 * r] = _mm512_dpbusd_epi32(dot[2 * r], a, quants);
        dot[2 * r + 1] = _mm512_dpbusd_epi32(dot[2 * r + 1], b, quants);
      }
    }
    const __m512 scale[2] = {_mm512_loadu_ps(w), _mm512_loadu_ps(w + 64)};
    w += 128;
    if (next) next += 128;
#pragma clang loop unroll(full)
    for (int i = 0; i < 2 * rows; i++)
      sum[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[i]), scale[i % 2], sum[i]);
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < 2 * rows; i++) {
    const int r = i / 2, o = i % 2 * 16;
    __m512 y = p->bias ? _mm512_loadu_ps(p->bias + o) : _mm512_setzero_ps();
    y = _mm512_fmadd_ps(sum[i], _mm512_set1_ps(p->scales[r]), y);
    if (p->addend) y = _mm512_add_ps(y, _mm512_loadu_ps(p->addend + r * p->addend_stride + o));
    _mm512_storeu_ps(p->out + r * p->stride + o, y);
  }
}

#define ROWS_CASE(R, GROUPS)          \
  case R:                             \
    multiply_rows(R, GROUPS, p);      \
    break;

#define GROUPS_FUNCTION(NAME, GROUPS)                                        \
  static __attribute__((noinline)) void NAME(int64_t rows, const product *p) { \
    switch (rows) {                                                          \
      ROWS_CASE(1, GROUPS)                                                   \
      ROWS_CASE(2, GROUPS)                                                   \
      ROWS_CASE(3, GROUPS)                                                   \
      ROWS_CASE(4, GROUPS)                                                   \
      ROWS_CASE(5, GROUPS)                                                   \
      ROWS_CASE(6, GROUPS)                                                   \
      ROWS_CASE(7, GROUPS)                                                   \
      ROWS_CASE(8, GROUPS)                                                   \
    }                                                                        \
  }

GROUPS_FUNCTION(multiply_3, 3)
GROUPS_FUNCTION(multiply_4, 4)

TK_INLINE void score(int rows, const tk_quant *q, const int32_t *corrections, int64_t d,
                     const head_memory *m, int64_t positions, int64_t width, float *scores,
                     v16 *tops) {
  v16 top[TK_ATTENTION_ROWS];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) top[r] = TK(splat)(NOWHERE);
  for (int64_t j = 0; j < width; j += TK_POSITION_GROUP) {
    const uint8_t *a = m->keys + j * d, *b = a + 16 * d;
    __m512i dot[2 * TK_ATTENTION_ROWS];
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
    const bool is_whole = j + TK_POSITION_GROUP <= positions;
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

/// Written out, since the compiler would rather have a multiplication and an addition, which is twice
/// the work for two units that are busy all the time.
TK_INLINE __m512i add_products(__m512i sum, __m512i a, __m512i b) {
  __asm__("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
  return sum;
}

TK_INLINE void blend(int rows, const int16_t *weights, int64_t width, const head_memory *m,
                     int64_t d, const float *factors, float *out, int64_t stride) {
  for (int64_t i = 0; i < d; i += 32) {
    __m512i dot[2 * TK_ATTENTION_ROWS];
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

#pragma clang attribute pop

const tk_rotated_kernels *tk_rotated_avx512(void) {
  static const tk_rotated_kernels table = TK_ROTATED_KERNELS(tk_avx512_rotated_multiply);
  return &table;
}

#if !defined(TK_EMULATED)
const tk_rotated_kernels *tk_rotated_amx(void) {
  static const tk_rotated_kernels table = TK_ROTATED_KERNELS(tk_amx_rotated_multiply);
  return &table;
}
#endif
#endif
