// From GGUF's blocks to the packed layout (CKernels.h has the picture), and back for single rows.
#include <math.h>

#include "CKernels.h"
#include "half.h"
#include "packed_layout.h"
#include "unpack.h"

enum { F32 = 0, F16 = 1, BF16 = 30 };

static int64_t element_bytes(uint32_t type) { return type == F32 ? 4 : 2; }
static bool is_float(uint32_t type) { return type == F32 || type == F16 || type == BF16; }

bool tk_format_for_type(uint32_t type, tk_format *format) {
  tk_type t;
  if (is_float(type)) {
    *format = (tk_format){.bits = 8, .group = 32};
    return true;
  }
  if (!tk_quantized_type(type, &t)) return false;
  *format = t.format;
  return true;
}

int64_t tk_format_bytes_per_block(tk_format f) { return tk_block_bytes(f); }

/// 32 weights of a float row as 8-bit quants about 128; returns the scale, in units of `factor` and
/// as f16, which the quants are rounded for.
static uint16_t quantize_weights(const float *w, float factor, uint8_t *q) {
  float largest = 0;
  for (int i = 0; i < 32; i++) largest = fmaxf(largest, fabsf(w[i]));
  uint16_t half = tk_float_to_half(largest / 127 / factor);
  float inverse = 1 / (tk_half_to_float(half) * factor);
  if (!isfinite(inverse)) inverse = 0;
  for (int i = 0; i < 32; i++) {
    float scaled = w[i] * inverse;
    q[i] = (uint8_t)(128 + (int)lrintf(scaled > -127 ? (scaled < 127 ? scaled : 127) : -127));
  }
  return half;
}

/// Bytes from one row of the source to the next.
static int64_t row_bytes(uint32_t type, int64_t inputs) {
  tk_type t;
  if (tk_quantized_type(type, &t)) return inputs / t.block * t.bytes;
  return inputs * element_bytes(type);
}

static float finite_or_zero(float x) { return isfinite(x) ? fabsf(x) : 0; }

float tk_pack_magnitude(uint32_t type, const void *source, int64_t inputs, int64_t first_row,
                        int64_t last_row) {
  const uint8_t *bytes = source;
  int64_t stride = row_bytes(type, inputs);
  float largest = 0;
  if (is_float(type)) {
    float chunk[256];
    int64_t size = element_bytes(type);
    for (int64_t r = first_row; r < last_row; r++) {
      for (int64_t k = 0; k < inputs; k += 256) {
        int64_t n = inputs - k < 256 ? inputs - k : 256;
        tk_dequantize(type, bytes + r * stride + k * size, n, chunk);
        for (int64_t i = 0; i < n; i++) largest = fmaxf(largest, finite_or_zero(chunk[i]));
      }
    }
    return largest / 127;
  }
  tk_type t;
  if (!tk_quantized_type(type, &t)) return 0;
  const tk_format f = t.format;
  float scale_unit = 1 / (float)(1 << (8 - f.bits));
  for (int64_t r = first_row; r < last_row; r++) {
    for (int64_t b = 0; b < inputs / t.block; b++) {
      const uint8_t *block = bytes + r * stride + b * t.bytes;
      if (f.scales == TK_SCALES_EXPONENT) {
        tk_unpacked u;
        tk_unpack(type, block, &u);
        largest = fmaxf(largest, scale_unit * finite_or_zero(u.scale[0]));
        continue;
      }
      // The f16 alone, without taking the quants apart.
      float scale = tk_half_to_float(tk_load16(block + t.scale_at));
      largest = fmaxf(largest, scale_unit * finite_or_zero(scale));
      if (f.has_offset) {
        float offset = tk_half_to_float(tk_load16(block + t.scale_at + 2));
        largest = fmaxf(largest, finite_or_zero(offset));
      }
    }
  }
  return largest;
}

float tk_pack_factor(float magnitude) {
  if (!(magnitude > 0) || !isfinite(magnitude)) return 1;
  int exponent;
  frexpf(magnitude, &exponent);  // magnitude in [2^(e-1), 2^e)
  int shift = exponent - 14;
  if (shift < -100) shift = -100;
  if (shift > 100) shift = 100;
  return ldexpf(1, shift);
}

/// Quants of one output in one block, already left-aligned, to their places.
static void place(uint8_t *block, const tk_format *f, int c, const uint8_t *u) {
  const int bits = f->table ? 4 : f->bits;
  if (bits == 8) {
    for (int v = 0; v < 8; v++) memcpy(block + 64 * v + 4 * c, u + 4 * v, 4);
    return;
  }
  for (int n = 0; n < 4; n++) {
    uint32_t low, high;
    memcpy(&low, u + 4 * n, 4);
    memcpy(&high, u + 4 * (n + 4), 4);
    uint32_t both = (low >> 4 & 0x0f0f0f0fu) | (high & 0xf0f0f0f0u);
    memcpy(block + 64 * n + 4 * c, &both, 4);
  }
  if (bits == 5) {
    uint32_t plane = 0;
    for (int v = 0; v < 8; v++) {
      uint32_t w;
      memcpy(&w, u + 4 * v, 4);
      plane |= (w >> 3 & 0x01010101u) << v;
    }
    memcpy(block + 256 + 4 * c, &plane, 4);
  } else if (bits == 6) {
    for (int p = 0; p < 2; p++) {
      uint32_t plane = 0;
      for (int v = 0; v < 4; v++) {
        uint32_t w;
        memcpy(&w, u + 4 * (4 * p + v), 4);
        plane |= (w >> 2 & 0x03030303u) << (2 * v);
      }
      memcpy(block + 256 + 64 * p + 4 * c, &plane, 4);
    }
  }
}

