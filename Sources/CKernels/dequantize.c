// The block formats of GGUF, each taken apart in one place (tk_unpack). Dequantisation and packing
// both stand on it, so they cannot disagree.
#include "CKernels.h"
#include "half.h"
#include "unpack.h"

enum {
  F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8, Q2_K = 10, Q3_K = 11,
  Q4_K = 12, Q5_K = 13, Q6_K = 14, IQ4_NL = 20, IQ4_XS = 23, BF16 = 30, MXFP4 = 39,
};

bool tk_quantized_type(uint32_t type, tk_type *out) {
  enum { HALF = TK_SCALES_HALF, BYTE = TK_SCALES_BYTE, EXPONENT = TK_SCALES_EXPONENT };
  switch (type) {
    case Q4_0: *out = (tk_type){32, 18, 0, 8, {4, 0, 32, HALF, 0}}; return true;
    case Q4_1: *out = (tk_type){32, 20, 0, 0, {4, 1, 32, HALF, 0}}; return true;
    case Q5_0: *out = (tk_type){32, 22, 0, 16, {5, 0, 32, HALF, 0}}; return true;
    case Q5_1: *out = (tk_type){32, 24, 0, 0, {5, 1, 32, HALF, 0}}; return true;
    case Q8_0: *out = (tk_type){32, 34, 0, 128, {8, 0, 32, HALF, 0}}; return true;
    case Q2_K: *out = (tk_type){256, 84, 80, 0, {4, 1, 16, BYTE, 0}}; return true;
    case Q3_K: *out = (tk_type){256, 110, 108, 8, {4, 0, 16, BYTE, 0}}; return true;
    case Q4_K: *out = (tk_type){256, 144, 0, 0, {4, 1, 32, BYTE, 0}}; return true;
    case Q5_K: *out = (tk_type){256, 176, 0, 0, {5, 1, 32, BYTE, 0}}; return true;
    case Q6_K: *out = (tk_type){256, 210, 208, 32, {6, 0, 16, BYTE, 0}}; return true;
    case IQ4_NL: *out = (tk_type){32, 18, 0, 0, {8, 0, 32, HALF, TK_TABLE_IQ4}}; return true;
    case IQ4_XS: *out = (tk_type){256, 136, 0, 0, {8, 0, 32, BYTE, TK_TABLE_IQ4}}; return true;
    // Twice the 4-bit floats' values are integers from -12 to 12, which 5 bits hold exactly.
    case MXFP4: *out = (tk_type){32, 17, 0, 0, {5, 0, 32, EXPONENT, TK_TABLE_MXFP4}}; return true;
    default: return false;
  }
}

/// The scales of a block of 256 from their codes.
static void scale_by_codes(const tk_type *t, const uint8_t *b, tk_unpacked *out) {
  out->unit = tk_half_to_float(tk_load16(b + t->scale_at));
  out->offset_unit = t->format.has_offset ? -tk_half_to_float(tk_load16(b + t->scale_at + 2)) : 0;
  for (int i = 0; i < 256 / t->format.group; i++) {
    out->scale[i] = out->unit * (float)out->code[i];
    out->offset[i] = t->format.has_offset ? out->offset_unit * (float)out->offset_code[i] : 0;
  }
}

/// The 6-bit scale and minimum of sub-block i of Q4_K and Q5_K.
static void scale_min_k4(const uint8_t *s, int i, int *scale, int *minimum) {
  if (i < 4) {
    *scale = s[i] & 63;
    *minimum = s[i + 4] & 63;
  } else {
    *scale = (s[i + 4] & 15) | (s[i - 4] >> 6) << 4;
    *minimum = (s[i + 4] >> 4) | (s[i] >> 6) << 4;
  }
}

