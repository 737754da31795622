// Attention over pages of keys and values with online softmax, one page (64 positions) at a time.
// Everything a query's result depends on is done in the order of positions, whichever other
// queries share the unit: results do not depend on the batch.

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

/// c (rows, 16 * vectors) = c * alpha + a (rows, n) b (n, ...); alpha NULL: c is only written.
TK_INLINE void TK(tile_product)(int rows, int vectors, const float *a, int64_t a_stride, int64_t n,
                                const void *b, int64_t b_stride, bool half, float *c,
                                int64_t c_stride, const float *alpha) {
  v16 sum[TK_TILE_ROWS][TK_TILE_VECTORS];
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < vectors; v++)
      sum[r][v] = alpha ? TK(load)(c + r * c_stride + 16 * v) * TK(splat)(alpha[r])
                        : TK(splat)(0);
  for (int64_t k = 0; k < n; k++) {
    v16 column[TK_TILE_VECTORS];
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
    v16 sum = TK(load_some)(o, 8, 0) * TK(splat)(alpha[r]);
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
                                int64_t c_stride, int64_t columns, const float *alpha) {
  int64_t j = 0;
  for (; j + 16 * TK_TILE_VECTORS <= columns; j += 16 * TK_TILE_VECTORS)
    TK(tile_product)(rows, TK_TILE_VECTORS, a, a_stride, n, TK(kv_offset)(b, j, half), b_stride,
                     half, c + j, c_stride, alpha);
#if TK_TILE_VECTORS >= 4
  if (j + 32 <= columns) {
    TK(tile_product)(rows, 2, a, a_stride, n, TK(kv_offset)(b, j, half), b_stride, half, c + j,
                     c_stride, alpha);
    j += 32;
  }
#endif
  for (; j + 16 <= columns; j += 16)
    TK(tile_product)(rows, 1, a, a_stride, n, TK(kv_offset)(b, j, half), b_stride, half, c + j,
                     c_stride, alpha);
  if (j < columns)
    TK(narrow_product)(rows, a, a_stride, n, TK(kv_offset)(b, j, half), b_stride, half, c + j,
                       c_stride, alpha);
}

TK_INLINE void TK(product)(int64_t queries, const float *a, int64_t a_stride, int64_t n,
                           const void *b, int64_t b_stride, bool half, float *c, int64_t c_stride,
                           int64_t columns, const float *alpha) {
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
                       c_stride, columns, alphaq);                                            \
    break;
    switch (rows) {
      TK_CASE(1) TK_CASE(2) TK_CASE(3) TK_CASE(4) TK_CASE(5) TK_CASE(6)
    }
#undef TK_CASE
    q += rows;
  }
}

/// Two copies, so that the element type is a constant inside.
static __attribute__((noinline)) void TK(product_half)(int64_t queries, const float *a,
                                                       int64_t a_stride, int64_t n, const void *b,
                                                       int64_t b_stride, float *c,
                                                       int64_t c_stride, int64_t columns,
                                                       const float *alpha) {
  if (alpha) TK(product)(queries, a, a_stride, n, b, b_stride, true, c, c_stride, columns, alpha);
  else TK(product)(queries, a, a_stride, n, b, b_stride, true, c, c_stride, columns, 0);
}
static __attribute__((noinline)) void TK(product_full)(int64_t queries, const float *a,
                                                       int64_t a_stride, int64_t n, const void *b,
                                                       int64_t b_stride, float *c,
                                                       int64_t c_stride, int64_t columns,
                                                       const float *alpha) {
  if (alpha) TK(product)(queries, a, a_stride, n, b, b_stride, false, c, c_stride, columns, alpha);
  else TK(product)(queries, a, a_stride, n, b, b_stride, false, c, c_stride, columns, 0);
}

