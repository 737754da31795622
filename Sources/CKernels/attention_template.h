// Attention over pages of keys and values with online softmax, one page (64 positions) at a time.
// Everything a query's result depends on is done in the order of positions, whichever other
// queries share the unit: results do not depend on the batch. Each segment of positions has a softmax of its own,
// and segments are joined in order, by the one worker that took them all or by the last of several.

TK_INLINE v16 TK(load_kv)(const void *base, int64_t index, bool half) {
  return half ? TK_LOAD_HALF16((const uint16_t *)base + index)
              : TK(load)((const float *)base + index);
}

TK_INLINE v16 TK(load_kv8)(const void *base, int64_t index, bool half) {
  float values[16] = {0};
  if (half) {
    for (int i = 0; i < 8; i++) values[i] = tk_half_to_float(((const uint16_t *)base)[index + i]);
  } else {
    memcpy(values, (const float *)base + index, 32);
  }
  return TK(load)(values);
}

/// Vectors of a tile at most.
enum { MOST_VECTORS = 4 };

/// c (rows, 16 * vectors) = c * alpha + a (rows, n) b (n, ...); alpha NULL: c is only written. As much as is read
/// of b is fetched from `next` on, where that is not NULL.
TK_INLINE void TK(tile_product)(int rows, int vectors, const float *a, int64_t a_stride, int64_t n,
                                const void *b, int64_t b_stride, bool half, float *c,
                                int64_t c_stride, const float *alpha, const char *next) {
  const int64_t step = 16 * vectors * (half ? 2 : 4);
  v16 sum[TK_TILE_ROWS][MOST_VECTORS];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      sum[r][v] = alpha ? TK(load)(c + r * c_stride + 16 * v) * TK(splat)(alpha[r])
                        : TK(splat)(0);
  for (int64_t k = 0; k < n; k++) {
    if (next)
      for (int64_t i = 0; i < step; i += 64) __builtin_prefetch(next + k * step + i);
    v16 column[MOST_VECTORS];
    for (int v = 0; v < vectors; v++) column[v] = TK(load_kv)(b, k * b_stride + 16 * v, half);
    for (int r = 0; r < rows; r++) {
      v16 x = TK(splat)(a[r * a_stride + k]);
      for (int v = 0; v < vectors; v++) sum[r][v] = TK(fma)(x, column[v], sum[r][v]);
    }
  }
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++) TK(store)(c + r * c_stride + 16 * v, sum[r][v]);
}

/// The last 8 columns of a head whose width is no multiple of 16.
TK_INLINE void TK(narrow_product)(int rows, const float *a, int64_t a_stride, int64_t n,
                                  const void *b, int64_t b_stride, bool half, float *c,
                                  int64_t c_stride, const float *alpha) {
  for (int r = 0; r < rows; r++) {
    float *o = c + r * c_stride;
    v16 sum = alpha ? TK(load_some)(o, 8, 0) * TK(splat)(alpha[r]) : TK(splat)(0);
    for (int64_t k = 0; k < n; k++)
      sum = TK(fma)(TK(splat)(a[r * a_stride + k]), TK(load_kv8)(b, k * b_stride, half), sum);
    TK(store_some)(o, sum, 8);
  }
}

TK_INLINE const void *TK(kv_offset)(const void *base, int64_t index, bool half) {
  return (const char *)base + index * (half ? 2 : 4);
}

TK_INLINE void TK(product_rows)(int rows, const float *a, int64_t a_stride, int64_t n,
                                const void *b, int64_t b_stride, bool half, float *c,
                                int64_t c_stride, int64_t columns, const float *alpha,
                                const char *next) {
  // One or two rows have too few sums to hide an addition's latency, unless they take several vectors.
  const int few = rows == 1 ? 4 : rows == 2 ? 2 : 1;
  const int vectors = TK_TILE_VECTORS > few ? TK_TILE_VECTORS : few;
  int64_t j = 0;
#define TK_COLUMNS(VECTORS)                                                                    \
  if ((VECTORS) <= vectors)                                                                    \
    for (; j + 16 * (VECTORS) <= columns; j += 16 * (VECTORS))                                 \
      TK(tile_product)(rows, VECTORS, a, a_stride, n, TK(kv_offset)(b, j, half), b_stride, half, \
                       c + j, c_stride, alpha, next ? next + n * j * (half ? 2 : 4) : NULL);
  TK_COLUMNS(4) TK_COLUMNS(2) TK_COLUMNS(1)
#undef TK_COLUMNS
  if (j < columns)
    TK(narrow_product)(rows, a, a_stride, n, TK(kv_offset)(b, j, half), b_stride, half, c + j,
                       c_stride, alpha);
}