static void put_half(uint8_t *p, float value) {
  uint16_t h = tk_float_to_half(value);
  memcpy(p, &h, 2);
}

/// The exponent of a power of two as a float has it; 0 for numbers below the least normal one, and for 0.
static uint8_t exponent_of(float power) { return (uint8_t)(tk_float_to_bits(power) >> 23); }

/// One row of floats into column c of a tile.
static void pack_float_column(const tk_matrix *m, uint32_t type, const uint8_t *row, int c,
                              uint8_t *tile) {
  int64_t size = element_bytes(type);
  float w[32];
  uint8_t u[32];
  for (int64_t b = 0; b < m->blocks; b++) {
    int64_t n = m->inputs - 32 * b < 32 ? m->inputs - 32 * b : 32;
    memset(w, 0, sizeof w);
    tk_dequantize(type, row + 32 * b * size, n, w);
    uint16_t scale = quantize_weights(w, m->factor, u);
    tk_packed_block block = tk_block_at(m->format, tile, b);
    place((uint8_t *)block.quants, &m->format, c, u);
    memcpy((uint8_t *)block.scales + 2 * c, &scale, 2);
  }
}

/// One quantised row of the source, a GGUF block at a time, into column c of a tile.
static void pack_column(const tk_matrix *m, uint32_t type, const uint8_t *row, int c,
                        uint8_t *tile) {
  tk_type t;
  if (!tk_quantized_type(type, &t)) return;
  const tk_format f = m->format;
  const int groups = 32 / f.group, shift = f.table ? 4 : 8 - f.bits;
  const int64_t width = tk_scale_bytes(f);
  // Left-aligning what the dot product sees multiplies it by 2^(8 - bits); the scale makes up for it.
  const float inverse = 1 / m->factor, scale_unit = inverse / (float)(1 << (8 - f.bits));
  tk_unpacked u;
  for (int64_t k = 0; k < m->inputs; k += t.block, row += t.bytes) {
    tk_unpack(type, row, &u);
    for (int i = 0; i < t.block; i++) u.q[i] = (uint8_t)(u.q[i] << shift);
    for (int s = 0; s < t.block / 32; s++) {
      const tk_packed_block block = tk_block_at(f, tile, k / 32 + s);
      uint8_t *scales = (uint8_t *)block.scales, *offsets = (uint8_t *)block.offsets;
      place((uint8_t *)block.quants, &f, c, u.q + 32 * s);
      for (int g = 0; g < groups; g++) {
        const int i = groups * s + g;
        switch (f.scales) {
          case TK_SCALES_HALF:
            put_half(scales + width * g + 2 * c, u.scale[i] * scale_unit);
            if (f.has_offset) put_half(offsets + width * g + 2 * c, u.offset[i] * inverse);
            break;
          case TK_SCALES_BYTE:
            scales[width * g + c] = (uint8_t)u.code[i];
            if (f.has_offset) offsets[width * g + c] = (uint8_t)u.offset_code[i];
            break;
          default: scales[width * g + c] = exponent_of(u.scale[i] * scale_unit);
        }
      }
      if (f.scales == TK_SCALES_BYTE && s == 0) {
        uint8_t *units = (uint8_t *)block.units;
        put_half(units + 2 * c, u.unit * scale_unit);
        if (f.has_offset) put_half(units + 32 + 2 * c, u.offset_unit * inverse);
      }
    }
  }
}

void tk_pack_tiles(const tk_matrix *m, uint32_t type, const void *source, int64_t first_tile,
                   int64_t last_tile, uint8_t *tiles) {
  int64_t stride = row_bytes(type, m->inputs);
  for (int64_t t = first_tile; t < last_tile; t++) {
    uint8_t *tile = tiles + t * m->blocks * m->bytes_per_block;
    for (int c = 0; c < TK_TILE && t * TK_TILE + c < m->outputs; c++)
      (is_float(type) ? pack_float_column : pack_column)(
          m, type, (const uint8_t *)source + (t * TK_TILE + c) * stride, c, tile);
  }
}

void tk_matrix_row(const tk_matrix *m, int64_t row, float *destination) {
  const tk_format f = m->format;
  const int c = (int)(row % TK_TILE);
  const uint8_t *tile = m->tiles + row / TK_TILE * m->blocks * m->bytes_per_block;
  for (int64_t b = 0; b < m->blocks; b++) {
    const tk_packed_block block = tk_block_at(f, tile, b);
    const int64_t n = m->inputs - 32 * b < 32 ? m->inputs - 32 * b : 32;
    for (int64_t i = 0; i < n; i++) {
      const int64_t at = i / f.group * tk_scale_bytes(f);
      const float u = (float)tk_packed_quant(f, block.quants, i / 4, 4 * c + i % 4);
      const float scale = tk_packed_scale(f, block.scales + at, block.units, c);
      const float w = f.has_offset
                          ? scale * u + tk_packed_scale(f, block.offsets + at, block.units + 32, c)
                          : scale * (u - 128);
      destination[32 * b + i] = w * m->factor;
    }
  }
}

void tk_pack_float_tiles(uint32_t type, const void *source, int64_t source_row_bytes,
                         int64_t outputs, int64_t inputs, int64_t first_tile, int64_t last_tile,
                         float *tiles, float *scratch_row) {
  for (int64_t t = first_tile; t < last_tile; t++) {
    float *tile = tiles + t * inputs * TK_TILE;
    for (int64_t c = 0; c < TK_TILE && t * TK_TILE + c < outputs; c++) {
      const uint8_t *row = (const uint8_t *)source + (t * TK_TILE + c) * source_row_bytes;
      tk_dequantize(type, row, inputs, scratch_row);
      for (int64_t k = 0; k < inputs; k++) tile[k * TK_TILE + c] = scratch_row[k];
    }
  }
}
