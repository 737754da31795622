#define _GNU_SOURCE 1
// What this processor and its system have, and the function tables for it.
#include "sets.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <stdatomic.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
         __builtin_cpu_supports("f16c");
}

static bool has_avx512(void) {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("f16c");
}

#if defined(TK_EMULATED)
static bool has_avxvnni(void) { return has_avx2(); }
static bool has_amx(void) { return has_avx2(); }
#else
/// Bits of CPUID's leaf 7.
enum { AMX_TILE = 1 << 24, AMX_INT8 = 1 << 25, AVX_VNNI = 1 << 4 };

static bool has_avxvnni(void) {
  unsigned a, b, c, d;
  return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a & AVX_VNNI) != 0;
}

/// Whether the processor has tiles and the system lets this process use them. They are 8 KiB that every switch of
/// threads would have to save, so Linux wants to be asked first.
static bool ask_for_amx(void) {
#if defined(__linux__)
  enum { REQUEST_PERMISSION = 0x1023, TILE_DATA = 18 };  // of arch_prctl
  const unsigned tile_state = 3u << 17;
  unsigned a, b, c, d;
  if (!has_avx512() || !__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  if ((d & AMX_TILE) == 0 || (d & AMX_INT8) == 0) return false;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  if ((low & tile_state) != tile_state) return false;
  return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
#else
  return false;
#endif
}

static bool has_amx(void) {
  enum { UNKNOWN, NO, YES };
  static _Atomic int known;  // asking twice gives the same answer
  int answer = atomic_load(&known);
  if (answer == UNKNOWN) atomic_store(&known, answer = ask_for_amx() ? YES : NO);
  return answer == YES;
}
#endif
#endif

#if defined(__aarch64__)
#if defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
static bool has_dot_products(void) { return (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0; }
#else
static bool has_dot_products(void) { return true; }  // Apple's processors all do.
#endif
#endif

const tk_kernels *tk_kernels_for(int32_t set) {
  switch (set) {
    case TK_GENERIC: return tk_generic_kernels();
#if defined(__x86_64__)
    case TK_AVX2: return has_avx2() ? tk_avx2_kernels() : NULL;
    case TK_AVXVNNI: return has_avxvnni() ? tk_avxvnni_kernels() : NULL;
    case TK_AVX512: return has_avx512() ? tk_avx512_kernels() : NULL;
    case TK_AMX: return has_amx() ? tk_amx_kernels() : NULL;
#elif defined(__aarch64__)
    case TK_NEON: return has_dot_products() ? tk_neon_kernels() : NULL;
#endif
    default: return NULL;
  }
}