TK_INLINE void TK(product)(int64_t queries, const float *a, int64_t a_stride, int64_t n,
                           const void *b, int64_t b_stride, bool half, float *c, int64_t c_stride,
                           int64_t columns, const float *alpha, const char *next) {
  for (int64_t q = 0; q < queries;) {
    int64_t left = queries - q;
    int rows = left < TK_TILE_ROWS ? (int)left : TK_TILE_ROWS;
    const float *aq = a + q * a_stride;
    float *cq = c + q * c_stride;
    const float *alphaq = alpha ? alpha + q : 0;
#define TK_CASE(R)                                                                            \
  case R:                                                                                     \
    if (R <= TK_TILE_ROWS)                                                                    \
      TK(product_rows)(R <= TK_TILE_ROWS ? R : 1, aq, a_stride, n, b, b_stride, half, cq,     \
                       c_stride, columns, alphaq, next);                                      \
    break;
    switch (rows) {
      TK_CASE(1) TK_CASE(2) TK_CASE(3) TK_CASE(4) TK_CASE(5) TK_CASE(6)
    }
#undef TK_CASE
    q += rows;
  }
}

/// Copies, in which the element type is a constant, and whether there is an alpha and something to fetch.
#define TK_CONSTANTS(HALF)                                                                       \
  if (alpha && next)                                                                             \
    TK(product)(queries, a, a_stride, n, b, b_stride, HALF, c, c_stride, columns, alpha, next);  \
  else if (alpha)                                                                                \
    TK(product)(queries, a, a_stride, n, b, b_stride, HALF, c, c_stride, columns, alpha, 0);     \
  else if (next)                                                                                 \
    TK(product)(queries, a, a_stride, n, b, b_stride, HALF, c, c_stride, columns, 0, next);      \
  else                                                                                           \
    TK(product)(queries, a, a_stride, n, b, b_stride, HALF, c, c_stride, columns, 0, 0);
static __attribute__((noinline)) void TK(product_half)(int64_t queries, const float *a,
                                                       int64_t a_stride, int64_t n, const void *b,
                                                       int64_t b_stride, float *c,
                                                       int64_t c_stride, int64_t columns,
                                                       const float *alpha, const void *next) {
  TK_CONSTANTS(true)
}
static __attribute__((noinline)) void TK(product_full)(int64_t queries, const float *a,
                                                       int64_t a_stride, int64_t n, const void *b,
                                                       int64_t b_stride, float *c,
                                                       int64_t c_stride, int64_t columns,
                                                       const float *alpha, const void *next) {
  TK_CONSTANTS(false)
}
#undef TK_CONSTANTS

#include "attention_bytes_template.h"

/// Scores outside from..<to become -infinity; returns the largest of the others. `vectors` of 16
/// scores hold all that any query of the unit sees of this page.
TK_INLINE float TK(mask_scores)(float *s, int vectors, int64_t from, int64_t to, float softcap) {
  const bool all = from == 0 && to >= 16 * vectors;
  v16 top = TK(splat)(-INFINITY);
  if (all && softcap <= 0) {
    for (int v = 0; v < vectors; v++) top = TK(max)(top, TK(load)(s + 16 * v));
    return TK(max_of)(top);
  }
  i16 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const i16 low = (i16)((int32_t)from), high = (i16)((int32_t)to);
  for (int v = 0; v < vectors; v++, lane += 16) {
    v16 x = TK(load)(s + 16 * v);
    if (softcap > 0) x = TK(tanh)(x * TK(splat)(1 / softcap)) * TK(splat)(softcap);
    i16 seen = (lane >= low) & (lane < high);
    x = (v16)(((i16)x & seen) | ((i16)TK(splat)(-INFINITY) & ~seen));
    TK(store)(s + 16 * v, x);
    top = TK(max)(top, x);
  }
  return TK(max_of)(top);
}

