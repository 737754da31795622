// What this machine can do at most: bytes read from memory a second, and int8 multiply-adds a
// second, on all threads. The rate of a kernel is judged as a share of these.
//   cc -O3 -march=native -pthread limits.c -o limits && ./limits THREADS
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__AVX512VNNI__) || defined(__AVX2__)
#include <immintrin.h>
#endif

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

enum { MEBIBYTES = 256 };
static pthread_barrier_t barrier;
typedef struct {
  double bandwidth, operations;
  uint64_t sink;
} Result;

// Plain loads that the compiler turns into the widest vectors.
static uint64_t sum(const uint64_t *p, size_t n) {
  uint64_t a = 0, b = 0, c = 0, d = 0;
  for (size_t i = 0; i + 32 <= n; i += 32) {
    for (size_t j = 0; j < 8; j++) {
      a += p[i + j];
      b += p[i + 8 + j];
      c += p[i + 16 + j];
      d += p[i + 24 + j];
    }
  }
  return a + b + c + d;
}

static void *work(void *argument) {
  Result *result = argument;
  size_t bytes = (size_t)MEBIBYTES << 20;
  uint64_t *memory = aligned_alloc(4096, bytes);
  if (!memory) return NULL;
  memset(memory, 1, bytes);
  for (int round = 0; round < 5; round++) {
    pthread_barrier_wait(&barrier);
    double start = now();
    result->sink += sum(memory, bytes / 8);
    double rate = (double)bytes / (now() - start);
    if (rate > result->bandwidth) result->bandwidth = rate;
  }
  free(memory);
#if defined(__AVX512VNNI__)
  __m512i x = _mm512_set1_epi8(3), y = _mm512_set1_epi8(2);
  for (int round = 0; round < 5; round++) {
    __m512i s[12];
    for (int i = 0; i < 12; i++) s[i] = _mm512_set1_epi32(i);
    pthread_barrier_wait(&barrier);
    const int loops = 20000000;
    double start = now();
    for (int k = 0; k < loops; k++)
      for (int i = 0; i < 12; i++) {
        s[i] = _mm512_dpbusd_epi32(s[i], x, y);
        __asm__ volatile("" : "+v"(s[i]));
      }
    double rate = (double)loops * 12 * 64 * 2 / (now() - start);
    if (rate > result->operations) result->operations = rate;
    for (int i = 0; i < 12; i++) result->sink += (uint64_t)_mm512_reduce_add_epi32(s[i]);
  }
#elif defined(__AVX2__)
  // Bytes of eight bits by bytes of seven, whose sums of two products fit 16 bits.
  __m256i x = _mm256_set1_epi8(3), y = _mm256_set1_epi8(2), ones = _mm256_set1_epi16(1);
  for (int round = 0; round < 5; round++) {
    __m256i s0 = x, s1 = x, s2 = x, s3 = x, s4 = x, s5 = x;
    pthread_barrier_wait(&barrier);
    const int loops = 20000000;
    double start = now();
#define STEP(s)                                                                          \
  {                                                                                      \
    __m256i w = x;                                                                       \
    __asm__ volatile("" : "+x"(w));                                                      \
    s = _mm256_add_epi32(s, _mm256_madd_epi16(_mm256_maddubs_epi16(w, y), ones));        \
  }
    for (int k = 0; k < loops; k++) {
      STEP(s0) STEP(s1) STEP(s2) STEP(s3) STEP(s4) STEP(s5)
    }
    double rate = (double)loops * 6 * 32 * 2 / (now() - start);
    if (rate > result->operations) result->operations = rate;
    __m256i all = _mm256_add_epi32(_mm256_add_epi32(_mm256_add_epi32(s0, s1), s2),
                                   _mm256_add_epi32(_mm256_add_epi32(s3, s4), s5));
    result->sink += (uint64_t)_mm256_extract_epi32(all, 0);
  }
#endif
  return NULL;
}

int main(int count, char **arguments) {
  int threads = count > 1 ? atoi(arguments[1]) : 2;
  if (threads < 1 || threads > 256) return 2;
  pthread_t ids[256];
  Result results[256] = {0};
  pthread_barrier_init(&barrier, NULL, (unsigned)threads);
  for (int i = 0; i < threads; i++) pthread_create(&ids[i], NULL, work, &results[i]);
  double bandwidth = 0, operations = 0;
  uint64_t sink = 0;
  for (int i = 0; i < threads; i++) {
    pthread_join(ids[i], NULL);
    bandwidth += results[i].bandwidth;
    operations += results[i].operations;
    sink += results[i].sink;
  }
  fprintf(stderr, "%llu\n", (unsigned long long)sink);
  printf("{\"bytes_per_second\": %.4g, \"int8_operations_per_second\": %.4g}\n", bandwidth, operations);
  return 0;
}
