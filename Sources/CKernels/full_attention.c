// Attention without a mask, every row of a text to every other, in bfloat16: for sentence encoders.
//
// A text's keys and values are read once a few rows and then are done with, so they lie as
// vdpbf16ps wants them: pairs of numbers in one 32-bit lane, of two neighbouring dimensions in a key, of
// two neighbouring positions in a value. One instruction is 32 products, twice those of a float's, and nothing
// has to be converted on the way. bfloat16 keeps 8 bits of a number; the int8 activations around it
// keep 7.
#include "CKernels.h"

#if defined(__x86_64__)
#define TK(name) tk_avx512bf16_##name

#pragma clang attribute push(                                                                 \
    __attribute__((target(                                                                    \
        "avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx512bf16,avx2,fma,f16c"))),          \
    apply_to = function)

#include "avx512_vectors.h"
#include "vector_math_template.h"

/// Rows of a unit. Each row's arithmetic is the same in every tile.
enum { TK_FULL_ROWS = 12 };

static int64_t padded(int64_t positions) { return (positions + 15) / 16 * 16; }

bool tk_full_attention_available(void) {
  return tk_kernels_for(TK_AVX512) && __builtin_cpu_supports("avx512bf16");
}

int64_t tk_full_attention_bytes(int64_t heads, int64_t head_dim, int64_t positions) {
  return heads * padded(positions) * head_dim * 4;
}

int64_t tk_full_attention_scratch_bytes(int64_t head_dim, int64_t positions) {
  // Queries in pairs, scores, weights in pairs, and the result.
  return TK_FULL_ROWS * (head_dim * 2 + padded(positions) * (4 + 2) + head_dim * 4) + 64;
}

TK_INLINE __m512i pairs_of(v16 low, v16 high) {
  return (__m512i)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low);
}

/// Keys of up to 16 positions. `out` is where the first one's first pair lies; pairs follow `stride`
/// numbers apart.
static void store_keys(const float *keys, int64_t key_stride, int64_t count, int64_t d,
                       uint32_t *out, int64_t stride) {
  for (int64_t i = 0; i < d; i += 32) {
    u16x32 row[16] = {0};
    for (int64_t p = 0; p < count; p++) {
      const float *key = keys + p * key_stride + i;
      row[p] = (u16x32)pairs_of(TK(load)(key), TK(load)(key + 16));
    }
    // So that a cache line is written once and not once a position.
    TK_TURN(u16x32, row);
    for (int k = 0; k < 16; k++) memcpy(out + (i / 2 + k) * stride, &row[k], 64);
  }
}

/// Values of two positions, of which the second may be missing.
static void store_values(const float *first, const float *second, int64_t d, uint32_t *out) {
  for (int64_t j = 0; j < d; j += 16) {
    v16 none = TK(splat)(0);
    __m512i both = pairs_of(TK(load)(first + j), second ? TK(load)(second + j) : none);
    // 16 of the first, then 16 of the second: now side by side.
    const __m512i order = (__m512i)(u16x32){
        0x00100000, 0x00110001, 0x00120002, 0x00130003, 0x00140004, 0x00150005,
        0x00160006, 0x00170007, 0x00180008, 0x00190009, 0x001a000a, 0x001b000b,
        0x001c000c, 0x001d000d, 0x001e000e, 0x001f000f};
    _mm512_storeu_si512(out + j, _mm512_permutexvar_epi16(order, both));
  }
}

void tk_full_attention_store(int64_t heads, int64_t d, int64_t positions, const float *keys,
                             const float *values, int64_t stride, int64_t first, int64_t last,
                             void *memory) {
  const int64_t width = padded(positions);
  for (int64_t h = 0; h < heads; h++) {
    uint32_t *k = (uint32_t *)memory + h * width * d, *v = k + width * d / 2;
    for (int64_t p = first; p < last; p += 16) {
      int64_t count = last - p < 16 ? last - p : 16;
      const float *source = values + p * stride + h * d;
      store_keys(keys + p * stride + h * d, stride, count, d, k + p, width);
      for (int64_t i = 0; i < count; i += 2)
        store_values(source + i * stride, i + 1 < count ? source + (i + 1) * stride : 0, d,
                     v + (p + i) / 2 * d);
    }
  }
}

