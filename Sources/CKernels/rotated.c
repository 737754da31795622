// The choice among the instruction sets' kernels of sentence encoders (Rotated.h), and their sizes.
#include "rotated_sets.h"

const tk_rotated_kernels *tk_rotated_kernels_for(int32_t set) {
  if (tk_kernels_for(set) == NULL) return NULL;
  switch (set) {
#if defined(__x86_64__)
    case TK_AVX2: return tk_rotated_avx2();
    case TK_AVXVNNI: return tk_rotated_avxvnni();
    case TK_AVX512: return tk_rotated_avx512();
    case TK_AMX: return tk_rotated_amx();
#elif defined(__aarch64__)
    case TK_NEON: return tk_rotated_neon();
#endif
    default: return NULL;
  }
}

int64_t tk_full_attention_bytes(int64_t heads, int64_t head_dim, int64_t positions) {
  return heads * tk_head_bytes(head_dim, tk_padded_positions(positions));
}

int64_t tk_full_attention_scratch_bytes(int64_t head_dim, int64_t positions) {
  // Queries, scores, weights.
  return TK_ATTENTION_ROWS * (2 * head_dim + tk_padded_positions(positions) * (4 + 2)) + 64;
}
