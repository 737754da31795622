// How attention's work is cut into units; the same for every instruction set.
#pragma once

#include "CKernels.h"

enum {
  /// Queries of one unit at most: they share each page while it is in the first-level cache.
  TK_QUERIES = 24,
  TK_QUERIES_PADDED = 32,
  /// Positions whose softmax is computed by itself. Segments are joined in order whether one worker took them all or
  /// several did, so that a result does not depend on how the work was shared.
  TK_SEGMENT = 256,
  /// Groups of queries that may be shared at most.
  TK_SHARED_TASKS = 4096,
  /// The largest whole number that queries and weights are rounded to where keys and values are bytes: two digits of
  /// seven bits, for machines that multiply bytes. A sum of TK_MOST_BYTE_DIM products fits 32 bits.
  TK_MOST_WHOLE = 127 * 128,
};

/// A task is a group of queries of one key/value head; a unit of work is some segments of a task.
typedef struct {
  int64_t chunk;  // queries of a task at most
  /// Segments of a unit at most, where several workers may take those of one task. 0: a unit is a whole task.
  int64_t segments;
} tk_attention_plan;

tk_attention_plan tk_plan_attention(const tk_attention *attention, const tk_attention_span *spans,
                                    int64_t span_count, int64_t workers);

/// The positions [first, end) that some of a span's queries see: of a row, as many as the heads of a group.
typedef struct {
  int64_t first, end;
} tk_positions;

static inline tk_positions tk_seen(const tk_attention *a, const tk_attention_span *span,
                                   int64_t row) {
  if (a->key_count > 0) return (tk_positions){0, a->key_count};
  const int64_t end = span->first_position + row + 1;
  return (tk_positions){a->window > 0 && end > a->window ? end - a->window : 0,
                        span->ends ? span->ends[row] : end};
}

/// Segments [first, end) of a task.
static inline tk_positions tk_task_segments(const tk_attention *a, const tk_attention_span *span,
                                            int64_t first_query, int64_t queries) {
  const int64_t group = a->heads / a->layout.key_value_heads;
  const tk_positions first = tk_seen(a, span, first_query / group);
  const tk_positions last = tk_seen(a, span, (first_query + queries - 1) / group);
  return (tk_positions){first.first / TK_SEGMENT, (last.end + TK_SEGMENT - 1) / TK_SEGMENT};
}

/// Floats that a segment of a task leaves for whoever joins them: of each query its sums, 16 lanes of the sum of
/// weights, and the maximum.
static inline int64_t tk_part_floats(const tk_attention *a, int64_t queries) {
  return queries * ((int64_t)a->layout.value_dim + 16 + 1);
}

/// Where a page of bytes has the numbers of a key/value head, and their scales, the upper halves of floats. // (64) each
typedef struct {
  int8_t *keys, *values;
  uint16_t *key_scales, *value_scales;
} tk_byte_head;

static inline tk_byte_head tk_byte_head_at(tk_kv_layout layout, const void *page, int64_t head) {
  const int64_t d = layout.head_dim, dv = layout.value_dim;
  int8_t *keys = (int8_t *)page + head * TK_PAGE_POSITIONS * (d + dv + 4);
  uint16_t *scales = (uint16_t *)(keys + TK_PAGE_POSITIONS * (d + dv));
  return (tk_byte_head){keys, keys + TK_PAGE_POSITIONS * d, scales, scales + TK_PAGE_POSITIONS};
}
