// From GGUF's blocks to the packed layout (CKernels.h has the picture), and back for single rows.
#include <math.h>

#include "CKernels.h"
#include "half.h"
#include "unpack.h"

enum { F32 = 0, F16 = 1, BF16 = 30, MXFP4 = 39 };

static int64_t element_bytes(uint32_t type) { return type == F32 ? 4 : 2; }
static bool is_float(uint32_t type) { return type == F32 || type == F16 || type == BF16; }

bool tk_format_for_type(uint32_t type, tk_format *format) {
  tk_type t;
  if (is_float(type)) {
    *format = (tk_format){8, 0, 32};
    return true;
  }
  if (!tk_quantized_type(type, &t)) return false;
  *format = (tk_format){t.bits, t.has_offset, t.group};
  return true;
}

int64_t tk_format_bytes_per_block(tk_format f) {
  return 64 * f.bits + 32 * (32 / f.group) * (1 + f.has_offset);
}

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
  float scale_unit = 1 / (float)(1 << (8 - t.bits));
  tk_unpacked u;
  for (int64_t r = first_row; r < last_row; r++) {
    for (int64_t b = 0; b < inputs / t.block; b++) {
      const uint8_t *block = bytes + r * stride + b * t.bytes;
      if (t.block == 32 && type != MXFP4) {  // the scales alone, without taking the quants apart
        u.scale[0] = tk_half_to_float(tk_load16(block));
        u.offset[0] = t.has_offset ? tk_half_to_float(tk_load16(block + 2)) : 0;
      } else {
        tk_unpack(type, block, &u);
      }
      for (int i = 0; i < t.block / t.group; i++) {
        largest = fmaxf(largest, scale_unit * finite_or_zero(u.scale[i]));
        if (t.has_offset) largest = fmaxf(largest, finite_or_zero(u.offset[i]));
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
  if (f->bits == 8) {
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
  if (f->bits == 5) {
    uint32_t plane = 0;
    for (int v = 0; v < 8; v++) {
      uint32_t w;
      memcpy(&w, u + 4 * v, 4);
      plane |= (w >> 3 & 0x01010101u) << v;
    }
    memcpy(block + 256 + 4 * c, &plane, 4);
  } else if (f->bits == 6) {
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

/// One row of the source (of at most one GGUF block's inputs at a time) into column c of a tile.
static void pack_column(const tk_matrix *m, uint32_t type, const uint8_t *row, int c,
                        uint8_t *tile) {
  const tk_format f = m->format;
  float inverse = 1 / m->factor;
  int64_t quant_bytes = 64 * f.bits;
  int groups = 32 / f.group;
  if (is_float(type)) {
    int64_t size = element_bytes(type);
    float w[32];
    uint8_t u[32];
    for (int64_t b = 0; b < m->blocks; b++) {
      int64_t n = m->inputs - 32 * b < 32 ? m->inputs - 32 * b : 32;
      memset(w, 0, sizeof w);
      tk_dequantize(type, row + 32 * b * size, n, w);
      uint16_t scale = quantize_weights(w, m->factor, u);
      uint8_t *block = tile + b * m->bytes_per_block;
      place(block, &f, c, u);
      memcpy(block + quant_bytes + 2 * c, &scale, 2);
    }
    return;
  }
  tk_type t;
  if (!tk_quantized_type(type, &t)) return;
  tk_unpacked u;
  int shift = 8 - f.bits;
  // Left-aligning the quants multiplies them by 2^shift; the scale makes up for it.
  float scale_unit = inverse / (float)(1 << shift);
  for (int64_t k = 0; k < m->inputs; k += t.block, row += t.bytes) {
    tk_unpack(type, row, &u);
    if (shift) {
      for (int i = 0; i < t.block; i++) u.q[i] = (uint8_t)(u.q[i] << shift);
    }
    for (int s = 0; s < t.block / 32; s++) {
      uint8_t *block = tile + (k / 32 + s) * m->bytes_per_block;
      place(block, &f, c, u.q + 32 * s);
      for (int g = 0; g < groups; g++) {
        put_half(block + quant_bytes + 32 * g + 2 * c, u.scale[groups * s + g] * scale_unit);
        if (f.has_offset)
          put_half(block + quant_bytes + 32 * (groups + g) + 2 * c,
                   u.offset[groups * s + g] * inverse);
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
      pack_column(m, type, (const uint8_t *)source + (t * TK_TILE + c) * stride, c, tile);
  }
}

void tk_matrix_row(const tk_matrix *m, int64_t row, float *destination) {
  const tk_format f = m->format;
  int c = (int)(row % TK_TILE);
  int groups = 32 / f.group;
  const uint8_t *block = m->tiles + row / TK_TILE * m->blocks * m->bytes_per_block;
  for (int64_t b = 0; b < m->blocks; b++, block += m->bytes_per_block) {
    const uint8_t *scales = block + 64 * f.bits;
    int64_t n = m->inputs - 32 * b < 32 ? m->inputs - 32 * b : 32;
    for (int64_t i = 0; i < n; i++) {
      int64_t v = i / 4, byte = 4 * c + i % 4;
      int u;
      if (f.bits == 8) {
        u = block[64 * v + byte];
      } else {
        uint8_t pair = block[64 * (v % 4) + byte];
        u = v < 4 ? (pair & 15) << 4 : pair & 0xf0;
        if (f.bits == 5) u |= (block[256 + byte] >> v & 1) << 3;
        if (f.bits == 6) u |= (block[256 + 64 * (v / 4) + byte] >> (2 * (v % 4)) & 3) << 2;
      }
      int64_t g = i / f.group;
      float scale = tk_half_to_float(tk_load16(scales + 32 * g + 2 * c));
      float w;
      if (f.has_offset) {
        float offset = tk_half_to_float(tk_load16(scales + 32 * (groups + g) + 2 * c));
        w = scale * (float)u + offset;
      } else {
        w = scale * (float)(u - 128);
      }
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
