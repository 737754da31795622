"""The peer for the encoder: all-MiniLM-L6-v2 in ONNX Runtime, as fast as we can make it.

The graph is written here from the safetensors file with ONNX Runtime's own fused operators
(EmbedLayerNormalization, Attention, SkipLayerNormalization, BiasGelu), then quantised to int8 by
ONNX Runtime's quantize_dynamic, in several variants. `measure` times one; compare.py takes the
best one at each length.

  python minilm_onnx.py build MODELS/minilm-l6-v2 FOLDER      writes FOLDER/*.onnx
  python minilm_onnx.py measure FILE.onnx --tokens 64         prints one JSON object
"""

import argparse
import json
import pathlib
import statistics
import struct
import time

HEADS, LAYERS, WIDTH, EPSILON = 12, 6, 384, 1e-12
VARIANTS = {
    # name: (per channel, operators)
    "int8": (False, ["MatMul", "Attention"]),
    "int8-channel": (True, ["MatMul", "Attention"]),
    "int8-matmul": (False, ["MatMul"]),
}


def read_safetensors(path):
    import numpy

    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        data = file.read()
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__" or entry["dtype"] != "F32":
            continue
        start, end = entry["data_offsets"]
        tensors[name] = numpy.frombuffer(data[start:end], dtype="<f4").reshape(entry["shape"])
    return tensors


def float_graph(weights):
    """The encoder with mean pooling and L2 normalisation. Input: input_ids (1, tokens)."""
    import numpy
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = [], []

    def constant(name, array):
        constants.append(numpy_helper.from_array(numpy.ascontiguousarray(array), name))
        return name

    def node(operator, inputs, outputs, fused=False, **attributes):
        nodes.append(
            helper.make_node(
                operator, inputs, outputs, name=f"{operator}_{len(nodes)}",
                domain="com.microsoft" if fused else "", **attributes,
            )
        )
        return outputs[0]

    def tensor(name):
        return constant(name, weights[name])

    node("Cast", ["input_ids"], ["ids"], to=TensorProto.INT32)
    node("Sub", ["ids", "ids"], ["segments"])
    table = "embeddings."
    hidden = node(
        "EmbedLayerNormalization",
        [
            "ids", "segments", tensor(table + "word_embeddings.weight"),
            tensor(table + "position_embeddings.weight"),
            tensor(table + "token_type_embeddings.weight"),
            tensor(table + "LayerNorm.weight"), tensor(table + "LayerNorm.bias"),
        ],
        ["embedded", "unused_mask"], fused=True, epsilon=EPSILON,
    )
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        own = f"layer{layer}."
        parts = [at + f"attention.self.{part}" for part in ("query", "key", "value")]
        packed = numpy.concatenate([weights[p + ".weight"].T for p in parts], axis=1)
        bias = numpy.concatenate([weights[p + ".bias"] for p in parts])
        attended = node(
            "Attention",
            [hidden, constant(own + "qkv", packed), constant(own + "qkv_bias", bias)],
            [own + "attended"], fused=True, num_heads=HEADS,
        )
        dense = at + "attention.output.dense"
        projected = node(
            "MatMul", [attended, constant(dense, weights[dense + ".weight"].T)], [own + "projected"]
        )
        norm = at + "attention.output.LayerNorm"
        middle = node(
            "SkipLayerNormalization",
            [projected, hidden, tensor(norm + ".weight"), tensor(norm + ".bias"),
             tensor(dense + ".bias")],
            [own + "middle"], fused=True, epsilon=EPSILON,
        )
        dense = at + "intermediate.dense"
        wide = node(
            "MatMul", [middle, constant(dense, weights[dense + ".weight"].T)], [own + "wide"]
        )
        active = node("BiasGelu", [wide, tensor(dense + ".bias")], [own + "active"], fused=True)
        dense, norm = at + "output.dense", at + "output.LayerNorm"
        narrow = node(
            "MatMul", [active, constant(dense, weights[dense + ".weight"].T)], [own + "narrow"]
        )
        hidden = node(
            "SkipLayerNormalization",
            [narrow, middle, tensor(norm + ".weight"), tensor(norm + ".bias"),
             tensor(dense + ".bias")],
            [own + "out"], fused=True, epsilon=EPSILON,
        )
    axis = constant("axis", numpy.array([1], dtype=numpy.int64))
    mean = node("ReduceMean", [hidden, axis], ["mean"], keepdims=0)
    length = node("ReduceL2", [mean, axis], ["length"], keepdims=1)
    node("Div", [mean, length], ["embedding"])
    graph = helper.make_graph(
        nodes, "minilm",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [1, WIDTH])],
        constants,
    )
    return helper.make_model(
        graph, ir_version=9,
        opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)],
    )


def build(source, folder):
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    folder.mkdir(parents=True, exist_ok=True)
    base = folder / "float32.onnx"
    if not base.exists():
        onnx.save(float_graph(read_safetensors(source / "model.safetensors")), str(base))
    for name, (per_channel, operators) in VARIANTS.items():
        target = folder / f"{name}.onnx"
        if not target.exists():
            quantize_dynamic(
                str(base), str(target), op_types_to_quantize=operators, per_channel=per_channel,
                reduce_range=False, weight_type=QuantType.QInt8,
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
            )
    return [base, *(folder / f"{name}.onnx" for name in VARIANTS)]


def session(path, threads):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def token_ids(tokens):
    """[CLS], words of the vocabulary, [SEP]: what they are makes no difference to the time."""
    import numpy

    words = [2000 + (i * 7919) % 25000 for i in range(tokens - 2)]
    return numpy.array([[101, *words, 102]], dtype=numpy.int64)


def measure(path, tokens, threads, repetitions):
    run, ids = session(path, threads), token_ids(tokens)
    for _ in range(5):
        run.run(None, {"input_ids": ids})
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        run.run(None, {"input_ids": ids})
        times.append((time.perf_counter() - start) * 1e3)
    return {"median_milliseconds": statistics.median(times), "least_milliseconds": min(times)}


def main():
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("build")
    one.add_argument("source", type=pathlib.Path)
    one.add_argument("folder", type=pathlib.Path)
    two = commands.add_parser("measure")
    two.add_argument("file", type=pathlib.Path)
    two.add_argument("--tokens", type=int, required=True)
    two.add_argument("--threads", type=int, default=2)
    two.add_argument("--repetitions", type=int, default=50)
    options = parser.parse_args()
    if options.command == "build":
        for path in build(options.source, options.folder):
            print(path)
    else:
        print(json.dumps(measure(options.file, options.tokens, options.threads, options.repetitions)))


if __name__ == "__main__":
    main()
