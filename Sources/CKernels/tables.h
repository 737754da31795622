// Function tables of an instruction set's templates; what is not theirs is named.
#pragma once

#define TK_KERNELS(set_name, product)                                                             \
  {                                                                                               \
    .name = set_name,                                                                             \
    .multiply = product,                                                                          \
    .multiply_float = TK(multiply_float),                                                         \
    .quantize = TK(quantize),                                                                     \
    .quantize_split = TK(quantize_split),                                                         \
    .rms_norm = TK(rms_norm),                                                                     \
    .rms_norm_quantize = TK(rms_norm_quantize),                                                   \
    .layer_norm = TK(layer_norm),                                                                 \
    .gated = TK(gated),                                                                           \
    .gated_quantize = TK(gated_quantize),                                                         \
    .rotary = TK(rotary),                                                                         \
    .add = TK(add),                                                                               \
    .scale = TK(scale),                                                                           \
    .soften_range = TK(soften_range),                                                             \
    .add_scaled = TK(add_scaled),                                                                 \
    .add_rows = TK(add_rows),                                                                     \
    .add_tiles = TK(add_tiles),                                                                   \
    .dot = TK(dot),                                                                               \
    .maximum = TK(maximum),                                                                       \
    .argmax = TK(argmax),                                                                         \
    .find_at_least = TK(find_at_least),                                                           \
    .exp_sum = TK(exp_sum),                                                                       \
    .exp_scale = TK(exp_scale),                                                                   \
    .delta_rule = TK(delta_rule),                                                                 \
    .state_space = TK(state_space),                                                               \
    .short_convolution = TK(short_convolution),                                                   \
    .kv_store = TK(kv_store),                                                                     \
    .attention = TK(attention),                                                                   \
  }

#define TK_ROTATED_KERNELS(product)                                                               \
  {                                                                                               \
    .multiply = product,                                                                          \
    .quant_bytes = sizeof(tk_quant),                                                              \
    .layer_norm = TK(rotated_layer_norm),                                                         \
    .quantize = TK(rotated_quantize),                                                             \
    .attention_store = TK(full_attention_store),                                                  \
    .attention_run = TK(full_attention_run),                                                      \
  }