/// One page's scores become weights e^(score - maximum so far). The maxima rise, and `shrink` is
/// what earlier sums are to be multiplied with. Sums are kept in 16 lanes a query.
TK_INLINE void TK(soften)(float *scores, int64_t queries, int vectors, const tk_positions *view,
                          int64_t base, float softcap, float *maximum, float *total,
                          float *shrink) {
  float fresh[TK_QUERIES_PADDED];
  for (int64_t i = 0; i < TK_QUERIES_PADDED; i++) fresh[i] = -INFINITY;
  for (int64_t i = 0; i < queries; i++) {
    int64_t from = view[i].first - base, to = view[i].end - base;
    fresh[i] = TK(mask_scores)(scores + TK_PAGE_POSITIONS * i, vectors, from < 0 ? 0 : from,
                               to < 0 ? 0 : to, softcap);
  }
  for (int64_t i = 0; i < queries; i += 16) {
    v16 before = TK(load)(maximum + i), now = TK(max)(before, TK(load)(fresh + i));
    // A query that has seen nothing yet must not subtract infinity from itself.
    i16 none = now == TK(splat)(-INFINITY);
    v16 change = (v16)((i16)(before - now) & ~none);
    TK(store)(shrink + i, TK(exp)(change));
    TK(store)(maximum + i, now);
  }
  for (int64_t i = 0; i < queries; i++) {
    float *s = scores + TK_PAGE_POSITIONS * i;
    v16 shift = TK(splat)(maximum[i] > -INFINITY ? maximum[i] : 0);
    v16 sum = TK(load)(total + 16 * i) * TK(splat)(shrink[i]);
    for (int v = 0; v < vectors; v++) {
      v16 weight = TK(exp)(TK(load)(s + 16 * v) - shift);
      sum += weight;
      TK(store)(s + 16 * v, weight);
    }
    TK(store)(total + 16 * i, sum);
  }
}

/// What some queries have seen so far.
typedef struct {
  float *sums;     // of weighted values // (queries, valueDim)
  float *total;    // of weights, in 16 lanes // (queries, 16)
  float *maximum;  // of scores; -infinity where nothing was seen // (queries, or TK_QUERIES_PADDED)
} TK(softmax);

/// `x`, whose maxima have room for TK_QUERIES_PADDED, becomes what it was and `more`, whose positions are behind.
static void TK(join)(int64_t queries, int64_t dv, const TK(softmax) *x,
                     const TK(softmax) *more) {
  float kept[TK_QUERIES_PADDED], added[TK_QUERIES_PADDED], maximum[TK_QUERIES_PADDED];
  for (int64_t i = 0; i < TK_QUERIES_PADDED; i++)
    maximum[i] = i < queries ? more->maximum[i] : -INFINITY;
  for (int64_t i = 0; i < queries; i += 16) {
    const v16 before = TK(load)(x->maximum + i), behind = TK(load)(maximum + i);
    const v16 top = TK(max)(before, behind);
    // Who has seen nothing yet must not subtract infinity from itself.
    const i16 none = top == TK(splat)(-INFINITY);
    TK(store)(kept + i, TK(exp)((v16)((i16)(before - top) & ~none)));
    TK(store)(added + i, TK(exp)((v16)((i16)(behind - top) & ~none)));
    TK(store)(x->maximum + i, top);
  }
  for (int64_t i = 0; i < queries; i++) {
    const v16 a = TK(splat)(kept[i]), b = TK(splat)(added[i]);
    float *sums = x->sums + i * dv, *total = x->total + 16 * i;
    const float *new_sums = more->sums + i * dv;
    TK(store)(total, TK(fma)(TK(load)(total), a, TK(load)(more->total + 16 * i) * b));
    int64_t k = 0;
    for (; k + 16 <= dv; k += 16)
      TK(store)(sums + k, TK(fma)(TK(load)(sums + k), a, TK(load)(new_sums + k) * b));
    for (; k < dv; k++) sums[k] = sums[k] * kept[i] + new_sums[k] * added[i];
  }
}

/// Some queries of one key/value head.
typedef struct {
  const tk_attention *a;
  const tk_attention_span *span;
  int64_t kv_head, first_query, queries;
  float *q;       // scaled; of bytes, whole numbers // (queries, headDim)
  float *scores;  // (queries, 64)
  float units[TK_QUERIES];  // what the whole numbers of q are to be multiplied with
  tk_positions view[TK_QUERIES];
} TK(task);

