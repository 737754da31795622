"""The parts of models that see, with random weights in the shapes of SmolVLM-256M and of Qwen3-VL-2B: their rows say
nothing of an image, but how fast they come depends on shapes and types alone.

Files as llama.cpp's converter makes them (scripts/fixtures/vision_families.py and qwen_vision.py have what is checked
against it), in their two usual types. SmolVLM's rows are as wide as SmolLM2-135M's embeddings, so that llama.cpp runs it
with that file.
"""

import dataclasses
import pathlib
import struct
import zlib

import gguf
import numpy as np

KINDS = {
    "f16": (gguf.LlamaFileType.MOSTLY_F16, gguf.GGMLQuantizationType.F16),
    "q8_0": (gguf.LlamaFileType.MOSTLY_Q8_0, gguf.GGMLQuantizationType.Q8_0),
}


@dataclasses.dataclass(frozen=True)
class Shape:
    name: str
    layers: int
    width: int
    inner: int
    heads: int
    # The side that positions are learned for; the image's width and height, and the tiles that it is.
    square: int
    image: tuple
    tiles: int
    # Patches a side of what becomes a row, and numbers of a row for each of the layers that are given some.
    factor: int
    output: int
    deep: tuple = ()
    patch: int = 16

    @property
    def rows(self):
        """Rows of a tile."""
        width, height = self.image if self.tiles == 1 else (self.square, self.square)
        return (width // self.patch // self.factor) * (height // self.patch // self.factor)

    @property
    def row_width(self):
        return self.output * (1 + len(self.deep))


# SmolVLM's longest edge is 2048, so that most images are 13 or 17 of the same tiles; here it is 1024, and the image two
# tiles in a row: both sides see each as it is, and behind them the whole, made smaller.
LONGEST = 1024
SMOLVLM = Shape("SmolVLM-256M", 12, 768, 3072, 12, square=512, image=(1024, 512), tiles=3, factor=4, output=576)
QWEN = Shape(
    "Qwen3-VL-2B", 24, 1024, 4096, 16, square=768, image=(640, 480), tiles=1, factor=2, output=2048, deep=(5, 11, 17))


class File:
    """A GGUF file of random tensors; of all kinds the weights are the same but for their rounding."""

    def __init__(self, path, architecture, type):
        self.writer, self.type = gguf.GGUFWriter(str(path), architecture), type
        self.generator = np.random.default_rng(0)

    def add(self, name, *shape):
        self.writer.add_tensor(name, self.generator.standard_normal(shape, np.float32))

    def matrix(self, name, outputs, inputs):
        values = self.generator.standard_normal((outputs, inputs), np.float32) / np.float32(inputs**0.5)
        self.writer.add_tensor(
            name + ".weight", gguf.quants.quantize(values, self.type), raw_dtype=self.type)

    def vector(self, name, width, middle=0.0):
        self.writer.add_tensor(
            name, (middle + 0.1 * self.generator.standard_normal(width)).astype(np.float32))

    def linear(self, name, outputs, inputs):
        self.matrix(name, outputs, inputs)
        self.vector(name + ".bias", outputs)

    def norm(self, name, width):
        self.vector(name + ".weight", width, 1.0)
        self.vector(name + ".bias", width)

    def close(self):
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def write(path: pathlib.Path, kind: str, shape: Shape):
    """Writes the mmproj file."""
    file_type, type = KINDS[kind]
    file = File(path, "clip", type)
    w = file.writer
    w.add_type(gguf.GGUFType.MMPROJ)
    w.add_file_type(file_type)
    w.add_clip_has_vision_encoder(True)
    w.add_vision_projection_dim(shape.output)
    w.add_vision_image_size(shape.square)
    w.add_vision_patch_size(shape.patch)
    w.add_vision_embedding_length(shape.width)
    w.add_vision_feed_forward_length(shape.inner)
    w.add_vision_block_count(shape.layers)
    w.add_vision_head_count(shape.heads)
    w.add_vision_image_mean([0.5, 0.5, 0.5])
    w.add_vision_image_std([0.5, 0.5, 0.5])
    w.add_vision_attention_layernorm_eps(1e-6)
    w.add_vision_use_gelu(True)
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    width, side, is_qwen = shape.width, shape.square // shape.patch, shape is QWEN
    if is_qwen:
        w.add_clip_projector_type(gguf.VisionProjectorType.QWEN3VL)
        w.add_vision_spatial_merge_size(shape.factor)
        w.add_vision_is_deepstack_layers([layer in shape.deep for layer in range(shape.layers)])
    else:
        w.add_string("clip.projector_type", "idefics3")
        w.add_vision_projector_scale_factor(shape.factor)
        w.add_uint32("clip.vision.preproc_image_size", LONGEST)
    for name in ("", ".1") if is_qwen else ("",):
        patches = file.generator.standard_normal((width, 3, shape.patch, shape.patch), np.float32)
        w.add_tensor("v.patch_embd.weight" + name, patches / np.float32(3**0.5 * shape.patch))
    file.vector("v.patch_embd.bias", width)
    file.add("v.position_embd.weight", side * side, width)
    for layer in range(shape.layers):
        prefix = f"v.blk.{layer}."
        file.norm(prefix + "ln1", width)
        if is_qwen:
            file.linear(prefix + "attn_qkv", 3 * width, width)
        else:
            for name in ("attn_q", "attn_k", "attn_v"):
                file.linear(prefix + name, width, width)
        file.linear(prefix + "attn_out", width, width)
        file.norm(prefix + "ln2", width)
        file.linear(prefix + "ffn_up", shape.inner, width)
        file.linear(prefix + "ffn_down", width, shape.inner)
    file.norm("v.post_ln", width)
    joined = width * shape.factor**2
    if is_qwen:
        file.linear("mm.0", joined, joined)
        file.linear("mm.2", shape.output, joined)
        for layer in shape.deep:
            file.norm(f"v.deepstack.{layer}.norm", joined)
            file.linear(f"v.deepstack.{layer}.fc1", joined, joined)
            file.linear(f"v.deepstack.{layer}.fc2", shape.output, joined)
    else:
        file.matrix("mm.model.fc", shape.output, joined)
    file.close()


def write_image(path: pathlib.Path, shape: Shape):
    """A PNG of the shape's size."""
    width, height = shape.image
    generator = np.random.default_rng(1)
    # Blots of colour, with noise on them.
    blots = generator.integers(0, 200, (height // 32, width // 32, 3), np.uint8)
    pixels = blots.repeat(32, 0).repeat(32, 1) + generator.integers(0, 56, (height, width, 3), np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1))
                     + chunk(b"IEND", b""))


def write_text(path: pathlib.Path, small: pathlib.Path, shape: Shape):
    """Writes what llama.cpp wants besides, whose answers nobody reads: SmolLM2-135M's first layer alone, or, with its
    vocabulary, as few layers of Qwen 3 as it takes; with the tokens that stand around an image in place of some that no
    prompt here has."""
    reader = gguf.GGUFReader(str(small))
    if shape is QWEN:
        return write_qwen_text(path, reader)
    w = gguf.GGUFWriter(str(path), "llama")
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        value = field.contents()
        if key == "llama.block_count":
            w.add_block_count(1)
        elif key == "tokenizer.ggml.tokens":
            w.add_token_list(renamed(value, "<fake_token_around_image>", "<global-img>"))
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


def renamed(tokens, *names):
    places = [i for i, token in enumerate(tokens) if token.startswith("<") and token.endswith(">")][-len(names):]
    return [names[places.index(i)] if i in places else token for i, token in enumerate(tokens)]


def write_qwen_text(path, reader):
    # One more than those that are given rows: of the last, llama.cpp computes the last token alone.
    heads, key_heads, head, layers, inner = 16, 8, 128, len(QWEN.deep) + 1, 256
    value = {key: field.contents() for key, field in reader.fields.items() if key.startswith("tokenizer.ggml.")}
    tokens = renamed(value["tokenizer.ggml.tokens"], "<|vision_start|>", "<|vision_end|>", "<|image_pad|>")
    file = File(path, "qwen3vl", gguf.GGMLQuantizationType.Q8_0)
    w, width = file.writer, QWEN.output
    w.add_context_length(4096)
    w.add_embedding_length(width)
    w.add_block_count(layers)
    w.add_feed_forward_length(inner)
    w.add_head_count(heads)
    w.add_head_count_kv(key_heads)
    w.add_key_length(head)
    w.add_value_length(head)
    w.add_layer_norm_rms_eps(1e-6)
    w.add_rope_freq_base(5e6)
    w.add_rope_dimension_sections([24, 20, 20, 0])
    w.add_num_deepstack_layers(len(QWEN.deep))
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre(value["tokenizer.ggml.pre"])
    w.add_token_list(tokens)
    w.add_token_types(value["tokenizer.ggml.token_type"])
    w.add_token_merges(value["tokenizer.ggml.merges"])
    w.add_eos_token_id(value["tokenizer.ggml.eos_token_id"])
    w.add_chat_template(reader.fields["tokenizer.chat_template"].contents())
    file.matrix("token_embd", len(tokens), width)
    file.vector("output_norm.weight", width, 1.0)
    for layer in range(layers):
        prefix = f"blk.{layer}."
        for name, size in (("attn_norm", width), ("ffn_norm", width), ("attn_q_norm", head), ("attn_k_norm", head)):
            file.vector(f"{prefix}{name}.weight", size, 1.0)
        for name, outputs, inputs in (
                ("attn_q", heads * head, width), ("attn_k", key_heads * head, width),
                ("attn_v", key_heads * head, width), ("attn_output", width, heads * head),
                ("ffn_gate", inner, width), ("ffn_up", inner, width), ("ffn_down", width, inner)):
            file.matrix(prefix + name, outputs, inputs)
    file.close()
