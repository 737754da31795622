// Where a block of the packed layout has what; CKernels.h has the picture.
#pragma once

#include "CKernels.h"
#include "half.h"
#include "unpack.h"

/// Blocks that share the units of their scales, where scales are bytes.
enum { TK_SUPER_BLOCK = 8 };

/// A block of a tile, or what belongs to it.
typedef struct {
  const uint8_t *quants;
  const uint8_t *scales;   // of the first group, 16 outputs; those of the next group behind them
  const uint8_t *offsets;  // alike, where there are any
  const uint8_t *units;    // of scales in bytes: 16 f16 for scales, and 16 for offsets behind them
} tk_packed_block;

/// Bytes of a block's quants.
static inline int64_t tk_quant_bytes(tk_format f) { return 64 * (f.table ? 4 : f.bits); }

/// Bytes of the scales of a group of 16 outputs.
static inline int64_t tk_scale_bytes(tk_format f) { return f.scales == TK_SCALES_HALF ? 32 : 16; }

/// Bytes of all scales and offsets of a block, without units.
static inline int64_t tk_block_scale_bytes(tk_format f) {
  return 32 / f.group * (1 + f.has_offset) * tk_scale_bytes(f);
}

/// Bytes of the units of a super-block.
static inline int64_t tk_unit_bytes(tk_format f) {
  return f.scales == TK_SCALES_BYTE ? 32 * (1 + f.has_offset) : 0;
}

/// Bytes of a block, its share of the units included.
static inline int64_t tk_block_bytes(tk_format f) {
  return tk_quant_bytes(f) + tk_block_scale_bytes(f) + tk_unit_bytes(f) / TK_SUPER_BLOCK;
}

/// Block `index` of a tile.
static inline __attribute__((always_inline)) tk_packed_block tk_block_at(tk_format f,
                                                                         const uint8_t *tile,
                                                                         int64_t index) {
  const int64_t quant_bytes = tk_quant_bytes(f), scale_bytes = tk_block_scale_bytes(f);
  tk_packed_block block;
  if (f.scales == TK_SCALES_BYTE) {
    const int64_t place = index % TK_SUPER_BLOCK;
    block.units = tile + (index - place) * tk_block_bytes(f);
    block.scales = block.units + tk_unit_bytes(f) + place * scale_bytes;
    block.quants = block.units + tk_unit_bytes(f) + TK_SUPER_BLOCK * scale_bytes + place * quant_bytes;
  } else {
    block.units = tile;  // none
    block.quants = tile + index * tk_block_bytes(f);
    block.scales = block.quants + quant_bytes;
  }
  block.offsets = block.scales + 32 / f.group * tk_scale_bytes(f);
  return block;
}

/// The scale (or offset) of output c, in units of the matrix's factor.
static inline float tk_packed_scale(tk_format f, const uint8_t *scales, const uint8_t *units, int c) {
  switch (f.scales) {
    case TK_SCALES_HALF: return tk_half_to_float(tk_load16(scales + 2 * c));
    case TK_SCALES_BYTE: return tk_half_to_float(tk_load16(units + 2 * c)) * (float)(int8_t)scales[c];
    default: return tk_bits_to_float((uint32_t)scales[c] << 23);
  }
}

/// Byte i of a block's vector v, as the dot product sees it: left-aligned.
static inline int tk_packed_quant(tk_format f, const uint8_t *quants, int64_t v, int64_t i) {
  const int bits = f.table ? 4 : f.bits;
  if (bits == 8) return quants[64 * v + i];
  const uint8_t pair = quants[64 * (v % 4) + i];
  int u = v < 4 ? (pair & 15) << 4 : pair & 0xf0;
  if (f.table) return 128 + tk_table(f.table)[u >> 4] * (1 << (8 - f.bits));
  if (bits == 5) u |= (quants[256 + i] >> v & 1) << 3;
  if (bits == 6) u |= (quants[256 + 64 * (v / 4) + i] >> (2 * (v % 4)) & 3) << 2;
  return u;
}
