// Plain C: the reference for the other instruction sets, and what other machines run.
#include "attention.h"
#include "packed_layout.h"
#include "sets.h"
#include "tables.h"
#include "vectors.h"

#define TK(name) tk_generic_##name
#define TK_FMA(a, b, c) ((a) * (b) + (c))
#define TK_MAX(a, b) tk_choose(a, b, (a) > (b))
#define TK_MIN(a, b) tk_choose(a, b, (a) < (b))
#define TK_TILE_ROWS 2
#define TK_TILE_VECTORS 1

TK_INLINE v16 load_half16(const uint16_t *p) {
  u16x32 h;
  for (int i = 0; i < 16; i++) h[i] = p[i];
  u16x32 magnitude = h & 0x7fff;
  u16x32 infinite = (u16x32)(magnitude >= 0x7c00);
  u16x32 bits = (u16x32)((v16)(magnitude << 13) * (v16)(0x1p112f));
  bits = (infinite & (0x7f800000 | (magnitude & 0x3ff) << 13)) | (~infinite & bits);
  return (v16)(bits | (h & 0x8000) << 16);
}
TK_INLINE void store_half16(uint16_t *p, v16 x) {
  for (int i = 0; i < 16; i++) p[i] = tk_float_to_half(x[i]);
}
#define TK_LOAD_HALF16(p) load_half16(p)
#define TK_STORE_HALF16(p, x) store_half16(p, x)

/// sum + products of two words a lane with two words.
TK_INLINE i16 add_pairs(i16 sum, w32 a, const void *two_words) {
  int32_t b;
  memcpy(&b, two_words, 4);
  const i16 words = (i16)a, low = words << 16 >> 16, high = words >> 16;
  return sum + low * (i16)((int32_t)(int16_t)b) + high * (i16)(b >> 16);
}

#include "byte_words.h"
#include "vector_template.h"
#include "delta_template.h"
#include "float_template.h"
#include "attention_template.h"

static void tk_generic_multiply(const tk_matrix *m, int64_t first_tile, int64_t last_tile,
                                const tk_activation_block *x, int64_t first_row, int64_t row_count,
                                float *out, int64_t stride, bool accumulate) {
  const tk_format f = m->format;
  const int groups = 32 / f.group, per_group = f.group / 4;
  enum { ROWS = 8 };
  for (int64_t t = first_tile; t < last_tile; t++) {
    for (int64_t r0 = 0; r0 < row_count; r0 += ROWS) {
      int64_t rows = row_count - r0 < ROWS ? row_count - r0 : ROWS;
      float sum[ROWS][16] = {{0}};
      const uint8_t *tile = m->tiles + t * m->blocks * m->bytes_per_block;
      for (int64_t b = 0; b < m->blocks; b++) {
        const tk_packed_block block = tk_block_at(f, tile, b);
        uint8_t u[8][64];
        for (int v = 0; v < 8; v++)
          for (int i = 0; i < 64; i++) u[v][i] = (uint8_t)tk_packed_quant(f, block.quants, v, i);
        for (int g = 0; g < groups; g++) {
          const int64_t at = g * tk_scale_bytes(f);
          float scale[16], offset[16] = {0};
          for (int c = 0; c < 16; c++) {
            scale[c] = tk_packed_scale(f, block.scales + at, block.units, c);
            if (f.has_offset) offset[c] = tk_packed_scale(f, block.offsets + at, block.units + 32, c);
          }
          for (int64_t r = 0; r < rows; r++) {
            int64_t row = first_row + r0 + r;
            const tk_activation_block *a =
                x + (row / TK_ROW_GROUP * m->blocks + b) * TK_ROW_GROUP + row % TK_ROW_GROUP;
            int32_t dot[16];
            int32_t start = f.has_offset ? 0 : groups == 1 ? a->correction : a->correction16[g];
            for (int c = 0; c < 16; c++) dot[c] = start;
            for (int v = g * per_group; v < (g + 1) * per_group; v++)
              for (int c = 0; c < 16; c++)
                for (int j = 0; j < 4; j++) dot[c] += u[v][4 * c + j] * a->q[4 * v + j];
            float total = groups == 1 ? a->scaled_sum : a->scaled_sum16[g];
            for (int c = 0; c < 16; c++) sum[r][c] += (float)dot[c] * (scale[c] * a->scale);
            if (f.has_offset)
              for (int c = 0; c < 16; c++) sum[r][c] += offset[c] * total;
          }
        }
      }
      int64_t columns = m->outputs - 16 * t < 16 ? m->outputs - 16 * t : 16;
      for (int64_t r = 0; r < rows; r++) {
        float *o = out + (r0 + r) * stride + 16 * t;
        for (int64_t c = 0; c < columns; c++) {
          float y = sum[r][c] * m->factor + (m->bias ? m->bias[16 * t + c] : 0);
          o[c] = accumulate ? o[c] + y : y;
        }
      }
    }
  }
}

const tk_kernels *tk_generic_kernels(void) {
  static const tk_kernels table = TK_KERNELS("generic", tk_generic_multiply);
  return &table;
}
