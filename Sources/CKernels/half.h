// f16 and bf16 by bit arithmetic, for code that runs on every machine.
#pragma once

#include <stdint.h>
#include <string.h>

static inline float tk_bits_to_float(uint32_t bits) {
  float value;
  memcpy(&value, &bits, 4);
  return value;
}

static inline uint32_t tk_float_to_bits(float value) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  return bits;
}

static inline float tk_half_to_float(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16;
  uint32_t magnitude = h & 0x7fff;
  if (magnitude >= 0x7c00) return tk_bits_to_float(sign | 0x7f800000 | (magnitude & 0x3ff) << 13);
  // Placing the bits 112 exponents too low and multiplying handles subnormals too.
  float value = tk_bits_to_float(magnitude << 13) * 0x1p112f;
  return tk_bits_to_float(tk_float_to_bits(value) | sign);
}

/// Rounds to nearest, ties to even.
static inline uint16_t tk_float_to_half(float value) {
  uint32_t bits = tk_float_to_bits(value);
  uint32_t sign = bits >> 16 & 0x8000;
  uint32_t magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00);
  if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
  if (magnitude < 0x38800000) {
    // Adding 0.5 puts the ulp at 2^-24, f16's smallest step, and rounds.
    float shifted = tk_bits_to_float(magnitude) + 0.5f;
    return (uint16_t)(sign | (tk_float_to_bits(shifted) - 0x3f000000));
  }
  uint32_t odd = magnitude >> 13 & 1;
  return (uint16_t)(sign | ((magnitude - 0x38000000 + 0xfff + odd) >> 13));
}

static inline float tk_bfloat_to_float(uint16_t b) { return tk_bits_to_float((uint32_t)b << 16); }

static inline uint16_t tk_load16(const uint8_t *p) {
  uint16_t value;
  memcpy(&value, p, 2);
  return value;
}