static void unpack_4_5(uint32_t type, const uint8_t *b, tk_unpacked *out) {
  bool has_offset = type == Q4_1 || type == Q5_1;
  bool five = type == Q5_0 || type == Q5_1;
  out->scale[0] = tk_half_to_float(tk_load16(b));
  out->offset[0] = has_offset ? tk_half_to_float(tk_load16(b + 2)) : 0;
  b += has_offset ? 4 : 2;
  uint32_t high = 0;
  if (five) {
    memcpy(&high, b, 4);
    b += 4;
  }
  for (int i = 0; i < 16; i++) {
    out->q[i] = (uint8_t)((b[i] & 15) | (high >> i & 1) << 4);
    out->q[i + 16] = (uint8_t)((b[i] >> 4) | (high >> (i + 16) & 1) << 4);
  }
}

static void unpack_q4_q5_k(uint32_t type, const uint8_t *b, tk_unpacked *out) {
  const uint8_t *scales = b + 4;
  const uint8_t *high = b + 16;
  const uint8_t *q = type == Q5_K ? b + 48 : b + 16;
  for (int i = 0; i < 8; i++) {
    int scale, minimum;
    scale_min_k4(scales, i, &scale, &minimum);
    out->code[i] = (int8_t)scale;
    out->offset_code[i] = (int8_t)minimum;
    const uint8_t *half = q + 32 * (i / 2);
    for (int k = 0; k < 32; k++) {
      int value = i % 2 ? half[k] >> 4 : half[k] & 15;
      if (type == Q5_K) value |= (high[k] >> i & 1) << 4;
      out->q[32 * i + k] = (uint8_t)value;
    }
  }
}

static void unpack_q6_k(const uint8_t *b, tk_unpacked *out) {
  for (int h = 0; h < 2; h++) {
    const uint8_t *low = b + 64 * h, *high = b + 128 + 32 * h;
    for (int k = 0; k < 32; k++) {
      uint8_t *q = out->q + 128 * h + k;
      q[0] = (uint8_t)((low[k] & 15) | (high[k] & 3) << 4);
      q[32] = (uint8_t)((low[k + 32] & 15) | (high[k] >> 2 & 3) << 4);
      q[64] = (uint8_t)((low[k] >> 4) | (high[k] >> 4 & 3) << 4);
      q[96] = (uint8_t)((low[k + 32] >> 4) | (high[k] >> 6 & 3) << 4);
    }
  }
  memcpy(out->code, b + 192, 16);
}

static void unpack_q2_k(const uint8_t *b, tk_unpacked *out) {
  for (int i = 0; i < 16; i++) {
    out->code[i] = (int8_t)(b[i] & 15);
    out->offset_code[i] = (int8_t)(b[i] >> 4);
  }
  for (int i = 0; i < 256; i++) {
    int h = i / 128, shift = i % 128 / 32 * 2;
    out->q[i] = b[16 + 32 * h + i % 32] >> shift & 3;
  }
}

/// Three bits with zero point 4, packed in four bits with zero point 8.
static void unpack_q3_k(const uint8_t *b, tk_unpacked *out) {
  const uint8_t *mask = b, *q = b + 32, *s = b + 96;
  for (int i = 0; i < 16; i++) {
    int low = i < 8 ? s[i] & 15 : s[i - 8] >> 4;
    int high = s[8 + i % 4] >> (2 * (i / 4)) & 3;
    out->code[i] = (int8_t)((low | high << 4) - 32);
  }
  for (int i = 0; i < 256; i++) {
    int h = i / 128, j = i % 128 / 32;
    int value = (q[32 * h + i % 32] >> (2 * j) & 3) | (mask[i % 32] >> (4 * h + j) & 1) << 2;
    out->q[i] = (uint8_t)(value + 4);
  }
}

/// Half of the power of two that an E8M0 byte stands for, subnormals included.
static float half_of_e8m0(uint8_t e) {
  return tk_bits_to_float(e < 2 ? 0x00200000u << e : (uint32_t)(e - 1) << 23);
}

