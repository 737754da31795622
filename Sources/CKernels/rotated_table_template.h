// The function table of the instruction set whose templates were included before.
static const tk_rotated_kernels TK(rotated_table) = {
    .quant_bytes = sizeof(tk_quant),
    .layer_norm = TK(rotated_layer_norm),
    .quantize = TK(rotated_quantize),
    .multiply = TK(rotated_multiply),
    .attention_store = TK(full_attention_store),
    .attention_run = TK(full_attention_run),
};
