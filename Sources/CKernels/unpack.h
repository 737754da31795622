// One block of a GGUF tensor taken apart: quants, scales and offsets.
#pragma once

#include <stdbool.h>
#include <stdint.h>

/// weight[i] = scale[i / group] * (q[i] - zero) + offset[i / group]
typedef struct {
  uint8_t q[256];
  float scale[16];
  float offset[16];
} tk_unpacked;

typedef struct {
  int32_t block;  // elements of a block
  int32_t bytes;  // bytes of a block
  int32_t bits;   // of q as packed
  int32_t zero;   // zero point, where there are no offsets
  int32_t group;  // elements that share a scale
  bool has_offset;
} tk_type;

/// False for types that are not quantised.
bool tk_quantized_type(uint32_t type, tk_type *out);
void tk_unpack(uint32_t type, const uint8_t *block, tk_unpacked *out);
