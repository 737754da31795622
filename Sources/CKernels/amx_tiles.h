// AMX's tiles: eight registers of up to 16 rows of 64 bytes. Included where the target attribute is in force.
#pragma once

#include <immintrin.h>
#include <string.h>

#include "CKernels.h"

/// What LDTILECFG reads.
typedef struct {
  uint8_t palette;  // 1
  uint8_t start_row;
  uint8_t reserved[14];
  uint16_t row_bytes[16];  // a tile
  uint8_t rows[16];
} tk_tile_shapes;

#if defined(TK_EMULATED)

static _Thread_local uint8_t tiles[8][16][64];
static _Thread_local tk_tile_shapes shapes;

static inline void TILES_BEGIN(const tk_tile_shapes *s) {
  shapes = *s;
  memset(tiles, 0, sizeof tiles);
}
static inline void TILES_END(void) { memset(&shapes, 0, sizeof shapes); }
static inline void TILE_ZERO(int t) { memset(tiles[t], 0, sizeof tiles[t]); }
static inline void TILE_LOAD(int t, const void *p, int64_t stride) {
  for (int r = 0; r < shapes.rows[t]; r++)
    memcpy(tiles[t][r], (const uint8_t *)p + r * stride, shapes.row_bytes[t]);
}
static inline void TILE_STORE(int t, void *p, int64_t stride) {
  for (int r = 0; r < shapes.rows[t]; r++)
    memcpy((uint8_t *)p + r * stride, tiles[t][r], shapes.row_bytes[t]);
}
static inline void TILE_ADD_PRODUCT(int sum, int a, int b) {
  for (int r = 0; r < shapes.rows[sum]; r++) {
    for (int c = 0; c < shapes.row_bytes[sum] / 4; c++) {
      int32_t total;
      memcpy(&total, tiles[sum][r] + 4 * c, 4);
      for (int k = 0; k < shapes.row_bytes[a]; k++)
        total += (int8_t)tiles[a][r][k] * (int32_t)tiles[b][k / 4][4 * c + k % 4];
      memcpy(tiles[sum][r] + 4 * c, &total, 4);
    }
  }
}

#else

// Macros, since a tile's number is part of the instruction.
#define TILES_BEGIN(shapes) _tile_loadconfig(shapes)
#define TILES_END() _tile_release()
#define TILE_ZERO(t) _tile_zero(t)
#define TILE_LOAD(t, p, stride) _tile_loadd(t, p, stride)
#define TILE_STORE(t, p, stride) _tile_stored(t, p, stride)
/// sum[r][c] += four bytes for each of a row's lanes: signed of a's row, unsigned of b's column c.
#define TILE_ADD_PRODUCT(sum, a, b) _tile_dpbsud(sum, a, b)

#endif
