// Loops that do nothing but the machine's best instruction, AMX's tiles apart, to measure its limits.
#include "sets.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX512 __attribute__((target("avx512f,avx512vnni"), noinline))
#define AVX2 __attribute__((target("avx2,fma"), noinline))

AVX512 static int32_t integer_loop(int64_t rounds) {
  __m512i a[12], x = _mm512_set1_epi8(3);
  for (int i = 0; i < 12; i++) a[i] = _mm512_set1_epi32(i);
  for (int64_t r = 0; r < rounds; r++) {
    for (int i = 0; i < 12; i++) a[i] = _mm512_dpbusd_epi32(a[i], x, x);
    __asm__ volatile("" : "+v"(x));
  }
  for (int i = 1; i < 12; i++) a[0] = _mm512_add_epi32(a[0], a[i]);
  return _mm512_reduce_add_epi32(a[0]);
}

AVX512 static float float_loop(int64_t rounds) {
  __m512 a[12], x = _mm512_set1_ps(0.5f);
  for (int i = 0; i < 12; i++) a[i] = _mm512_set1_ps((float)i);
  for (int64_t r = 0; r < rounds; r++) {
    for (int i = 0; i < 12; i++) a[i] = _mm512_fmadd_ps(a[i], x, x);
    __asm__ volatile("" : "+v"(x));
  }
  for (int i = 1; i < 12; i++) a[0] = _mm512_add_ps(a[0], a[i]);
  return _mm512_reduce_add_ps(a[0]);
}

/// Bytes of which the sums of two products fit 16 bits: one of eight bits, one of seven.
AVX2 static int32_t integer_loop_avx2(int64_t rounds) {
  __m256i a[12], x = _mm256_set1_epi8(3);
  const __m256i ones = _mm256_set1_epi16(1);
  for (int i = 0; i < 12; i++) a[i] = _mm256_set1_epi32(i);
  for (int64_t r = 0; r < rounds; r++) {
#pragma clang loop unroll(full)
    for (int i = 0; i < 12; i++) {
      // Without this the products of all sums would be found to be one.
      __m256i y = x;
      __asm__ volatile("" : "+x"(y));
      a[i] = _mm256_add_epi32(a[i], _mm256_madd_epi16(_mm256_maddubs_epi16(y, x), ones));
    }
  }
  for (int i = 1; i < 12; i++) a[0] = _mm256_add_epi32(a[0], a[i]);
  return _mm256_extract_epi32(a[0], 0);
}

AVX2 static float float_loop_avx2(int64_t rounds) {
  __m256 a[12], x = _mm256_set1_ps(0.5f);
  for (int i = 0; i < 12; i++) a[i] = _mm256_set1_ps((float)i);
  for (int64_t r = 0; r < rounds; r++) {
    for (int i = 0; i < 12; i++) a[i] = _mm256_fmadd_ps(a[i], x, x);
    __asm__ volatile("" : "+x"(x));
  }
  for (int i = 1; i < 12; i++) a[0] = _mm256_add_ps(a[0], a[i]);
  return _mm256_cvtss_f32(a[0]);
}

__attribute__((target(TK_AVXVNNI_TARGET), noinline)) static int32_t integer_loop_avxvnni(
    int64_t rounds) {
#if defined(TK_EMULATED)
  return integer_loop_avx2(rounds);
#else
  __m256i a[12], x = _mm256_set1_epi8(3);
  for (int i = 0; i < 12; i++) a[i] = _mm256_set1_epi32(i);
  for (int64_t r = 0; r < rounds; r++) {
    for (int i = 0; i < 12; i++) a[i] = _mm256_dpbusd_avx_epi32(a[i], x, x);
    __asm__ volatile("" : "+x"(x));
  }
  for (int i = 1; i < 12; i++) a[0] = _mm256_add_epi32(a[0], a[i]);
  return _mm256_extract_epi32(a[0], 0);
#endif
}

static volatile float sink;

double tk_limit_integer(int64_t rounds) {
  const bool wide = tk_kernels_for(TK_AVX512) != NULL;
  if (rounds > 0 && wide) sink = (float)integer_loop(rounds);
  else if (rounds > 0 && tk_kernels_for(TK_AVXVNNI)) sink = (float)integer_loop_avxvnni(rounds);
  else if (rounds > 0 && tk_kernels_for(TK_AVX2)) sink = (float)integer_loop_avx2(rounds);
  return 12 * (wide ? 64 : 32) * 2;
}

double tk_limit_float(int64_t rounds) {
  const bool wide = tk_kernels_for(TK_AVX512) != NULL;
  if (rounds > 0 && wide) sink = float_loop(rounds);
  else if (rounds > 0 && tk_kernels_for(TK_AVX2)) sink = float_loop_avx2(rounds);
  return 12 * (wide ? 16 : 8) * 2;
}
#else
double tk_limit_integer(int64_t rounds) { return (double)(rounds * 0) + 1; }
double tk_limit_float(int64_t rounds) { return (double)(rounds * 0) + 1; }
#endif

int64_t tk_limit_read(const void *memory, int64_t bytes) {
  typedef int64_t v8 __attribute__((ext_vector_type(8), aligned(8)));
  const v8 *p = memory;
  v8 a = 0, b = 0, c = 0, d = 0;
  for (int64_t i = 0; i + 4 <= bytes / 64; i += 4)
    a += p[i], b += p[i + 1], c += p[i + 2], d += p[i + 3];
  a = a + b + c + d;
  return a[0] + a[1] + a[2] + a[3] + a[4] + a[5] + a[6] + a[7];
}
