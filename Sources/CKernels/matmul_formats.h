// The packed formats, each with a function of its own in which it is a constant, and the choice among them.
// Included once an instruction set, with FORMAT(name, bits, has offsets, inputs of a scale, scales, table) defined.

FORMAT(rows_4, 4, 0, 32, TK_SCALES_HALF, TK_NO_TABLE)
FORMAT(rows_4_offset, 4, 1, 32, TK_SCALES_HALF, TK_NO_TABLE)
FORMAT(rows_5, 5, 0, 32, TK_SCALES_HALF, TK_NO_TABLE)
FORMAT(rows_5_offset, 5, 1, 32, TK_SCALES_HALF, TK_NO_TABLE)
FORMAT(rows_8, 8, 0, 32, TK_SCALES_HALF, TK_NO_TABLE)
FORMAT(rows_q2_k, 4, 1, 16, TK_SCALES_BYTE, TK_NO_TABLE)
FORMAT(rows_q3_k, 4, 0, 16, TK_SCALES_BYTE, TK_NO_TABLE)
FORMAT(rows_q4_k, 4, 1, 32, TK_SCALES_BYTE, TK_NO_TABLE)
FORMAT(rows_q5_k, 5, 1, 32, TK_SCALES_BYTE, TK_NO_TABLE)
FORMAT(rows_q6_k, 6, 0, 16, TK_SCALES_BYTE, TK_NO_TABLE)
FORMAT(rows_iq4_nl, 8, 0, 32, TK_SCALES_HALF, TK_TABLE_IQ4)
FORMAT(rows_iq4_xs, 8, 0, 32, TK_SCALES_BYTE, TK_TABLE_IQ4)
FORMAT(rows_mxfp4, 5, 0, 32, TK_SCALES_EXPONENT, TK_TABLE_MXFP4)

static tk_tile_function function_for(tk_format f) {
  const bool bytes = f.scales == TK_SCALES_BYTE;
  switch (f.table) {
    case TK_TABLE_MXFP4: return rows_mxfp4;
    case TK_TABLE_IQ4: return bytes ? rows_iq4_xs : rows_iq4_nl;
    default: break;
  }
  switch (f.bits) {
    case 4:
      if (f.group == 16) return f.has_offset ? rows_q2_k : rows_q3_k;
      if (bytes) return rows_q4_k;
      return f.has_offset ? rows_4_offset : rows_4;
    case 5:
      if (bytes) return rows_q5_k;
      return f.has_offset ? rows_5_offset : rows_5;
    case 6: return rows_q6_k;
    default: return rows_8;
  }
}
