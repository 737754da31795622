// The function tables, one a file.
#pragma once

#include "CKernels.h"

const tk_kernels *tk_generic_kernels(void);
#if defined(__x86_64__)
const tk_kernels *tk_avx2_kernels(void);
const tk_kernels *tk_avx512_kernels(void);
#elif defined(__aarch64__)
const tk_kernels *tk_neon_kernels(void);
#endif
