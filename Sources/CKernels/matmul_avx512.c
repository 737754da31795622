// The quantised product on AVX-512 with VNNI. A register tile is up to 12 rows of activations by
// one tile of 16 outputs: the block's weights are unpacked to 8 registers once and met by each
// row, whose four int8 at a time are broadcast from memory. One vpdpbusd is 64 products.
#if defined(__x86_64__)
#include "matmul_tiles.h"

#pragma clang attribute push(                                                               \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma,f16c"))), \
    apply_to = function)

#include "avx512_vectors.h"

/// A format's table, its numbers as left-aligned quants.
TK_INLINE __m512i lookup_of(tk_format f) {
  const __m128i numbers = _mm_loadu_si128((const __m128i *)tk_table(f.table));
  // Shifted by words: what comes to a byte from its neighbour is masked out.
  const __m128i aligned = f.bits == 8 ? numbers
                                      : _mm_and_si128(_mm_slli_epi16(numbers, (int)(8 - f.bits)),
                                                      _mm_set1_epi8((char)(0xff << (8 - f.bits))));
  return _mm512_broadcast_i32x4(_mm_xor_si128(aligned, _mm_set1_epi8((char)0x80)));
}

/// A block's weights as vpdpbusd wants them: left-aligned quants, 4 inputs of 16 outputs each.
TK_INLINE void unpack(const uint8_t *quants, tk_format f, __m512i *w) {
  const int bits = f.table ? 4 : f.bits;
  if (bits == 8) {
    for (int v = 0; v < 8; v++) w[v] = _mm512_loadu_si512(quants + 64 * v);
    return;
  }
  if (f.table) {
    const __m512i lookup = lookup_of(f), low = _mm512_set1_epi8(15);
    for (int n = 0; n < 4; n++) {
      __m512i pair = _mm512_loadu_si512(quants + 64 * n);
      w[n] = _mm512_shuffle_epi8(lookup, _mm512_and_si512(pair, low));
      w[n + 4] = _mm512_shuffle_epi8(lookup, _mm512_and_si512(_mm512_srli_epi16(pair, 4), low));
    }
    return;
  }
  const __m512i high = _mm512_set1_epi8((char)0xf0);
  for (int n = 0; n < 4; n++) {
    __m512i pair = _mm512_loadu_si512(quants + 64 * n);
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
    __m512i plane = _mm512_loadu_si512(quants + 256);
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
      __m512i plane = _mm512_loadu_si512(quants + 256 + 64 * (v / 4));
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

/// Scales (or offsets) of 16 outputs.
TK_INLINE __m512 scale_vector(tk_format f, const uint8_t *scales, const uint8_t *units) {
  if (f.scales == TK_SCALES_HALF) return half_vector(scales);
  const __m128i bytes = _mm_loadu_si128((const __m128i *)scales);
  if (f.scales == TK_SCALES_EXPONENT)
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu8_epi32(bytes), 23));
  return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes)), half_vector(units));
}

/// `rows` rows by one tile. Each row's arithmetic is the same for every `rows`.
TK_INLINE void tile_rows(int rows, tk_format f, const tk_tile_job *job) {
  const int groups = 32 / f.group, per_group = f.group / 4;
  const int64_t block_bytes = tk_block_bytes(f);
  __m512 sum[TK_ROW_GROUP];
#pragma clang loop unroll(full)
  for (int r = 0; r < rows; r++) sum[r] = _mm512_setzero_ps();
  const uint8_t *next = job->tile + TK_PREFETCH_BYTES;
  const tk_activation_block *x = job->x;
  for (int64_t b = 0; b < job->blocks; b++, next += block_bytes, x += TK_ROW_GROUP) {
    if (rows <= 4) {
      for (int64_t i = 0; i < block_bytes; i += 64)
        _mm_prefetch((const char *)next + i, _MM_HINT_T0);
    }
    const tk_packed_block block = tk_block_at(f, job->tile, b);
    __m512i w[8];
    unpack(block.quants, f, w);
#pragma clang loop unroll(full)
    for (int g = 0; g < groups; g++) {
      const int64_t at = g * tk_scale_bytes(f);
      __m512 scale = scale_vector(f, block.scales + at, block.units);
      __m512 offset = f.has_offset ? scale_vector(f, block.offsets + at, block.units + 32)
                                   : _mm512_setzero_ps();
#pragma clang loop unroll(full)
      for (int r = 0; r < rows; r++) {
        const tk_activation_block *a = x + r;
        __m512i dot = f.has_offset ? _mm512_setzero_si512()
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
        if (f.has_offset)
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

#define ROWS_CASE(R)                 \
  case R:                            \
    tile_rows(R, f, job);            \
    break;

#define FORMAT(NAME, ...)                                                            \
  static __attribute__((noinline)) void NAME(int64_t rows, const tk_tile_job *job) { \
    const tk_format f = {__VA_ARGS__};                                               \
    switch (rows) {                                                                  \
      ROWS_CASE(1)                                                                   \
      ROWS_CASE(2)                                                                   \
      ROWS_CASE(3)                                                                   \
      ROWS_CASE(4)                                                                   \
      ROWS_CASE(5)                                                                   \
      ROWS_CASE(6)                                                                   \
      ROWS_CASE(7)                                                                   \
      ROWS_CASE(8)                                                                   \
      ROWS_CASE(9)                                                                   \
      ROWS_CASE(10)                                                                  \
      ROWS_CASE(11)                                                                  \
      ROWS_CASE(12)                                                                  \
    }                                                                                \
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