TK_INLINE int64_t TK(row_of)(const TK(task) *t, int64_t i) {
  return (t->first_query + i) / (t->a->heads / t->a->layout.key_value_heads);
}
TK_INLINE int64_t TK(head_of)(const TK(task) *t, int64_t i) {
  const int64_t group = t->a->heads / t->a->layout.key_value_heads;
  return t->kv_head * group + (t->first_query + i) % group;
}

TK_INLINE void TK(begin_task)(TK(task) *t) {
  const int64_t d = t->a->layout.head_dim;
  for (int64_t i = 0; i < t->queries; i++) {
    const float *source = t->a->queries +
                          (t->span->first_row + TK(row_of)(t, i)) * t->a->query_stride +
                          TK(head_of)(t, i) * d;
    for (int64_t k = 0; k < d; k++) t->q[i * d + k] = source[k] * t->a->scale;
    if (t->a->layout.type == TK_KV_BYTE) t->units[i] = TK(round_query)(t->q + i * d, d);
    t->view[i] = tk_seen(t->a, t->span, TK(row_of)(t, i));
  }
}

/// A page that some queries attend to.
typedef struct {
  int64_t index, columns;  // of scores, whole vectors
  int64_t filled;          // positions that some query sees are before this one
  /// Whether the processor is to be told what is read next: few queries wait for memory, and pages lie anywhere.
  bool fetches;
  const void *next;  // the same head's numbers in the page behind; NULL: there is none
} TK(page);

// What pages of bytes need stands apart, so that the loop over pages of floats stays as small as it was.

static __attribute__((noinline)) void TK(score_byte_page)(const TK(task) *t,
                                                          const TK(page) *page) {
  const tk_byte_head head =
      tk_byte_head_at(t->a->layout, t->span->pages[page->index], t->kv_head);
  TK(score_bytes)(t->queries, t->q, t->a->layout.head_dim, t->units, &head, page->columns / 16,
                  t->scores, page->fetches ? (const char *)head.values : NULL);
}

static __attribute__((noinline)) void TK(blend_byte_page)(const TK(task) *t,
                                                          const TK(page) *page,
                                                          const float *shrink, float *sums) {
  const tk_kv_layout layout = t->a->layout;
  const tk_byte_head head = tk_byte_head_at(layout, t->span->pages[page->index], t->kv_head);
  const char *next = NULL;
  if (page->next) {
    const tk_byte_head behind = tk_byte_head_at(layout, page->next, t->kv_head);
    for (int i = 0; i < 256; i += 64) __builtin_prefetch((const char *)behind.key_scales + i);
    next = (const char *)behind.keys;
  }
  float units[TK_QUERIES];
  for (int64_t i = 0; i < t->queries; i++)
    units[i] = TK(round_weights)(t->scores + i * TK_PAGE_POSITIONS, (int)(page->columns / 16),
                                 head.value_scales);
  TK(blend_bytes)(t->queries, t->scores, page->filled, units, &head, layout.value_dim, shrink,
                  sums, next);
}

/// The queries' scores of a page.
TK_INLINE void TK(score_page)(const TK(task) *t, const TK(page) *page) {
  const tk_kv_layout layout = t->a->layout;
  const int64_t d = layout.head_dim, dv = layout.value_dim;
  const void *memory = t->span->pages[page->index];
  if (layout.type == TK_KV_BYTE) {
    TK(score_byte_page)(t, page);
    return;
  }
  const bool half = layout.type == TK_KV_HALF;
  const void *keys = TK(kv_offset)(memory, t->kv_head * TK_PAGE_POSITIONS * (d + dv), half);
  const void *next = page->fetches ? TK(kv_offset)(keys, TK_PAGE_POSITIONS * d, half) : NULL;
  if (half)
    TK(product_half)(t->queries, t->q, d, d, keys, 64, t->scores, 64, page->columns, 0, next);
  else
    TK(product_full)(t->queries, t->q, d, d, keys, 64, t->scores, 64, page->columns, 0, next);
}

