#include "attention.h"

#include "half.h"

int64_t tk_kv_page_bytes(tk_kv_layout layout) {
  const int64_t rows = (int64_t)TK_PAGE_POSITIONS * layout.key_value_heads;
  const int64_t numbers = (int64_t)layout.head_dim + layout.value_dim;
  switch (layout.type) {
    case TK_KV_BYTE: return rows * (numbers + 4);
    case TK_KV_HALF: return rows * numbers * 2;
    default: return rows * numbers * 4;
  }
}

void tk_kv_keys(tk_kv_layout layout, const void *page, int64_t head, float *keys) {
  const int64_t d = layout.head_dim, count = d * TK_PAGE_POSITIONS;
  const int64_t start = head * TK_PAGE_POSITIONS * (d + layout.value_dim);
  if (layout.type == TK_KV_FLOAT) {
    memcpy(keys, (const float *)page + start, (size_t)count * 4);
    return;
  }
  if (layout.type == TK_KV_HALF) {
    for (int64_t i = 0; i < count; i++)
      keys[i] = tk_half_to_float(((const uint16_t *)page)[start + i]);
    return;
  }
  const tk_byte_head from = tk_byte_head_at(layout, page, head);
  for (int64_t i = 0; i < d; i++)
    for (int64_t p = 0; p < TK_PAGE_POSITIONS; p++)
      keys[i * TK_PAGE_POSITIONS + p] = (float)from.keys[p / 16 * 16 * d + i / 4 * 64 + p % 16 * 4 + i % 4];
  // Twice the transform is the width times the numbers.
  const int64_t width = d & -d;
  for (int64_t half = 1; half < width; half *= 2) {
    for (int64_t i = 0; i < d; i++) {
      if (i & half) continue;
      float *a = keys + i * TK_PAGE_POSITIONS, *b = a + half * TK_PAGE_POSITIONS;
      for (int64_t p = 0; p < TK_PAGE_POSITIONS; p++) {
        const float sum = a[p] + b[p], difference = a[p] - b[p];
        a[p] = sum, b[p] = difference;
      }
    }
  }
  for (int64_t i = 0; i < count; i++)
    keys[i] *= tk_bfloat_to_float(from.key_scales[i % TK_PAGE_POSITIONS]) / (float)width;
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
