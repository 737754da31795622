#!/usr/bin/env python3
"""Writes a Mixtral-style mixture of experts: the base model with each domain expert's feed-forward.

  python training/upcycle.py --base models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf \\
    --adapters models/smollm2-135m-code models/smollm2-135m-maths ... \\
    --gate models/smollm2-135m-dynmole --output moe.gguf

Expert e of a layer is the base's feed-forward plus expert e's low-rank change, quantised again; the
gate is that of a trained mixture (its linear part), or random without --gate. Everything else is the
base's, tokenizer included. The file is of the architecture `llama` with `expert_count`, which llama.cpp
reads too: Mixtral's gate keeps the best --active experts and renormalises their weights, where the
mixture that the gate was trained in may keep others, so the two models are near, not equal.
"""

import argparse
import json
from pathlib import Path

import numpy as np


def adapter_maps(folder: Path):
    """{(layer, matrix): change of the weight, (outputs, inputs)}"""
    from safetensors.numpy import load_file

    config = json.loads((folder / "adapter_config.json").read_text())
    scale = config["lora_alpha"] / config["r"]
    parts = {}
    for key, value in load_file(folder / "adapter_model.safetensors").items():
        names = key.split(".")
        if "mlp" not in names:
            raise SystemExit(f"{folder}: {key} is not in the feed-forward")
        layer = int(names[names.index("layers") + 1])
        parts.setdefault((layer, names[-3]), {})[names[-2]] = value.astype(np.float32)
    return {place: scale * (ab["lora_B"] @ ab["lora_A"]) for place, ab in parts.items()}


def copy_metadata(reader, writer):
    import gguf

    for field in reader.fields.values():
        if field.name.startswith("GGUF.") or field.name == "general.architecture":
            continue
        kind = field.types[0]
        inner = field.types[-1] if kind == gguf.GGUFValueType.ARRAY else None
        writer.add_key_value(field.name, field.contents(), kind, sub_type=inner)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--base", required=True, type=Path)
    parser.add_argument("--adapters", required=True, nargs="+", type=Path)
    parser.add_argument("--gate", type=Path, help="folder of a trained mixture of the same adapters")
    parser.add_argument("--active", type=int, default=2, help="experts a token")
    parser.add_argument("--type", default="Q4_1", choices=["Q4_1", "Q8_0", "F32"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", required=True, type=Path)
    options = parser.parse_args()

    import gguf
    from gguf.quants import dequantize, quantize

    kind = gguf.GGMLQuantizationType[options.type]
    reader = gguf.GGUFReader(options.base)
    architecture = reader.fields["general.architecture"].contents()
    if architecture != "llama":
        raise SystemExit(f"{options.base}: architecture {architecture}; only llama is upcycled")
    layers = reader.fields["llama.block_count"].contents()
    experts = [adapter_maps(folder) for folder in options.adapters]
    gates = {}
    if options.gate:
        from safetensors.numpy import load_file

        trained = json.loads((options.gate / "mixture.json").read_text())["adapters"]
        if trained != [folder.name for folder in options.adapters]:
            raise SystemExit(f"{options.gate} was trained on {', '.join(trained)}, in this order")
        gates = load_file(options.gate / "gate.safetensors")
    random = np.random.default_rng(options.seed)

    writer = gguf.GGUFWriter(options.output, architecture)
    copy_metadata(reader, writer)
    writer.add_expert_count(len(experts))
    writer.add_expert_used_count(options.active)
    names = {"ffn_gate": "gate_proj", "ffn_up": "up_proj", "ffn_down": "down_proj"}
    for tensor in reader.tensors:
        parts = tensor.name.split(".")
        if len(parts) == 4 and parts[2] in names:
            layer, matrix = int(parts[1]), parts[2]
            base = dequantize(tensor.data, tensor.tensor_type)
            stacked = np.stack([
                quantize(base + changes.get((layer, names[matrix]), 0), kind)
                for changes in experts
            ])
            writer.add_tensor(f"blk.{layer}.{matrix}_exps.weight", stacked, raw_dtype=kind)
            if matrix == "ffn_gate":
                width = base.shape[1]
                weight = gates.get(f"layers.{layer}.mlp.weight")
                if weight is None:
                    weight = random.standard_normal((len(experts), width)) * width**-0.5
                writer.add_tensor(f"blk.{layer}.ffn_gate_inp.weight", weight.astype(np.float32))
        else:
            writer.add_tensor(tensor.name, tensor.data, raw_dtype=tensor.tensor_type)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    size = options.output.stat().st_size
    print(f"{options.output}: {layers} layers, {len(experts)} experts, {options.active} active, "
          f"{options.type}, {size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