/// 16 bytes of nibbles to the places of 32 numbers: the low ones first.
static void unpack_nibbles(const uint8_t *b, uint8_t *q) {
  for (int i = 0; i < 16; i++) {
    q[i] = b[i] & 15;
    q[i + 16] = b[i] >> 4;
  }
}

static void unpack_mxfp4(const uint8_t *b, tk_unpacked *out) {
  out->scale[0] = half_of_e8m0(b[0]);
  out->offset[0] = 0;
  unpack_nibbles(b + 1, out->q);
}

static void unpack_iq4_nl(const uint8_t *b, tk_unpacked *out) {
  out->scale[0] = tk_half_to_float(tk_load16(b));
  out->offset[0] = 0;
  unpack_nibbles(b + 2, out->q);
}

/// Scales of six bits about 32: four low bits of each in nibbles, the two upper ones together.
static void unpack_iq4_xs(const uint8_t *b, tk_unpacked *out) {
  const uint16_t high = tk_load16(b + 2);
  for (int i = 0; i < 8; i++) {
    const int low = b[4 + i / 2] >> (4 * (i % 2)) & 15;
    out->code[i] = (int8_t)((low | (high >> (2 * i) & 3) << 4) - 32);
    unpack_nibbles(b + 8 + 16 * i, out->q + 32 * i);
  }
}

void tk_unpack(uint32_t type, const uint8_t *b, tk_unpacked *out) {
  tk_type t;
  if (!tk_quantized_type(type, &t)) {
    memset(out, 0, sizeof *out);
    return;
  }
  switch (type) {
    case Q4_0: case Q4_1: case Q5_0: case Q5_1: unpack_4_5(type, b, out); break;
    case Q8_0:
      out->scale[0] = tk_half_to_float(tk_load16(b));
      out->offset[0] = 0;
      for (int i = 0; i < 32; i++) out->q[i] = b[2 + i] ^ 0x80;
      break;
    case MXFP4: unpack_mxfp4(b, out); break;
    case IQ4_NL: unpack_iq4_nl(b, out); break;
    case IQ4_XS: unpack_iq4_xs(b, out); break;
    case Q2_K: unpack_q2_k(b, out); break;
    case Q3_K: unpack_q3_k(b, out); break;
    case Q4_K: case Q5_K: unpack_q4_q5_k(type, b, out); break;
    case Q6_K: unpack_q6_k(b, out); break;
    default: break;
  }
  if (t.format.scales == TK_SCALES_BYTE) scale_by_codes(&t, b, out);
}

bool tk_dequantize(uint32_t type, const void *source, int64_t count, float *destination) {
  const uint8_t *bytes = source;
  switch (type) {
    case F32: memcpy(destination, source, (size_t)count * 4); return true;
    case F16:
      for (int64_t i = 0; i < count; i++)
        destination[i] = tk_half_to_float(tk_load16(bytes + 2 * i));
      return true;
    case BF16:
      for (int64_t i = 0; i < count; i++)
        destination[i] = tk_bfloat_to_float(tk_load16(bytes + 2 * i));
      return true;
    default: break;
  }
  tk_type t;
  if (!tk_quantized_type(type, &t)) return false;
  const tk_format f = t.format;
  const int8_t *table = f.table ? tk_table(f.table) : 0;
  tk_unpacked u;
  int shift = f.group == 32 ? 5 : 4;
  for (int64_t b = 0; b < count / t.block; b++) {
    tk_unpack(type, bytes + b * t.bytes, &u);
    float *d = destination + b * t.block;
    if (f.has_offset) {
      for (int i = 0; i < t.block; i++)
        d[i] = u.scale[i >> shift] * (float)u.q[i] + u.offset[i >> shift];
    } else if (table) {
      for (int i = 0; i < t.block; i++) d[i] = u.scale[i >> shift] * (float)table[u.q[i]];
    } else {
      for (int i = 0; i < t.block; i++)
        d[i] = u.scale[i >> shift] * (float)(u.q[i] - t.zero);
    }
  }
  return true;
}
