#include "sets.h"

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
    case TK_AVX2:
      if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
          __builtin_cpu_supports("f16c"))
        return tk_avx2_kernels();
      return NULL;
    case TK_AVX512:
      if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
          __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("f16c"))
        return tk_avx512_kernels();
      return NULL;
#elif defined(__aarch64__)
    case TK_NEON: return has_dot_products() ? tk_neon_kernels() : NULL;
#endif
    default: return NULL;
  }
}
