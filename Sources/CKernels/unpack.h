// One block of a GGUF tensor taken apart: quants, scales and offsets.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "CKernels.h"

/// weight[i] = scale[i / group] * value(q[i]) + offset[i / group], where value(q) is q less the type's zero
/// point, or the number of its table.
typedef struct {
  uint8_t q[256];
  float scale[16];
  float offset[16];
  // Of types whose scales are small numbers: scale[g] = unit * code[g], offset[g] = offset_unit * offset_code[g].
  float unit;
  float offset_unit;
  int8_t code[16];
  int8_t offset_code[16];
} tk_unpacked;

typedef struct {
  int32_t block;  // elements of a block
  int32_t bytes;  // bytes of a block
  int32_t scale_at;  // place of the scale's f16 in a block; the offset's is behind it
  int32_t zero;   // zero point, where there are neither offsets nor a table
  tk_format format;
} tk_type;

/// False for types that are not quantised.
bool tk_quantized_type(uint32_t type, tk_type *out);
void tk_unpack(uint32_t type, const uint8_t *block, tk_unpacked *out);

/// The 16 numbers of a table, within the bits of its format.
static inline const int8_t *tk_table(int32_t table) {
  // 4-bit floats (E2M1), doubled.
  static const int8_t mxfp4[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};
  // The steps of ggml's IQ4_NL and IQ4_XS, finer about zero.
  static const int8_t iq4[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                 1,    13,   25,  38,  53,  69,  89,  113};
  return table == TK_TABLE_MXFP4 ? mxfp4 : iq4;
}