/// sums = sums * shrink + the page's values times the scores, which are weights now and are used up; shrink NULL: sums are
/// only written.
TK_INLINE void TK(blend_page)(const TK(task) *t, const TK(page) *page, const float *shrink,
                              float *sums) {
  const tk_kv_layout layout = t->a->layout;
  const int64_t d = layout.head_dim, dv = layout.value_dim;
  const void *memory = t->span->pages[page->index];
  if (layout.type == TK_KV_BYTE) {
    TK(blend_byte_page)(t, page, shrink, sums);
    return;
  }
  const bool half = layout.type == TK_KV_HALF;
  const int64_t start = t->kv_head * TK_PAGE_POSITIONS * (d + dv);
  const void *values = TK(kv_offset)(memory, start + TK_PAGE_POSITIONS * d, half);
  const void *next = page->next ? TK(kv_offset)(page->next, start, half) : NULL;
  if (half)
    TK(product_half)(t->queries, t->scores, 64, page->filled, values, dv, sums, dv, dv, shrink, next);
  else
    TK(product_full)(t->queries, t->scores, 64, page->filled, values, dv, sums, dv, dv, shrink, next);
}

/// The queries' attention to one segment alone, in `x`, whose maxima have room for TK_QUERIES_PADDED.
static void TK(attend_segment)(const TK(task) *t, int64_t segment, const TK(softmax) *x) {
  const tk_attention *a = t->a;
  const int64_t queries = t->queries;
  // The first query sees the first position of all, the last one the last.
  int64_t first = segment * TK_SEGMENT, end = first + TK_SEGMENT;
  if (t->view[0].first > first) first = t->view[0].first;
  if (t->view[queries - 1].end < end) end = t->view[queries - 1].end;
  float shrink[TK_QUERIES_PADDED];
  // The first page's products are written over the sums.
  bool is_first = true;
  memset(x->total, 0, (size_t)queries * 64);
  for (int64_t i = 0; i < TK_QUERIES_PADDED; i++) x->maximum[i] = -INFINITY;
  TK(page) page = {.index = first / TK_PAGE_POSITIONS, .fetches = queries <= TK_TILE_ROWS};
  for (; page.index * TK_PAGE_POSITIONS < end; page.index++) {
    int64_t base = page.index * TK_PAGE_POSITIONS;
    page.filled = end - base < TK_PAGE_POSITIONS ? end - base : TK_PAGE_POSITIONS;
    page.columns = (page.filled + 15) / 16 * 16;
    const bool has_next = page.fetches && base + TK_PAGE_POSITIONS < t->view[queries - 1].end;
    page.next = has_next ? t->span->pages[page.index + 1] : NULL;
    TK(score_page)(t, &page);
    TK(soften)(t->scores, queries, (int)(page.columns / 16), t->view, base, a->softcap, x->maximum,
               x->total, shrink);
    TK(blend_page)(t, &page, is_first ? NULL : shrink, x->sums);
    is_first = false;
  }
}

/// What a task has seen before its first position: nothing, or as if a position with the sink's score and a value of
/// zeros.
TK_INLINE void TK(begin_softmax)(const TK(task) *t, const TK(softmax) *x) {
  memset(x->sums, 0, (size_t)(t->queries * t->a->layout.value_dim) * 4);
  memset(x->total, 0, (size_t)t->queries * 64);
  for (int64_t i = 0; i < TK_QUERIES_PADDED; i++) x->maximum[i] = -INFINITY;
  for (int64_t i = 0; t->a->sinks && i < t->queries; i++) {
    x->maximum[i] = t->a->sinks[TK(head_of)(t, i)];
    x->total[16 * i] = 1;
  }
}

/// Writes the queries' results; `x` is used up.
static void TK(end_task)(const TK(task) *t, const TK(softmax) *x) {
  const tk_attention *a = t->a;
  const int64_t dv = a->layout.value_dim;
  for (int64_t i = 0; i < t->queries; i++) {
    int64_t row = t->span->first_row + TK(row_of)(t, i), head = TK(head_of)(t, i);
    float sum = TK(sum)(TK(load)(x->total + 16 * i));
    float factor = sum > 0 ? 1 / sum : 0;
    float *o = x->sums + i * dv;
    for (int64_t k = 0; k < dv; k++) o[k] *= factor;
    if (a->output) memcpy(a->output + row * a->output_stride + head * dv, o, (size_t)dv * 4);
    if (a->quantized) {
      for (int64_t b = 0; b < dv / 32; b++)
        TK(quantize_block)
        (TK(load)(o + 32 * b), TK(load)(o + 32 * b + 16),
         TK(block_at)(a->quantized, row, a->quantized_blocks, head * dv / 32 + b));
    }
  }
}