/// c (rows, 16 * vectors) = a (rows, n) b (n, ...), where each number of a and b is a pair.
TK_INLINE void tile(int rows, int vectors, const uint32_t *a, int64_t a_stride, int64_t n,
                    const uint32_t *b, int64_t b_stride, float *c, int64_t c_stride) {
  __m512 sum[6 * 4];
#pragma clang loop unroll(full)
  for (int i = 0; i < rows * vectors; i++) sum[i] = _mm512_setzero_ps();
  for (int64_t k = 0; k < n; k++) {
    __m512bh column[4];
#pragma clang loop unroll(full)
    for (int v = 0; v < vectors; v++)
      column[v] = (__m512bh)_mm512_loadu_si512(b + k * b_stride + 16 * v);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      __m512bh x = (__m512bh)_mm512_set1_epi32((int)a[r * a_stride + k]);
#pragma clang loop unroll(full)
      for (int v = 0; v < vectors; v++)
        sum[r * vectors + v] = _mm512_dpbf16_ps(sum[r * vectors + v], x, column[v]);
    }
  }
#pragma clang loop unroll(full)
  for (int i = 0; i < rows * vectors; i++)
    _mm512_storeu_ps(c + i / vectors * c_stride + 16 * (i % vectors), sum[i]);
}

/// Scores of four or six rows.
TK_INLINE void score(int rows, const uint32_t *q, int64_t d, const uint32_t *keys, int64_t width,
                     float *scores) {
  int64_t j = 0;
  for (; j + 64 <= width; j += 64)
    tile(rows, 4, q, d / 2, d / 2, keys + j, width, scores + j, width);
  for (; j < width; j += 16) tile(rows, 1, q, d / 2, d / 2, keys + j, width, scores + j, width);
}

static __attribute__((noinline)) void score_6(const uint32_t *q, int64_t d, const uint32_t *keys,
                                              int64_t width, float *scores) {
  score(6, q, d, keys, width, scores);
}
static __attribute__((noinline)) void score_4(const uint32_t *q, int64_t d, const uint32_t *keys,
                                              int64_t width, float *scores) {
  score(4, q, d, keys, width, scores);
}
static __attribute__((noinline)) void blend_12(const uint32_t *weights, int64_t width, int64_t n,
                                               const uint32_t *values, int64_t d, float *out) {
  for (int64_t j = 0; j < d; j += 32)
    tile(12, 2, weights, width / 2, n, values + j, d, out + j, d);
}
static __attribute__((noinline)) void blend_4(const uint32_t *weights, int64_t width, int64_t n,
                                              const uint32_t *values, int64_t d, float *out) {
  for (int64_t j = 0; j < d; j += 32)
    tile(4, 2, weights, width / 2, n, values + j, d, out + j, d);
}

/// A row's scores become weights in pairs; returns what they are to be divided by.
TK_INLINE float soften(float *scores, int64_t positions, int64_t width, uint32_t *weights) {
  for (int64_t i = positions; i < width; i++) scores[i] = -INFINITY;
  v16 top = TK(load)(scores);
  for (int64_t j = 16; j < width; j += 16) top = TK(max)(top, TK(load)(scores + j));
  const v16 shift = TK(splat)(TK(max_of)(top));
  v16 sum = TK(splat)(0);
  for (int64_t j = 0; j < width; j += 32) {
    v16 low = TK(exp)(TK(load)(scores + j) - shift), high = TK(splat)(0);
    if (j + 16 < width) high = TK(exp)(TK(load)(scores + j + 16) - shift);
    sum += low + high;
    __m512i pairs = pairs_of(low, high);
    if (j + 16 < width) _mm512_storeu_si512(weights + j / 2, pairs);
    else _mm256_storeu_si256((__m256i *)(weights + j / 2), _mm512_castsi512_si256(pairs));
  }
  return TK(sum)(sum);
}

