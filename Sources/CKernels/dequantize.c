// The block formats of GGUF, each taken apart in one place (tk_unpack). Dequantisation and packing
// both stand on it, so they cannot disagree.
#include "CKernels.h"
#include "half.h"
#include "unpack.h"

enum {
  F32 = 0, F16 = 1, Q4_0 = 2, Q4_1 = 3, Q5_0 = 6, Q5_1 = 7, Q8_0 = 8,
  Q2_K = 10, Q3_K = 11, Q4_K = 12, Q5_K = 13, Q6_K = 14, BF16 = 30, MXFP4 = 39,
};

bool tk_quantized_type(uint32_t type, tk_type *out) {
  switch (type) {
    case Q4_0: *out = (tk_type){32, 18, 4, 8, 32, false}; return true;
    case Q4_1: *out = (tk_type){32, 20, 4, 0, 32, true}; return true;
    case Q5_0: *out = (tk_type){32, 22, 5, 16, 32, false}; return true;
    case Q5_1: *out = (tk_type){32, 24, 5, 0, 32, true}; return true;
    case Q8_0: *out = (tk_type){32, 34, 8, 128, 32, false}; return true;
    case Q2_K: *out = (tk_type){256, 84, 4, 0, 16, true}; return true;
    case Q3_K: *out = (tk_type){256, 110, 4, 8, 16, false}; return true;
    case Q4_K: *out = (tk_type){256, 144, 4, 0, 32, true}; return true;
    case Q5_K: *out = (tk_type){256, 176, 5, 0, 32, true}; return true;
    case Q6_K: *out = (tk_type){256, 210, 6, 32, 16, false}; return true;
    // 4-bit floats; twice their values are integers from -12 to 12, which 5 bits hold exactly.
    case MXFP4: *out = (tk_type){32, 17, 5, 16, 32, false}; return true;
    default: return false;
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
  float d = tk_half_to_float(tk_load16(b)), dmin = tk_half_to_float(tk_load16(b + 2));
  const uint8_t *scales = b + 4;
  const uint8_t *high = b + 16;
  const uint8_t *q = type == Q5_K ? b + 48 : b + 16;
  for (int i = 0; i < 8; i++) {
    int scale, minimum;
    scale_min_k4(scales, i, &scale, &minimum);
    out->scale[i] = d * (float)scale;
    out->offset[i] = -(dmin * (float)minimum);
    const uint8_t *half = q + 32 * (i / 2);
    for (int k = 0; k < 32; k++) {
      int value = i % 2 ? half[k] >> 4 : half[k] & 15;
      if (type == Q5_K) value |= (high[k] >> i & 1) << 4;
      out->q[32 * i + k] = (uint8_t)value;
    }
  }
}

static void unpack_q6_k(const uint8_t *b, tk_unpacked *out) {
  float d = tk_half_to_float(tk_load16(b + 208));
  const int8_t *scales = (const int8_t *)b + 192;
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
  for (int i = 0; i < 16; i++) {
    out->scale[i] = d * (float)scales[i];
    out->offset[i] = 0;
  }
}

static void unpack_q2_k(const uint8_t *b, tk_unpacked *out) {
  float d = tk_half_to_float(tk_load16(b + 80)), dmin = tk_half_to_float(tk_load16(b + 82));
  for (int i = 0; i < 16; i++) {
    out->scale[i] = d * (float)(b[i] & 15);
    out->offset[i] = -(dmin * (float)(b[i] >> 4));
  }
  for (int i = 0; i < 256; i++) {
    int h = i / 128, shift = i % 128 / 32 * 2;
    out->q[i] = b[16 + 32 * h + i % 32] >> shift & 3;
  }
}

/// Three bits with zero point 4, packed in four bits with zero point 8.
static void unpack_q3_k(const uint8_t *b, tk_unpacked *out) {
  const uint8_t *mask = b, *q = b + 32, *s = b + 96;
  float d = tk_half_to_float(tk_load16(b + 108));
  for (int i = 0; i < 16; i++) {
    int low = i < 8 ? s[i] & 15 : s[i - 8] >> 4;
    int high = s[8 + i % 4] >> (2 * (i / 4)) & 3;
    out->scale[i] = d * (float)((low | high << 4) - 32);
    out->offset[i] = 0;
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

static void unpack_mxfp4(const uint8_t *b, tk_unpacked *out) {
  static const int8_t doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  out->scale[0] = half_of_e8m0(b[0]);
  out->offset[0] = 0;
  for (int i = 0; i < 16; i++) {
    out->q[i] = (uint8_t)(16 + doubled[b[1 + i] & 15]);
    out->q[i + 16] = (uint8_t)(16 + doubled[b[1 + i] >> 4]);
  }
}

void tk_unpack(uint32_t type, const uint8_t *b, tk_unpacked *out) {
  switch (type) {
    case Q4_0: case Q4_1: case Q5_0: case Q5_1: unpack_4_5(type, b, out); break;
    case Q8_0:
      out->scale[0] = tk_half_to_float(tk_load16(b));
      out->offset[0] = 0;
      for (int i = 0; i < 32; i++) out->q[i] = b[2 + i] ^ 0x80;
      break;
    case MXFP4: unpack_mxfp4(b, out); break;
    case Q2_K: unpack_q2_k(b, out); break;
    case Q3_K: unpack_q3_k(b, out); break;
    case Q4_K: case Q5_K: unpack_q4_q5_k(type, b, out); break;
    case Q6_K: unpack_q6_k(b, out); break;
    default: memset(out, 0, sizeof *out);
  }
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
  tk_unpacked u;
  int shift = t.group == 32 ? 5 : 4;
  for (int64_t b = 0; b < count / t.block; b++) {
    tk_unpack(type, bytes + b * t.bytes, &u);
    float *d = destination + b * t.block;
    if (t.has_offset) {
      for (int i = 0; i < t.block; i++)
        d[i] = u.scale[i >> shift] * (float)u.q[i] + u.offset[i >> shift];
    } else {
      for (int i = 0; i < t.block; i++)
        d[i] = u.scale[i >> shift] * (float)(u.q[i] - t.zero);
    }
  }
  return true;
}
