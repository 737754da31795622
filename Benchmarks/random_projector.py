"""The part of a model that sees, with random weights in the shapes of SmolVLM-256M: its rows say nothing of an image,
but how fast they come depends on shapes and types alone.

A file as llama.cpp's converter makes it (scripts/fixtures/vision_families.py has what is checked against it), in its two
usual types. Its rows are as wide as SmolLM2-135M's embeddings, so that llama.cpp runs it with that file.
"""

import pathlib
import struct
import zlib

import gguf
import numpy as np

LAYERS, WIDTH, INNER, HEADS = 12, 768, 3072, 12
# SmolVLM's longest edge is 2048, so that most images are 13 or 17 of the same tiles.
TILE, PATCH, FACTOR, LONGEST = 512, 16, 4, 1024
OUTPUT = 576
ROWS = (TILE // PATCH // FACTOR) ** 2  # of a tile
KINDS = {
    "f16": (gguf.LlamaFileType.MOSTLY_F16, gguf.GGMLQuantizationType.F16),
    "q8_0": (gguf.LlamaFileType.MOSTLY_Q8_0, gguf.GGMLQuantizationType.Q8_0),
}


def write(path: pathlib.Path, kind: str):
    """Writes the mmproj file; of all kinds the weights are the same but for their rounding."""
    generator = np.random.default_rng(0)
    file_type, type = KINDS[kind]
    w = gguf.GGUFWriter(str(path), "clip")
    w.add_type(gguf.GGUFType.MMPROJ)
    w.add_file_type(file_type)
    w.add_clip_has_vision_encoder(True)
    w.add_vision_projection_dim(OUTPUT)
    w.add_vision_image_size(TILE)
    w.add_vision_patch_size(PATCH)
    w.add_vision_embedding_length(WIDTH)
    w.add_vision_feed_forward_length(INNER)
    w.add_vision_block_count(LAYERS)
    w.add_vision_head_count(HEADS)
    w.add_vision_image_mean([0.5, 0.5, 0.5])
    w.add_vision_image_std([0.5, 0.5, 0.5])
    w.add_string("clip.projector_type", "idefics3")
    w.add_vision_attention_layernorm_eps(1e-6)
    w.add_vision_projector_scale_factor(FACTOR)
    w.add_vision_use_gelu(True)
    w.add_uint32("clip.vision.preproc_image_size", LONGEST)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)

    def matrix(name, outputs, inputs):
        values = generator.standard_normal((outputs, inputs), np.float32) / np.float32(inputs**0.5)
        w.add_tensor(name + ".weight", gguf.quants.quantize(values, type), raw_dtype=type)

    def vector(name, width, middle=0.0):
        w.add_tensor(name, (middle + 0.1 * generator.standard_normal(width)).astype(np.float32))

    def linear(name, outputs, inputs):
        matrix(name, outputs, inputs)
        vector(name + ".bias", outputs)

    def norm(name):
        vector(name + ".weight", WIDTH, 1.0)
        vector(name + ".bias", WIDTH)

    side = TILE // PATCH
    patches = generator.standard_normal((WIDTH, 3, PATCH, PATCH), np.float32) / (3**0.5 * PATCH)
    w.add_tensor("v.patch_embd.weight", patches.astype(np.float32))
    vector("v.patch_embd.bias", WIDTH)
    w.add_tensor("v.position_embd.weight", generator.standard_normal((side * side, WIDTH), np.float32))
    for layer in range(LAYERS):
        prefix = f"v.blk.{layer}."
        norm(prefix + "ln1")
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            linear(prefix + name, WIDTH, WIDTH)
        norm(prefix + "ln2")
        linear(prefix + "ffn_up", INNER, WIDTH)
        linear(prefix + "ffn_down", WIDTH, INNER)
    norm("v.post_ln")
    matrix("mm.model.fc", OUTPUT, WIDTH * FACTOR * FACTOR)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


def write_image(path: pathlib.Path, columns: int):
    """A PNG of so many tiles in a row: both sides see each as it is, and behind them the whole, made smaller."""
    generator = np.random.default_rng(1)
    # Blots of colour, with noise on them.
    blots = generator.integers(0, 200, (TILE // 64, columns * TILE // 64, 3), np.uint8)
    pixels = blots.repeat(64, 0).repeat(64, 1) + generator.integers(
        0, 56, (TILE, columns * TILE, 3), np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", columns * TILE, TILE, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1))
                     + chunk(b"IEND", b""))


def write_text(path: pathlib.Path, small: pathlib.Path):
    """Writes what llama.cpp wants besides: SmolLM2-135M's first layer alone, whose answers nobody reads, with the two
    tokens that it puts around an Idefics 3's tiles in place of two that no prompt here has."""
    renamed = {"<repo_name>": "<fake_token_around_image>", "<reponame>": "<global-img>"}
    reader = gguf.GGUFReader(str(small))
    w = gguf.GGUFWriter(str(path), "llama")
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        value = field.contents()
        if key == "llama.block_count":
            w.add_block_count(1)
        elif key == "tokenizer.ggml.tokens":
            w.add_token_list([renamed.get(token, token) for token in value])
        elif field.types[0] == gguf.GGUFValueType.ARRAY:
            w.add_array(key, value)
        else:
            w.add_key_value(key, value, field.types[0])
    for tensor in reader.tensors:
        if not tensor.name.startswith("blk.") or tensor.name.startswith("blk.0."):
            w.add_tensor(tensor.name, np.array(tensor.data), raw_dtype=tensor.tensor_type)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
