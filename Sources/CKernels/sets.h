// The instruction sets' function tables, and what the processor is asked for them.
#pragma once

#include "CKernels.h"

// With TK_EMULATED, which scripts/check-emulated.sh defines, the instructions of AVX-VNNI and AMX are functions in C
// and AVX2, so that the kernels made of them can be compared with others on machines that lack them.
#if defined(TK_EMULATED)
#define TK_AVXVNNI_TARGET "avx2,fma,f16c"
#else
#define TK_AVXVNNI_TARGET "avx2,fma,f16c,avxvnni"
#endif

const tk_kernels *tk_generic_kernels(void);
#if defined(__x86_64__)
const tk_kernels *tk_avx2_kernels(void);
const tk_kernels *tk_avxvnni_kernels(void);
const tk_kernels *tk_avx512_kernels(void);
const tk_kernels *tk_amx_kernels(void);
#elif defined(__aarch64__)
const tk_kernels *tk_neon_kernels(void);
#endif
