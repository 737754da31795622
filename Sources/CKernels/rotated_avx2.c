// The kernels of sentence encoders (Rotated.h) on AVX2.
//
// vpmaddubsw would saturate on bytes of both signs, and taking the sign to the other side costs as much as
// going by words: vpmaddwd adds up two products of words in 32 bits, exactly. So activations are words.
// Weights stay bytes in memory. Of a lane's four, a mask leaves the words of inputs 0 and 2, and a shift those of
// 1 and 3: activations lie in that order.
#if defined(__x86_64__)
#include "rotated_sets.h"
#include "tables.h"

#define TK(name) tk_avx2_##name

#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)

#include "avx2_vectors.h"
#include "vector_math_template.h"

/// A rounded activation; of each four, in the order 0, 2, 1, 3.
typedef int16_t tk_quant;

enum { PRODUCT_ROWS = 4 };

#include "rotated_ymm_template.h"

/// 16 bytes as words, in their order; returns them.
TK_INLINE __m256i store_ordered(i16 x, tk_quant *out) {
  const __m128i order = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
  const __m256i words = _mm256_cvtepi8_epi16(_mm_shuffle_epi8((__m128i)bytes_of(x), order));
  _mm256_storeu_si256((__m256i *)out, words);
  return words;
}

TK_INLINE void store_query(i16 x, tk_quant *out) { store_ordered(x, out); }

/// Rounds a group; returns the sum.
TK_INLINE int32_t store_quants(const v16 *x, tk_quant *out) {
  i8 sums = (i8)(0);
#pragma clang loop unroll(full)
  for (int i = 0; i < TK_ROTATED_GROUP / 16; i++)
    sums += (i8)_mm256_madd_epi16(store_ordered(round_to_int(x[i]), out + 16 * i),
                                  _mm256_set1_epi16(1));
  return __builtin_reduce_add(sums);
}

/// Inputs 0 and 2, and 1 and 3, of 8 outputs.
typedef struct {
  __m256i even, odd;
} four_inputs;

TK_INLINE four_inputs split_bytes(const uint8_t *p) {
  const __m256i bytes = _mm256_loadu_si256((const __m256i *)p);
  return (four_inputs){_mm256_and_si256(bytes, _mm256_set1_epi16(255)),
                       _mm256_srli_epi16(bytes, 8)};
}

TK_INLINE void add_inputs(int rows, const uint8_t *w, int64_t step, const tk_quant *x,
                          int64_t stride, tile_sums *sums) {
#pragma clang loop unroll(full)
  for (int k = 0; k < 16; k += 4, w += step, x += 4) {
    const four_inputs a = split_bytes(w), b = split_bytes(w + 32);
#pragma clang loop unroll(full)
    for (int r = 0; r < rows; r++) {
      const __m256i even = four_bytes(x + r * stride), odd = four_bytes(x + r * stride + 2);
      sums[r][0] = add_words(sums[r][0], a.even, even);
      sums[r][1] = add_words(sums[r][1], b.even, even);
      sums[r][0] = add_words(sums[r][0], a.odd, odd);
      sums[r][1] = add_words(sums[r][1], b.odd, odd);
    }
  }
}

#include "rotated_narrow_template.h"

#pragma clang attribute pop

const tk_rotated_kernels *tk_rotated_avx2(void) {
  static const tk_rotated_kernels table = TK_ROTATED_KERNELS(tk_avx2_rotated_multiply);
  return &table;
}
#endif
