// Products of bytes with whole numbers of 15 bits, for instruction sets that multiply words: what attention_bytes_template.h
// wants, but for `add_pairs`. Included where a target attribute is in force.
#pragma once

#include "vectors.h"

#define TK_BYTE_PASSES 1

/// 16 columns of four bytes each, as words: their first and third bytes, and their second and fourth.
typedef struct {
  w32 even, odd;
} byte_columns;

TK_INLINE byte_columns load_columns(const int8_t *p) {
  w32 x;
  memcpy(&x, p, sizeof x);
  return (byte_columns){(w32)(x << 8) >> 8, x >> 8};
}

/// Whole numbers as add_columns takes them: of four neighbours the first, third, second and fourth. 32 bytes.
TK_INLINE void store_whole(i16 x, void *out) {
  const w16 words = __builtin_convertvector(x, w16);
  const w16 turned = __builtin_shufflevector(words, words, 0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12,
                                             14, 13, 15);
  memcpy(out, &turned, sizeof turned);
}

/// sum + four bytes of each column times four whole numbers.
TK_INLINE i16 add_columns(i16 sum, byte_columns c, const void *whole, int pass) {
  (void)pass;
  return add_pairs(add_pairs(sum, c.even, whole), c.odd, (const char *)whole + 4);
}
