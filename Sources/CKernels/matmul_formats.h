// The packed formats, each with a function of its own in which it is a constant, and the choice among them.
// Included once an instruction set, with FORMAT(name, bits, has offsets, inputs of a scale) defined.

FORMAT(rows_4, 4, false, 32)
FORMAT(rows_4_offset, 4, true, 32)
FORMAT(rows_5, 5, false, 32)
FORMAT(rows_5_offset, 5, true, 32)
FORMAT(rows_8, 8, false, 32)
FORMAT(rows_4_short, 4, false, 16)
FORMAT(rows_4_offset_short, 4, true, 16)
FORMAT(rows_6_short, 6, false, 16)

static tk_tile_function function_for(tk_format f) {
  if (f.group == 16)
    return f.bits == 6 ? rows_6_short : f.has_offset ? rows_4_offset_short : rows_4_short;
  switch (f.bits) {
    case 4: return f.has_offset ? rows_4_offset : rows_4;
    case 5: return f.has_offset ? rows_5_offset : rows_5;
    default: return rows_8;
  }
}
