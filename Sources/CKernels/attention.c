#include "attention.h"

int64_t tk_kv_page_bytes(tk_kv_layout layout) {
  int64_t numbers = (int64_t)TK_PAGE_POSITIONS * layout.key_value_heads *
                    ((int64_t)layout.head_dim + layout.value_dim);
  return numbers * (layout.half ? 2 : 4);
}

int64_t tk_attention_scratch_bytes(tk_kv_layout layout) {
  // Queries, accumulators, scores, and 16 lanes of the sum of weights.
  int64_t numbers = (int64_t)layout.head_dim + layout.value_dim + TK_PAGE_POSITIONS + 16;
  return 4 * (int64_t)TK_QUERIES * numbers + 256;
}

int64_t tk_attention_chunk(const tk_attention *a, const tk_attention_span *spans,
                           int64_t span_count, int64_t workers) {
  static const int64_t chunks[] = {24, 12, 6, 4, 3, 2, 1};
  int64_t group = a->heads / a->layout.key_value_heads;
  if (workers == 1) return TK_QUERIES;
  for (int i = 0; i < 7; i++) {
    int64_t units = 0;
    bool even = true;
    for (int64_t s = 0; s < span_count; s++) {
      int64_t queries = spans[s].row_count * group;
      units += a->layout.key_value_heads * ((queries + chunks[i] - 1) / chunks[i]);
      even = even && queries % chunks[i] == 0;
    }
    if (units >= 6 * workers || (even && units % workers == 0)) return chunks[i];
  }
  return 1;
}
