"""A decoder that says what a small one says, for the price of a large one.

Its feed-forward blocks have many times the inner rows, of which the added ones reach no output: what it
answers is SmolLM2's, but for the types of these weights, and each token costs what reading and
multiplying a billion weights costs. So a real draft model can be measured with it, without the download of a
large one. It flatters the draft model's guesses, and is not large enough to make them cheap.
"""

import pathlib

import gguf
import numpy as np

FACTOR = 16
TYPE = gguf.GGMLQuantizationType.Q4_0


def padded(tensor):
    """The tensor with more inner rows: their outputs get no weight in the projection down."""
    weights = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
    outputs, inputs = weights.shape
    if "ffn_down" in tensor.name:
        more = np.zeros((outputs, inputs * FACTOR), np.float32)
        more[:, :inputs] = weights
    else:
        generator = np.random.default_rng(0)
        more = generator.standard_normal((outputs * FACTOR, inputs), dtype=np.float32) * 0.02
        more[:outputs] = weights
    return gguf.quants.quantize(more, TYPE)


def write(path: pathlib.Path, small: pathlib.Path):
    """Writes the model, made of another GGUF file of Llama's family."""
    reader = gguf.GGUFReader(str(small))
    w = gguf.GGUFWriter(str(path), "llama")
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        if key == "llama.feed_forward_length":
            w.add_feed_forward_length(int(field.contents()) * FACTOR)
        elif field.types[0] == gguf.GGUFValueType.ARRAY:
            w.add_array(key, field.contents())
        else:
            w.add_key_value(key, field.contents(), field.types[0])
    for tensor in reader.tensors:
        inner = any(part in tensor.name for part in ("ffn_gate.", "ffn_up.", "ffn_down."))
        data = padded(tensor) if inner else np.array(tensor.data)
        w.add_tensor(tensor.name, data, raw_dtype=TYPE if inner else tensor.tensor_type)
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
