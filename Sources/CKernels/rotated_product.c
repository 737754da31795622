// The product of rotated int8 numbers (Rotated.h) on AVX-512 with VNNI.
#include "CKernels.h"

#if defined(__x86_64__)
#pragma clang attribute push(                                                          \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,fma,f16c"))), \
    apply_to = function)

#include "avx512_vectors.h"

enum {
  /// Rows of a register tile: with two vectors of outputs 16 sums, which is enough to hide an instruction's
  /// latency, and as many sums of what earlier groups gave stay in registers too.
  ROWS = 8,
  STEPS = TK_ROTATED_GROUP / 4,
};

bool tk_rotated_available(void) { return tk_kernels_for(TK_AVX512) != NULL; }

/// Some rows by one pair of tiles, of one chunk.
typedef struct {
  const uint8_t *weights;
  const uint8_t *next;  // the weights that come next, where they are to be fetched ahead; or NULL
  const int8_t *x;
  const float *scales;
  const int32_t *corrections;
  float *out;
  int64_t stride;
  const float *bias;
  const float *addend;
  int64_t addend_stride;
} product;

TK_INLINE void multiply_rows(int rows, int groups, const product *p) {
  __m512 sum[2 * ROWS];
#pragma clang loop unroll(full)
  for (int i = 0; i < 2 * rows; i++) sum[i] = _mm512_setzero_ps();
  const uint8_t *w = p->weights, *next = p->next;
  const int8_t *x = p->x;
  for (int g = 0; g < groups; g++) {
    __m512i dot[2 * ROWS];
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

void tk_rotated_multiply(const tk_rotated_matrix *m, int64_t first, int64_t last,
                         const tk_rotated_rows *x, int64_t row, int64_t count, float *out,
                         int64_t stride, const float *bias, const float *addend,
                         int64_t addend_stride) {
  const int64_t pairs = m->outputs / TK_ROTATED_PAIR, width = TK_ROTATED_GROUP * m->groups;
  const int64_t pair_bytes = m->groups * TK_ROTATED_GROUP_BYTES;
  const int64_t pieces = (count + ROWS - 1) / ROWS;
  for (int64_t c = 0; c < m->chunks; c++) {
    for (int64_t t = first; t < last; t++) {
      const int64_t o = t * TK_ROTATED_PAIR;
      product p = {.weights = m->tiles + (c * pairs + t) * pair_bytes, .stride = stride};
      for (int64_t i = 0; i < pieces; i++) {
        // Pieces of nearly equal size: a last one of one row would take as long as one of five.
        const int64_t begin = count * i / pieces, end = count * (i + 1) / pieces;
        const int64_t place = c * x->rows + row + begin;
        p.next = i == 0 ? p.weights + pair_bytes : NULL;
        p.x = x->quants + place * width;
        p.scales = x->scales + place;
        p.corrections = x->corrections + place * 4;
        p.out = out + begin * stride + o;
        if (c == 0) {
          p.bias = bias ? bias + o : NULL;
          p.addend = addend ? addend + begin * addend_stride + o : NULL;
          p.addend_stride = addend_stride;
        } else {
          p.bias = NULL;
          p.addend = p.out;
          p.addend_stride = stride;
        }
        (m->groups == 3 ? multiply_3 : multiply_4)(end - begin, &p);
      }
    }
  }
}

#pragma clang attribute pop
#else
bool tk_rotated_available(void) { return false; }
void tk_rotated_multiply(const tk_rotated_matrix *m, int64_t first, int64_t last,
                         const tk_rotated_rows *x, int64_t row, int64_t count, float *out,
                         int64_t stride, const float *bias, const float *addend,
                         int64_t addend_stride) {
  (void)m, (void)first, (void)last, (void)x, (void)row, (void)count, (void)out, (void)stride,
      (void)bias, (void)addend, (void)addend_stride;
}
#endif
