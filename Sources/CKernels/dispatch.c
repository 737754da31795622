#include "sets.h"

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
#endif
    default: return NULL;
  }
}
