// Keys and values as whole numbers of one byte, with a scale for each head and position. Products with them are exact sums
// of whole numbers: a query, and the softmax weights of a page, are rounded to 14 bits and a sign before. Nothing of a
// query's result depends on other queries of the unit, nor on the instruction set but by what rounds before.
//
// Some dimensions of keys are far larger than the others, the same ones at all positions (KIVI, arXiv 2402.02750), and would
// leave the others few bits of a scale that all share. So keys and queries are turned by the same Hadamard
// transform first, which spreads each number over all and leaves their products what they are (QuaRot, arXiv 2404.00456).
//
// The instruction sets bring `byte_columns`, `load_columns`, `add_columns`, `store_whole`, and TK_BYTE_PASSES.

/// Lanes whose number has the bit change places with their neighbours of that distance: sums and differences.
#define TK_BUTTERFLY(x, bit, ...)                                                        \
  do {                                                                                   \
    const i16 lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};             \
    const i16 sign = ((lane & (bit)) != 0) & (i16)((int32_t)0x80000000);                 \
    x = __builtin_shufflevector(x, x, __VA_ARGS__) + (v16)((i16)(x) ^ sign);             \
  } while (0)

/// The Hadamard transform of as many neighbouring numbers as the largest power of two that divides `count`, a
/// multiple of 8. x has room for whole vectors.
TK_INLINE void TK(hadamard)(float *x, int64_t count) {
  const int64_t width = count & -count;
  for (int64_t i = 0; i < count; i += 16) {
    v16 y = TK(load)(x + i);
    TK_BUTTERFLY(y, 1, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    TK_BUTTERFLY(y, 2, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    TK_BUTTERFLY(y, 4, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    if (width > 8) TK_BUTTERFLY(y, 8, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    TK(store)(x + i, y);
  }
  for (int64_t half = 16; half < width; half *= 2)
    for (int64_t block = 0; block < count; block += 2 * half)
      for (int64_t i = block; i < block + half; i += 16) {
        const v16 a = TK(load)(x + i), b = TK(load)(x + i + half);
        TK(store)(x + i, a + b);
        TK(store)(x + i + half, a - b);
      }
}

/// The largest magnitude of whole vectors. NaN is above all.
TK_INLINE float TK(magnitude)(const float *x, int64_t padded) {
  i16 bits = (i16)(0);
  for (int64_t i = 0; i < padded; i += 16)
    bits = __builtin_elementwise_max(bits, (i16)TK(abs)(TK(load)(x + i)));
  return tk_bits_to_float((uint32_t)__builtin_reduce_max(bits));
}

TK_INLINE i16 TK(to_whole)(v16 x) { return __builtin_convertvector(TK(round)(x), i16); }

/// `count` numbers in whole vectors, the last filled up with zeros.
TK_INLINE int64_t TK(padded_copy)(const float *x, int64_t count, float *out) {
  const int64_t padded = (count + 15) / 16 * 16;
  memcpy(out, x, (size_t)count * 4);
  for (int64_t i = count; i < padded; i++) out[i] = 0;
  return padded;
}

/// x, in whole vectors, to bytes; returns what they are to be multiplied with, in the upper half of a float.
TK_INLINE uint16_t TK(round_to_bytes)(const float *x, int64_t padded, int8_t *out) {
  // The scale is rounded up, and the numbers by what it then is.
  const uint32_t bits = tk_float_to_bits(TK(magnitude)(x, padded) * (1.0f / 127));
  const uint16_t scale = (uint16_t)((bits + 0xffff) >> 16);
  const float found = tk_bfloat_to_float(scale);
  const v16 inverse = TK(splat)(found > 1e-35f ? 1 / found : 0);
  for (int64_t i = 0; i < padded; i += 16) {
    const b16 q = __builtin_convertvector(TK(to_whole)(TK(load)(x + i) * inverse), b16);
    memcpy(out + i, &q, sizeof q);
  }
  return scale;
}

/// Positions `slot` to `slot + count` of one page. Neighbours may be stored by other threads meanwhile, so that no byte
/// but their own is written.
TK_INLINE void TK(kv_store_bytes)(tk_kv_layout layout, const float *keys, int64_t key_stride,
                                  const float *values, int64_t value_stride, void *page,
                                  int64_t slot, int64_t count) {
  const int64_t d = layout.head_dim, dv = layout.value_dim;
  float x[TK_MOST_BYTE_DIM];
  int8_t q[TK_MOST_BYTE_DIM];
  for (int64_t h = 0; h < layout.key_value_heads; h++) {
    const tk_byte_head head = tk_byte_head_at(layout, page, h);
    for (int64_t p = slot; p < slot + count; p++) {
      int64_t padded = TK(padded_copy)(keys + (p - slot) * key_stride + h * d, d, x);
      TK(hadamard)(x, d);
      head.key_scales[p] = TK(round_to_bytes)(x, padded, q);
      int8_t *k = head.keys + p / 16 * 16 * d + p % 16 * 4;
      for (int64_t i = 0; i < d; i += 4) memcpy(k + 16 * i, q + i, 4);
      padded = TK(padded_copy)(values + (p - slot) * value_stride + h * dv, dv, x);
      head.value_scales[p] = TK(round_to_bytes)(x, padded, q);
      int8_t *v = head.values + p / 4 * 4 * dv + p % 4;
      for (int64_t i = 0; i < dv; i++) v[4 * i] = q[i];
    }
  }
}

/// 16 scales.
TK_INLINE v16 TK(load_scales)(const uint16_t *p) {
  h16 x;
  memcpy(&x, p, sizeof x);
  return (v16)(__builtin_convertvector(x, u16x32) << 16);
}

/// A query becomes whole numbers in its own place; returns what they are to be multiplied with.
TK_INLINE float TK(round_query)(float *q, int64_t d) {
  float x[TK_MOST_BYTE_DIM];
  const int64_t padded = TK(padded_copy)(q, d, x);
  TK(hadamard)(x, d);
  const float largest = TK(magnitude)(x, padded);
  const v16 inverse = TK(splat)(largest > 1e-30f ? TK_MOST_WHOLE / largest : 0);
  for (int64_t i = 0; i < padded; i += 16)
    store_whole(TK(to_whole)(TK(load)(x + i) * inverse), (char *)q + 2 * i);
  // The transform has made both sides larger by the root of its width.
  return largest / ((float)TK_MOST_WHOLE * (float)(d & -d));
}

/// Softmax weights of a page's positions, times their values' scales, become whole numbers in their own place; returns
/// what they are to be multiplied with.
TK_INLINE float TK(round_weights)(float *weights, int vectors, const uint16_t *scales) {
  v16 top = TK(splat)(0);
  for (int v = 0; v < vectors; v++) {
    const v16 weight = TK(load)(weights + 16 * v);
    // Where nothing was stored the scale may be anything, and the weight is 0.
    const i16 seen = weight > TK(splat)(0);
    const v16 x = (v16)((i16)(weight * TK(load_scales)(scales + 16 * v)) & seen);
    TK(store)(weights + 16 * v, x);
    top = TK(max)(x, top);
  }
  const float largest = TK(max_of)(top);
  const v16 inverse = TK(splat)(largest > 1e-30f ? TK_MOST_WHOLE / largest : 0);
  for (int v = 0; v < vectors; v++)
    store_whole(TK(to_whole)(TK(load)(weights + 16 * v) * inverse), (char *)weights + 32 * v);
  return largest / TK_MOST_WHOLE;
}

/// Columns of a page's keys or values, and the rows that they are multiplied with.
typedef struct {
  const int8_t *bytes;
  int64_t tile_stride, quad_stride;  // bytes from 16 columns to the next, and from four steps to the next
  int64_t quads;                     // fours of steps
  const float *x;                    // rows of whole numbers, x_stride floats apart
  int64_t x_stride;
  const char *next;  // where as much is fetched from as is read; NULL: nowhere
} TK(byte_product);

/// sum[r][v] = rows r times columns 16 * (tile + v).
TK_INLINE void TK(whole_sums)(int rows, int tiles, const TK(byte_product) *p, int64_t tile,
                              i16 (*sum)[MOST_VECTORS]) {
  const int8_t *bytes = p->bytes + tile * p->tile_stride;
  const char *next = p->next ? p->next + 64 * tile * p->quads : NULL;
  for (int r = 0; r < rows; r++)
    for (int v = 0; v < tiles; v++) sum[r][v] = (i16)(0);
  for (int pass = 0; pass < TK_BYTE_PASSES; pass++) {
    if (pass > 0)
      for (int r = 0; r < rows; r++)
        for (int v = 0; v < tiles; v++) sum[r][v] <<= 7;
    for (int64_t k = 0; k < p->quads; k++) {
      if (next && pass == 0)
        for (int v = 0; v < tiles; v++) __builtin_prefetch(next + 64 * (k * tiles + v));
      for (int v = 0; v < tiles; v++) {
        const byte_columns c = load_columns(bytes + v * p->tile_stride + k * p->quad_stride);
        for (int r = 0; r < rows; r++)
          sum[r][v] = add_columns(sum[r][v], c, (const char *)(p->x + r * p->x_stride) + 8 * k, pass);
      }
    }
  }
}

/// Scores of `vectors` times 16 positions.
TK_INLINE void TK(score_tiles)(int rows, int tiles, const TK(byte_product) *p, int64_t tile,
                               const float *units, const uint16_t *scales, float *out) {
  i16 sum[TK_TILE_ROWS][MOST_VECTORS];
  TK(whole_sums)(rows, tiles, p, tile, sum);
  for (int v = 0; v < tiles; v++) {
    const v16 scale = TK(load_scales)(scales + 16 * (tile + v));
    for (int r = 0; r < rows; r++)
      TK(store)(out + r * TK_PAGE_POSITIONS + 16 * (tile + v),
                __builtin_convertvector(sum[r][v], v16) * (scale * TK(splat)(units[r])));
  }
}

TK_INLINE void TK(blend_tiles)(int rows, int tiles, const TK(byte_product) *p, int64_t tile,
                               const float *units, const float *alpha, float *out, int64_t dv) {
  i16 sum[TK_TILE_ROWS][MOST_VECTORS];
  TK(whole_sums)(rows, tiles, p, tile, sum);
  for (int r = 0; r < rows; r++) {
    for (int v = 0; v < tiles; v++) {
      float *o = out + r * dv + 16 * (tile + v);
      v16 y = __builtin_convertvector(sum[r][v], v16) * TK(splat)(units[r]);
      if (16 * (tile + v) + 16 <= dv) {
        if (alpha) y = TK(fma)(TK(load)(o), TK(splat)(alpha[r]), y);
        TK(store)(o, y);
      } else {
        // The last half of a vector; what else was read of its bytes is another's.
        if (alpha) y = TK(fma)(TK(load_some)(o, 8, 0), TK(splat)(alpha[r]), y);
        TK(store_some)(o, y, 8);
      }
    }
  }
}

/// Tiles at once, for rows whose sums leave registers free.
TK_INLINE int TK(byte_tiles)(int rows) {
  return TK_TILE_VECTORS > 1 ? TK_TILE_VECTORS : rows <= 2 ? 2 : 1;
}

TK_INLINE void TK(score_rows)(int rows, const TK(byte_product) *p, int64_t count,
                              const float *units, const uint16_t *scales, float *out) {
  const int tiles = TK(byte_tiles)(rows);
  int64_t t = 0;
  for (; t + tiles <= count; t += tiles) TK(score_tiles)(rows, tiles, p, t, units, scales, out);
  for (; t < count; t++) TK(score_tiles)(rows, 1, p, t, units, scales, out);
}

TK_INLINE void TK(blend_rows)(int rows, const TK(byte_product) *p, int64_t dv, const float *units,
                              const float *alpha, float *out) {
  const int tiles = TK(byte_tiles)(rows);
  const int64_t count = (dv + 15) / 16;
  int64_t t = 0;
  for (; t + tiles <= count; t += tiles) TK(blend_tiles)(rows, tiles, p, t, units, alpha, out, dv);
  for (; t < count; t++) TK(blend_tiles)(rows, 1, p, t, units, alpha, out, dv);
}

#define TK_BYTE_ROWS(CALL)                                                   \
  for (int64_t q = 0; q < queries;) {                                        \
    const int64_t left = queries - q;                                        \
    const int rows = left < TK_TILE_ROWS ? (int)left : TK_TILE_ROWS;         \
    p.x = x + q * x_stride;                                                  \
    switch (rows) {                                                          \
      TK_BYTE_CASE(1, CALL) TK_BYTE_CASE(2, CALL) TK_BYTE_CASE(3, CALL)      \
      TK_BYTE_CASE(4, CALL) TK_BYTE_CASE(5, CALL) TK_BYTE_CASE(6, CALL)      \
    }                                                                        \
    q += rows;                                                               \
  }
#define TK_BYTE_CASE(R, CALL)                                                \
  case R:                                                                    \
    if (R <= TK_TILE_ROWS) CALL(R <= TK_TILE_ROWS ? R : 1);                  \
    break;

/// out (queries, 64) = rounded queries times the keys of `count` times 16 positions.
static __attribute__((noinline)) void TK(score_bytes)(int64_t queries, const float *x, int64_t d,
                                                      const float *units,
                                                      const tk_byte_head *head, int64_t count,
                                                      float *out, const char *next) {
  const int64_t x_stride = d;
  TK(byte_product) p = {head->keys, 16 * d, 64, d / 4, x, x_stride, next};
#define TK_SCORE(R) \
  TK(score_rows)(R, &p, count, units + q, head->key_scales, out + q * TK_PAGE_POSITIONS)
  if (next) {
    TK_BYTE_ROWS(TK_SCORE)
  } else {
    p.next = NULL;
    TK_BYTE_ROWS(TK_SCORE)
  }
#undef TK_SCORE
}

/// out (queries, dv) = out * alpha + rounded weights times the values of the first `filled` positions; alpha NULL:
/// out is only written.
static __attribute__((noinline)) void TK(blend_bytes)(int64_t queries, const float *x, int64_t filled,
                                                      const float *units,
                                                      const tk_byte_head *head, int64_t dv,
                                                      const float *alpha, float *out,
                                                      const char *next) {
  const int64_t x_stride = TK_PAGE_POSITIONS;
  TK(byte_product) p = {head->values, 64, 4 * dv, (filled + 3) / 4, x, x_stride, next};
#define TK_BLEND(R) \
  TK(blend_rows)(R, &p, dv, units + q, alpha ? alpha + q : NULL, out + q * dv)
  if (next) {
    TK_BYTE_ROWS(TK_BLEND)
  } else {
    p.next = NULL;
    TK_BYTE_ROWS(TK_BLEND)
  }
#undef TK_BLEND
}
#undef TK_BYTE_ROWS
#undef TK_BYTE_CASE