/// What a segment of a shared task left, in the task's `parts`.
TK_INLINE TK(softmax) TK(part)(const TK(task) *t, float *parts, int64_t index) {
  float *sums = parts + index * tk_part_floats(t->a, t->queries);
  float *total = sums + t->queries * t->a->layout.value_dim;
  return (TK(softmax)){sums, total, total + 16 * t->queries};
}

/// A worker's memory: of the segments before, and of the one at hand.
typedef struct {
  TK(softmax) before, segment;
} TK(worker);

/// All of a task.
static void TK(attend_whole)(TK(task) *t, tk_positions segments, const TK(worker) *w) {
  const int64_t dv = t->a->layout.value_dim;
  TK(begin_task)(t);
  TK(begin_softmax)(t, &w->before);
  for (int64_t s = segments.first; s < segments.end; s++) {
    TK(attend_segment)(t, s, &w->segment);
    TK(join)(t->queries, dv, &w->before, &w->segment);
  }
  TK(end_task)(t, &w->before);
}

/// The n-th of a task's `units`. Whoever is the last of them joins all segments.
static void TK(attend_part)(TK(task) *t, tk_positions segments, int64_t n, int64_t units,
                            float *parts, int32_t *done, const TK(worker) *w) {
  const int64_t dv = t->a->layout.value_dim;
  TK(begin_task)(t);
  const int64_t count = segments.end - segments.first;
  for (int64_t s = count * n / units; s < count * (n + 1) / units; s++) {
    const TK(softmax) part = TK(part)(t, parts, s);
    TK(attend_segment)(t, segments.first + s, &w->segment);
    memcpy(part.sums, w->segment.sums, (size_t)(t->queries * dv) * 4);
    memcpy(part.total, w->segment.total, (size_t)t->queries * 64);
    memcpy(part.maximum, w->segment.maximum, (size_t)t->queries * 4);
  }
  if (__atomic_fetch_add(done, 1, __ATOMIC_ACQ_REL) != units - 1) return;
  __atomic_store_n(done, 0, __ATOMIC_RELAXED);
  TK(begin_softmax)(t, &w->before);
  for (int64_t s = 0; s < count; s++) {
    const TK(softmax) part = TK(part)(t, parts, s);
    TK(join)(t->queries, dv, &w->before, &part);
  }
  TK(end_task)(t, &w->before);
}

static void TK(attention)(const tk_attention *a, const tk_attention_span *spans,
                          int64_t span_count, int64_t workers, int64_t first, int64_t step,
                          void *scratch) {
  const tk_attention_plan plan = tk_plan_attention(a, spans, span_count, workers);
  const int64_t heads = a->layout.key_value_heads, group = a->heads / heads;
  const int64_t d = a->layout.head_dim, dv = a->layout.value_dim;
  float maxima[2][TK_QUERIES_PADDED];
  float *sums = (float *)scratch + TK_QUERIES * (d + TK_PAGE_POSITIONS);
  TK(worker) w;
  w.before = (TK(softmax)){sums, sums + TK_QUERIES * dv, maxima[0]};
  sums += TK_QUERIES * (dv + 16);
  w.segment = (TK(softmax)){sums, sums + TK_QUERIES * dv, maxima[1]};
  TK(task) t = {.a = a, .q = scratch, .scores = (float *)scratch + TK_QUERIES * d};
  int32_t *done = a->shared;
  float *parts = plan.segments > 0 ? (float *)(done + TK_SHARED_TASKS) : NULL;
  int64_t unit = 0, next = first;
  for (int64_t s = 0; s < span_count; s++) {
    const int64_t queries = spans[s].row_count * group;
    t.span = spans + s;
    for (int64_t q = 0; q < queries; q += plan.chunk) {
      t.first_query = q;
      t.queries = queries - q < plan.chunk ? queries - q : plan.chunk;
      const tk_positions segments = tk_task_segments(a, t.span, q, t.queries);
      const int64_t count = segments.end - segments.first;
      const int64_t part_floats = tk_part_floats(a, t.queries);
      const int64_t units = plan.segments > 0 ? (count + plan.segments - 1) / plan.segments : 1;
      // Heads fastest: neighbours in the list cost the same, and the long tasks are shared out.
      for (; next < unit + units * heads; next += step) {
        const int64_t local = next - unit, n = local / heads;
        t.kv_head = local % heads;
        if (plan.segments == 0) {
          TK(attend_whole)(&t, segments, &w);
        } else {
          TK(attend_part)(&t, segments, n, units, parts + t.kv_head * count * part_floats,
                          done + t.kv_head, &w);
        }
      }
      unit += units * heads;
      if (plan.segments == 0) continue;
      done += heads;
      parts += count * heads * part_floats;
    }
  }
}

