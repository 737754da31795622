"""A decoder of the size that people run, with random weights: what it answers is noise, but how fast it
is depends on its shapes and types alone.

Shaped as Qwen 3 1.7B, and quantised as llama.cpp's Q4_K_M is: Q6_K for every other layer's values
and down projection and for the embedding, Q4_K for the rest. Its vocabulary is another model's.
"""

import pathlib

import gguf
import numpy as np

LAYERS, WIDTH, INNER, HEADS, KEY_HEADS, HEAD = 28, 2048, 6144, 16, 8, 128
BYTES = {gguf.GGMLQuantizationType.Q4_K: 144, gguf.GGMLQuantizationType.Q6_K: 210}


def half(value):
    return np.frombuffer(np.float16(value).tobytes(), np.uint8)


def blocks(generator, outputs, inputs, kind):
    """Blocks of 256 numbers with scales such that the weights are about as large as trained ones."""
    out = generator.integers(0, 256, (outputs * inputs // 256, BYTES[kind]), dtype=np.uint8)
    if kind == gguf.GGMLQuantizationType.Q4_K:
        out[:, 0:2], out[:, 2:4] = half(8e-5), half(6e-4)
    else:
        scales = generator.integers(-60, 60, (len(out), 16)).astype(np.int8)
        out[:, 192:208], out[:, 208:210] = scales.view(np.uint8), half(2e-5)
    return out.reshape(outputs, -1)


def write(path: pathlib.Path, vocabulary: pathlib.Path):
    """Writes the model, with the tokenizer of another GGUF file."""
    generator = np.random.default_rng(0)
    q4, q6 = gguf.GGMLQuantizationType.Q4_K, gguf.GGMLQuantizationType.Q6_K
    w = gguf.GGUFWriter(str(path), "qwen3")
    w.add_context_length(40960)
    w.add_embedding_length(WIDTH)
    w.add_block_count(LAYERS)
    w.add_feed_forward_length(INNER)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KEY_HEADS)
    w.add_key_length(HEAD)
    w.add_value_length(HEAD)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_rope_freq_base(1e6)
    for key, field in gguf.GGUFReader(str(vocabulary)).fields.items():
        if not key.startswith("tokenizer."):
            continue
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            w.add_array(key, field.contents())
            if key == "tokenizer.ggml.tokens":
                tokens = len(field.data)
        else:
            w.add_key_value(key, field.contents(), field.types[0])

    def matrix(name, outputs, inputs, kind=q4):
        w.add_tensor(name + ".weight", blocks(generator, outputs, inputs, kind), raw_dtype=kind)

    def norm(name, width):
        w.add_tensor(name + ".weight", np.ones(width, np.float32))

    matrix("token_embd", tokens, WIDTH, q6)
    norm("output_norm", WIDTH)
    for layer in range(LAYERS):
        prefix = f"blk.{layer}."
        more = q6 if layer % 2 == 0 else q4
        norm(prefix + "attn_norm", WIDTH)
        matrix(prefix + "attn_q", HEADS * HEAD, WIDTH)
        matrix(prefix + "attn_k", KEY_HEADS * HEAD, WIDTH)
        matrix(prefix + "attn_v", KEY_HEADS * HEAD, WIDTH, more)
        matrix(prefix + "attn_output", WIDTH, HEADS * HEAD)
        norm(prefix + "attn_q_norm", HEAD)
        norm(prefix + "attn_k_norm", HEAD)
        norm(prefix + "ffn_norm", WIDTH)
        matrix(prefix + "ffn_gate", INNER, WIDTH)
        matrix(prefix + "ffn_up", INNER, WIDTH)
        matrix(prefix + "ffn_down", WIDTH, INNER, more)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
