#include "attention.h"

int64_t tk_kv_page_bytes(tk_kv_layout layout) {
  int64_t numbers = (int64_t)TK_PAGE_POSITIONS * layout.key_value_heads *
                    ((int64_t)layout.head_dim + layout.value_dim);
  return numbers * (layout.half ? 2 : 4);
}

int64_t tk_attention_scratch_bytes(tk_kv_layout layout) {
  // Queries and scores; accumulators and 16 lanes of the sum of weights, of a segment and of those before.
  int64_t numbers =
      (int64_t)layout.head_dim + TK_PAGE_POSITIONS + 2 * ((int64_t)layout.value_dim + 16);
  return 4 * (int64_t)TK_QUERIES * numbers + 256;
}

static inline int64_t pieces(int64_t count, int64_t piece) { return (count + piece - 1) / piece; }

/// Queries a task that load the workers evenly where each takes whole tasks.
static int64_t even_chunk(const tk_attention *a, const tk_attention_span *spans,
                          int64_t span_count, int64_t workers) {
  static const int64_t chunks[] = {24, 12, 6, 4, 3, 2, 1};
  int64_t group = a->heads / a->layout.key_value_heads;
  if (workers == 1) return TK_QUERIES;
  for (int i = 0; i < 7; i++) {
    int64_t units = 0;
    bool even = true;
    for (int64_t s = 0; s < span_count; s++) {
      int64_t queries = spans[s].row_count * group;
      units += a->layout.key_value_heads * pieces(queries, chunks[i]);
      even = even && queries % chunks[i] == 0;
    }
    if (units >= 6 * workers || (even && units % workers == 0)) return chunks[i];
  }
  return 1;
}

tk_attention_plan tk_plan_attention(const tk_attention *a, const tk_attention_span *spans,
                                    int64_t span_count, int64_t workers) {
  const tk_attention_plan whole = {even_chunk(a, spans, span_count, workers), 0};
  if (workers == 1 || !a->shared || a->key_count > 0) return whole;
  // Few rows, as when one client's answer is decoded: there are not enough heads to go round, and to part the
  // queries of a head would be to read its keys and values once for each part. Their positions are parted instead.
  const int64_t group = a->heads / a->layout.key_value_heads;
  int64_t tasks = 0, segments = 0, floats = 0;
  for (int64_t s = 0; s < span_count; s++) {
    const int64_t queries = spans[s].row_count * group;
    tasks += a->layout.key_value_heads * pieces(queries, TK_QUERIES);
    if (tasks >= 6 * workers || tasks > TK_SHARED_TASKS) return whole;
    for (int64_t q = 0; q < queries; q += TK_QUERIES) {
      const int64_t chunk = queries - q < TK_QUERIES ? queries - q : TK_QUERIES;
      const tk_positions seen = tk_task_segments(a, spans + s, q, chunk);
      const int64_t count = a->layout.key_value_heads * (seen.end - seen.first);
      segments += count;
      floats += count * tk_part_floats(a, chunk);
    }
  }
  if (segments < 2 * tasks || 4 * (TK_SHARED_TASKS + floats) > a->shared_bytes) return whole;
  const int64_t share = segments / (8 * workers);
  return (tk_attention_plan){TK_QUERIES, share > 1 ? share : 1};
}