/// Keys of 16 neighbouring positions of a page, 16 numbers of each: (16, 16) turned over, so that a
/// cache line is written once and not once a position.
TK_INLINE void TK(store_turned)(const float *keys, int64_t stride, uint16_t *out) {
  h16 row[16];
  for (int i = 0; i < 16; i++) {
    uint16_t halves[16];
    TK_STORE_HALF16(halves, TK(load)(keys + i * stride));
    memcpy(&row[i], halves, 32);
  }
  TK_TURN(h16, row);
  for (int i = 0; i < 16; i++) memcpy(out + i * TK_PAGE_POSITIONS, &row[i], 32);
}

TK_INLINE void TK(store_keys)(const float *keys, int64_t d, uint16_t *out) {
  int64_t i = 0;
  for (; i + 16 <= d; i += 16) {
    uint16_t column[16];
    TK_STORE_HALF16(column, TK(load)(keys + i));
    for (int j = 0; j < 16; j++) out[(i + j) * TK_PAGE_POSITIONS] = column[j];
  }
  for (; i < d; i++) out[i * TK_PAGE_POSITIONS] = tk_float_to_half(keys[i]);
}

/// Positions `slot` to `slot + count` of one page.
TK_INLINE void TK(kv_store_page)(tk_kv_layout layout, const float *keys, int64_t key_stride,
                                 const float *values, int64_t value_stride, void *page,
                                 int64_t slot, int64_t count) {
  const int64_t d = layout.head_dim, dv = layout.value_dim;
  if (layout.type == TK_KV_BYTE) {
    TK(kv_store_bytes)(layout, keys, key_stride, values, value_stride, page, slot, count);
    return;
  }
  for (int64_t h = 0; h < layout.key_value_heads; h++, keys += d, values += dv) {
    const int64_t start = h * TK_PAGE_POSITIONS * (d + dv);
    if (layout.type == TK_KV_FLOAT) {
      float *k = (float *)page + start + slot, *v = (float *)page + start + TK_PAGE_POSITIONS * d;
      for (int64_t p = 0; p < count; p++) {
        for (int64_t i = 0; i < d; i++) k[i * TK_PAGE_POSITIONS + p] = keys[p * key_stride + i];
        memcpy(v + (slot + p) * dv, values + p * value_stride, (size_t)dv * 4);
      }
      continue;
    }
    uint16_t *k = (uint16_t *)page + start + slot, *v = (uint16_t *)page + start + TK_PAGE_POSITIONS * d;
    int64_t p = 0;
    for (; d % 16 == 0 && p + 16 <= count; p += 16)
      for (int64_t i = 0; i < d; i += 16)
        TK(store_turned)(keys + p * key_stride + i, key_stride, k + i * TK_PAGE_POSITIONS + p);
    for (; p < count; p++) TK(store_keys)(keys + p * key_stride, d, k + p);
    for (p = 0; p < count; p++) {
      const float *from = values + p * value_stride;
      uint16_t *to = v + (slot + p) * dv;
      int64_t i = 0;
      for (; i + 16 <= dv; i += 16) TK_STORE_HALF16(to + i, TK(load)(from + i));
      for (; i < dv; i++) to[i] = tk_float_to_half(from[i]);
    }
  }
}

static void TK(kv_store)(tk_kv_layout layout, const float *keys, int64_t key_stride,
                         const float *values, int64_t value_stride, void *const *pages,
                         int64_t first_position, int64_t count) {
  for (int64_t done = 0; done < count;) {
    int64_t position = first_position + done, slot = position % TK_PAGE_POSITIONS;
    int64_t here = count - done < TK_PAGE_POSITIONS - slot ? count - done : TK_PAGE_POSITIONS - slot;
    TK(kv_store_page)
    (layout, keys + done * key_stride, key_stride, values + done * value_stride, value_stride,
     pages[position / TK_PAGE_POSITIONS], slot, here);
    done += here;
  }
}
