// The quantised product on AVX-512 with VNNI. A register tile is up to 12 rows of activations by
// one tile of 16 outputs: the block's weights are unpacked to 8 registers once and met by each
// row, whose four int8 at a time are broadcast from memory. One vpdpbusd is 64 products.
#if defined(__x86_64__)
#include "matmul_tiles.h"

#pragma clang attribute push(                                                               \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
    apply_to = function)

#include "avx512_vectors.h"

/// A block's weights as vpdpbusd wants them: left-aligned quants, 4 inputs of 16 outputs each.
TK_INLINE void unpack(const uint8_t *block, int bits, __m512i *w) {
  if (bits == 8) {
    for (int v = 0; v < 8; v++) w[v] = _mm512_loadu_si512(block + 64 * v);
    return;
  }
  const __m512i high = _mm512_set1_epi8((char)0xf0);
  for (int n = 0; n < 4; n++) {
    __m512i pair = _mm512_loadu_si512(block + 64 * n);
    w[n] = _mm512_slli_epi16(pair, 4);
    w[n + 4] = pair;
    if (bits == 4) {
      w[n] = _mm512_and_si512(w[n], high);
      w[n + 4] = _mm512_and_si512(w[n + 4], high);
    }
  }
  // (a & 0xf0) | (b & ~0xf0), then the bits below the plane's are cleared.
  enum { SELECT = 0xca };
  if (bits == 5) {
    __m512i plane = _mm512_loadu_si512(block + 256);
    const __m512i kept = _mm512_set1_epi8((char)0xf8);
    for (int v = 0; v < 8; v++) {
      __m512i low = v < 3   ? _mm512_slli_epi16(plane, (unsigned)(3 - v))
                    : v > 3 ? _mm512_srli_epi16(plane, (unsigned)(v - 3))
                            : plane;
      w[v] = _mm512_and_si512(_mm512_ternarylogic_epi32(high, w[v], low, SELECT), kept);
    }
  }
  if (bits == 6) {
    const __m512i kept = _mm512_set1_epi8((char)0xfc);
    for (int v = 0; v < 8; v++) {
      __m512i plane = _mm512_loadu_si512(block + 256 + 64 * (v / 4));
      int n = v % 4;
      __m512i low = n < 1   ? _mm512_slli_epi16(plane, 2)
                    : n > 1 ? _mm512_srli_epi16(plane, (unsigned)(2 * n - 2))
                            : plane;
      w[v] = _mm512_and_si512(_mm512_ternarylogic_epi32(high, w[v], low, SELECT), kept);
    }
  }
}

TK_INLINE __m512 half_vector(const uint8_t *p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}

/// `rows` rows by one tile. Each row's arithmetic is the same for every `rows`.
TK_INLINE void tile_rows(int rows, int bits, bool has_offset, int group, const tk_tile_job *job) {
  const int groups = 32 / group, per_group = group / 4;
  const int64_t block_bytes = 64 * bits + 32 * groups * (1 + has_offset);
  __m512 sum[TK_ROW_GROUP];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) sum[r] = _mm512_setzero_ps();
  const uint8_t *block = job->tile;
  const tk_activation_block *x = job->x;
  for (int64_t b = 0; b < job->blocks; b++, block += block_bytes, x += TK_ROW_GROUP) {
    if (rows <= 4) {
      for (int64_t i = 0; i < block_bytes; i += 64)
        _mm_prefetch((const char *)block + TK_PREFETCH_BYTES + i, _MM_HINT_T0);
    }
    __m512i w[8];
    unpack(block, bits, w);
#pragma clang loop unroll(full)
    for (int g = 0; g < groups; g++) {
      const uint8_t *scales = block + 64 * bits + 32 * g;
      __m512 scale = half_vector(scales);
      __m512 offset = has_offset ? half_vector(scales + 32 * groups) : _mm512_setzero_ps();
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const tk_activation_block *a = x + r;
        __m512i dot = has_offset ? _mm512_setzero_si512()
                                 : _mm512_set1_epi32(groups == 1 ? a->correction
                                                                 : a->correction16[g]);
        if (rows <= 2) {
          // Two chains: with one row there is little else to fill the latency with.
          __m512i odd = _mm512_setzero_si512();
#pragma clang loop unroll(full)
          for (int v = g * per_group; v < (g + 1) * per_group; v += 2) {
            dot = _mm512_dpbusd_epi32(dot, w[v], four_bytes(a->q + 4 * v));
            odd = _mm512_dpbusd_epi32(odd, w[v + 1],
                                      four_bytes(a->q + 4 * v + 4));
          }
          dot = _mm512_add_epi32(dot, odd);
        } else {
#pragma clang loop unroll(full)
          for (int v = g * per_group; v < (g + 1) * per_group; v++)
            dot = _mm512_dpbusd_epi32(dot, w[v], four_bytes(a->q + 4 * v));
        }
        __m512 both = _mm512_mul_ps(scale, _mm512_set1_ps(a->scale));
        sum[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), both, sum[r]);
        if (has_offset)
          sum[r] = _mm512_fmadd_ps(
              offset, _mm512_set1_ps(groups == 1 ? a->scaled_sum : a->scaled_sum16[g]), sum[r]);
      }
    }
  }
  const __m512 factor = _mm512_set1_ps(job->factor);
  const __mmask16 mask = (__mmask16)((1u << job->columns) - 1);
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) {
    float *o = job->out + r * job->stride;
    __m512 y = _mm512_mul_ps(sum[r], factor);
    if (job->bias) y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(mask, job->bias));
    if (job->accumulate) y = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, o), y);
    _mm512_mask_storeu_ps(o, mask, y);
  }
}

#define ROWS_CASE(R, BITS, OFFSET, GROUP)             \
  case R:                                             \
    tile_rows(R, BITS, OFFSET, GROUP, job);           \
    break;

#define FORMAT(NAME, BITS, OFFSET, GROUP)                                          \
  static __attribute__((noinline)) void NAME(int64_t rows, const tk_tile_job *job) { \
    switch (rows) {                                                                \
      ROWS_CASE(1, BITS, OFFSET, GROUP)                                            \
      ROWS_CASE(2, BITS, OFFSET, GROUP)                                            \
      ROWS_CASE(3, BITS, OFFSET, GROUP)                                            \
      ROWS_CASE(4, BITS, OFFSET, GROUP)                                            \
      ROWS_CASE(5, BITS, OFFSET, GROUP)                                            \
      ROWS_CASE(6, BITS, OFFSET, GROUP)                                            \
      ROWS_CASE(7, BITS, OFFSET, GROUP)                                            \
      ROWS_CASE(8, BITS, OFFSET, GROUP)                                            \
      ROWS_CASE(9, BITS, OFFSET, GROUP)                                            \
      ROWS_CASE(10, BITS, OFFSET, GROUP)                                           \
      ROWS_CASE(11, BITS, OFFSET, GROUP)                                           \
      ROWS_CASE(12, BITS, OFFSET, GROUP)                                           \
    }                                                                              \
  }

#include "matmul_formats.h"

#pragma clang attribute pop

void tk_avx512_multiply(const tk_matrix *m, int64_t first_tile, int64_t last_tile,
                        const tk_activation_block *x, int64_t first_row, int64_t row_count,
                        float *out, int64_t stride, bool accumulate) {
  tk_multiply_tiles(function_for(m->format), TK_ROW_GROUP, m, first_tile, last_tile, x, first_row,
                    row_count, out, stride, accumulate);
}
#endif