static void attend(const tk_full_attention *a, int64_t head, int64_t first, uint32_t *scratch) {
  const int64_t d = a->head_dim, n = a->positions, width = padded(n);
  const int64_t count = n - first < TK_FULL_ROWS ? n - first : TK_FULL_ROWS;
  // Fewer rows are computed by fours, the last ones of which may be nobody's.
  const int64_t computed = count == TK_FULL_ROWS ? count : (count + 3) / 4 * 4;
  const uint32_t *keys = (const uint32_t *)a->memory + head * width * d;
  const uint32_t *values = keys + width * d / 2;
  uint32_t *q = scratch, *weights = q + TK_FULL_ROWS * d / 2;
  float *scores = (float *)(weights + TK_FULL_ROWS * width / 2);
  float *out = scores + TK_FULL_ROWS * width;
  float total[TK_FULL_ROWS];
  for (int64_t r = 0; r < computed; r++) {
    int64_t row = a->first_row + first + (r < count ? r : 0);
    const float *source = a->queries + row * a->query_stride + head * d;
    for (int64_t k = 0; k < d; k += 32) {
      v16 low = TK(load)(source + k) * TK(splat)(a->scale);
      v16 high = TK(load)(source + k + 16) * TK(splat)(a->scale);
      _mm512_storeu_si512(q + (r * d + k) / 2, pairs_of(low, high));
    }
  }
  if (computed == TK_FULL_ROWS) {
    score_6(q, d, keys, width, scores);
    score_6(q + 6 * d / 2, d, keys, width, scores + 6 * width);
  } else {
    for (int64_t r = 0; r < computed; r += 4)
      score_4(q + r * d / 2, d, keys, width, scores + r * width);
  }
  for (int64_t r = 0; r < computed; r++)
    total[r] = soften(scores + r * width, n, width, weights + r * width / 2);
  if (computed == TK_FULL_ROWS) {
    blend_12(weights, width, (n + 1) / 2, values, d, out);
  } else {
    for (int64_t r = 0; r < computed; r += 4)
      blend_4(weights + r * width / 2, width, (n + 1) / 2, values, d, out + r * d);
  }
  for (int64_t r = 0; r < count; r++) {
    const v16 factor = TK(splat)(1 / total[r]);
    for (int64_t b = 0; b < d / 32; b++) {
      const float *o = out + r * d + 32 * b;
      TK(quantize_block)
      (TK(load)(o) * factor, TK(load)(o + 16) * factor,
       TK(block_at)(a->quantized, a->first_row + first + r, a->quantized_blocks,
                    head * d / 32 + b));
    }
  }
}

void tk_full_attention_run(const tk_full_attention *a, int64_t worker, int64_t workers,
                           void *scratch) {
  const int64_t chunks = (a->positions + TK_FULL_ROWS - 1) / TK_FULL_ROWS;
  // A head's chunks one after the other: its keys and values stay near.
  const int64_t units = chunks * a->heads;
  for (int64_t u = units * worker / workers; u < units * (worker + 1) / workers; u++)
    attend(a, u / chunks, u % chunks * TK_FULL_ROWS, scratch);
}

#pragma clang attribute pop
#else
bool tk_full_attention_available(void) { return false; }
int64_t tk_full_attention_bytes(int64_t heads, int64_t head_dim, int64_t positions) {
  return 0 * heads * head_dim * positions;
}
int64_t tk_full_attention_scratch_bytes(int64_t head_dim, int64_t positions) {
  return 0 * head_dim * positions;
}
void tk_full_attention_store(int64_t heads, int64_t d, int64_t positions, const float *keys,
                             const float *values, int64_t stride, int64_t first, int64_t last,
                             void *memory) {
  (void)heads, (void)d, (void)positions, (void)keys, (void)values, (void)stride, (void)first,
      (void)last, (void)memory;
}
void tk_full_attention_run(const tk_full_attention *a, int64_t worker, int64_t workers,
                           void *scratch) {
  (void)a, (void)worker, (void)workers, (void)scratch;
}
#endif