/// What a query of the unit sees: positions first..<end.
typedef struct {
  int64_t first, end;
} TK(view);

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
TK_INLINE void TK(soften)(float *scores, int64_t queries, int vectors, const TK(view) *view,
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

static void TK(attend_unit)(const tk_attention *a, const tk_attention_span *span, int64_t kv_head,
                            int64_t first_query, int64_t queries, float *scratch) {
  const int64_t d = a->layout.head_dim, dv = a->layout.value_dim;
  const int64_t group = a->heads / a->layout.key_value_heads;
  float *q = scratch, *acc = q + TK_QUERIES * d, *scores = acc + TK_QUERIES * dv;
  float *total = scores + TK_QUERIES * TK_PAGE_POSITIONS;
  float maximum[TK_QUERIES_PADDED], shrink[TK_QUERIES_PADDED];
  for (int64_t i = 0; i < TK_QUERIES_PADDED; i++) maximum[i] = -INFINITY;
  TK(view) view[TK_QUERIES];
  int64_t first = INT64_MAX, end = 0;
  for (int64_t i = 0; i < queries; i++) {
    int64_t row = (first_query + i) / group, head = kv_head * group + (first_query + i) % group;
    const float *source = a->queries + (span->first_row + row) * a->query_stride + head * d;
    for (int64_t k = 0; k < d; k++) q[i * d + k] = source[k] * a->scale;
    memset(acc + i * dv, 0, (size_t)dv * 4);
    TK(store)(total + 16 * i, TK(splat)(0));
    if (a->sinks) {
      // As if a position with this score and a value of zeros had been seen already.
      maximum[i] = a->sinks[head];
      total[16 * i] = 1;
    }
    int64_t position = span->first_position + row;
    view[i].end = a->key_count > 0 ? a->key_count : position + 1;
    view[i].first = a->window > 0 && a->key_count == 0 && position + 1 > a->window
                        ? position + 1 - a->window : 0;
    if (view[i].first < first) first = view[i].first;
    if (view[i].end > end) end = view[i].end;
  }
  for (int64_t page = first / TK_PAGE_POSITIONS; page * TK_PAGE_POSITIONS < end; page++) {
    int64_t base = page * TK_PAGE_POSITIONS;
    int64_t filled = end - base < TK_PAGE_POSITIONS ? end - base : TK_PAGE_POSITIONS;
    const void *keys =
        TK(kv_offset)(span->pages[page], kv_head * TK_PAGE_POSITIONS * (d + dv), a->layout.half);
    const void *values = TK(kv_offset)(keys, TK_PAGE_POSITIONS * d, a->layout.half);
    int64_t columns = (filled + 15) / 16 * 16;
    if (a->layout.half)
      TK(product_half)(queries, q, d, d, keys, 64, scores, 64, columns, 0);
    else
      TK(product_full)(queries, q, d, d, keys, 64, scores, 64, columns, 0);
    TK(soften)(scores, queries, (int)(columns / 16), view, base, a->softcap, maximum, total,
               shrink);
    if (a->layout.half)
      TK(product_half)(queries, scores, 64, filled, values, dv, acc, dv, dv, shrink);
    else
      TK(product_full)(queries, scores, 64, filled, values, dv, acc, dv, dv, shrink);
  }
  for (int64_t i = 0; i < queries; i++) {
    int64_t row = span->first_row + (first_query + i) / group;
    int64_t head = kv_head * group + (first_query + i) % group;
    float sum = TK(sum)(TK(load)(total + 16 * i));
    float factor = sum > 0 ? 1 / sum : 0;
    float *o = acc + i * dv;
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

static void TK(attention)(const tk_attention *a, const tk_attention_span *spans,
                          int64_t span_count, int64_t workers, int64_t first, int64_t step,
                          void *scratch) {
  int64_t chunk = tk_attention_chunk(a, spans, span_count, workers);
  int64_t group = a->heads / a->layout.key_value_heads;
  int64_t unit = 0, next = first;
  for (int64_t s = 0; s < span_count; s++) {
    int64_t queries = spans[s].row_count * group;
    int64_t chunks = (queries + chunk - 1) / chunk;
    int64_t units = chunks * a->layout.key_value_heads;
    for (; next < unit + units; next += step) {
      // Heads fastest: neighbours in the list cost the same, and the long chunks are shared out.
      int64_t local = next - unit;
      int64_t head = local % a->layout.key_value_heads, c = local / a->layout.key_value_heads;
      int64_t count = queries - c * chunk < chunk ? queries - c * chunk : chunk;
      TK(attend_unit)(a, spans + s, head, c * chunk, count, scratch);
    }
    unit += units;
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
  for (int64_t h = 0; h < layout.key_value_heads; h++, keys += d, values += dv) {
    const int64_t start = h * TK_PAGE_POSITIONS * (d + dv);
    if (!layout.half) {
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
