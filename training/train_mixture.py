#!/usr/bin/env python3
"""Trains a gate over ready-made LoRA experts, which stay as they are.

  python training/train_mixture.py --kind dynmole --data DATA/text \\
    --base models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf \\
    --adapters models/smollm2-135m-code models/smollm2-135m-maths ...

writes models/smollm2-135m-dynmole/: gate.safetensors (a gate a layer), mixture.json (which adapters,
and the gate in words that the server reads), expert.yaml (its card), training.json and README.md.

Two kinds, both with one gate a feed-forward block, on the block's own input x:

  dynmole   DynMoLE (arXiv 2504.00661): p = softmax(W x); all experts where the normalised Tsallis
            entropy of p is above 0.9, else the most probable ones while their sum is at most 0.75,
            at least two; weights p, not renormalised.
  llava     LLaVA-MoLE (arXiv 2401.16160): the most probable expert of softmax(W x + b) alone, with
            weight 1. Its choice has no gradient; a straight-through estimate (the softmax's) stands
            in for it.

The gate begins as a classifier of domains (gate_start.py), so that training has little left to do;
then the language model's loss trains it.
"""

import argparse
import hashlib
import json
import math
import os
import time
from pathlib import Path

import domains
import gate_start
from train_expert import ROOT, base_card, batches, bits_per_byte, padded, total_nats, windows

ENTROPY_INDEX, ENTROPY_EPSILON = 1.1, 1e-5
ENTROPY_THRESHOLD, TOP_P, AT_LEAST = 0.9, 0.75, 2
GATES = {
    "dynmole": {
        "scores": "linear", "probability": "softmax", "weighting": "raw",
        "selection": {
            "kind": "entropy_switch", "entropy_threshold": ENTROPY_THRESHOLD, "index": ENTROPY_INDEX,
            "epsilon": ENTROPY_EPSILON, "top_p": TOP_P, "at_least": AT_LEAST,
        },
    },
    "llava": {
        "scores": "linear", "probability": "softmax", "weighting": "one",
        "selection": {"kind": "top_k", "k": 1},
    },
}


def entropy(p):
    """The Tsallis entropy of each row over its largest possible value."""
    q, count = ENTROPY_INDEX, p.shape[-1]
    return (1 - ((p + ENTROPY_EPSILON) ** q).sum(-1)) / (q - 1) / ((1 - count ** (1 - q)) / (q - 1))


def weights(kind, p):
    """What each expert's output is multiplied by. p: (tokens, experts)"""
    import torch

    if kind == "llava":
        hard = torch.nn.functional.one_hot(p.argmax(-1), p.shape[-1]).to(p.dtype)
        return hard + p - p.detach()
    with torch.no_grad():
        ordered, order = p.sort(-1, descending=True)
        kept = ordered.cumsum(-1) <= TOP_P
        kept[..., :AT_LEAST] = True
        mask = torch.zeros_like(p).scatter(-1, order, kept.to(p.dtype))
        mask = torch.where((entropy(p) > ENTROPY_THRESHOLD)[..., None], 1.0, mask)
    return p * mask


def mixture_block(kind, block, adapters, index):
    """A layer's feed-forward with the adapters' low-rank maps beside each matrix."""
    import torch

    class Mixture(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.block = block
            width = block.gate_proj.in_features
            self.gate = torch.nn.Linear(width, len(adapters), bias=kind == "llava")
            self.ranks = torch.tensor([adapter["rank"] for adapter in adapters])
            for name in ("gate_proj", "up_proj", "down_proj"):
                a = torch.cat([x["maps"][index, name, "A"] * x["scale"] for x in adapters], 0)
                b = torch.cat([x["maps"][index, name, "B"] for x in adapters], 1)
                self.register_buffer(name + "_a", a)  # (ranks, inputs)
                self.register_buffer(name + "_b", b)  # (outputs, ranks)
            self.entropy = None
            self.enabled = True  # else the base alone

        def project(self, name, x, share):
            low = torch.nn.functional.linear(x, getattr(self, name + "_a")) * share
            return getattr(self.block, name)(x) + torch.nn.functional.linear(
                low, getattr(self, name + "_b"))

        def forward(self, x):
            if not self.enabled:
                return self.block(x)
            with torch.autocast("cpu", enabled=False):
                p = self.gate(x.float()).softmax(-1)
            self.entropy = entropy(p).mean()
            share = weights(kind, p).repeat_interleave(self.ranks, dim=-1)
            inner = self.block.act_fn(self.project("gate_proj", x, share))
            return self.project("down_proj", inner * self.project("up_proj", x, share), share)

    return Mixture()


def read_adapter(folder):
    from safetensors.torch import load_file

    config = json.loads((folder / "adapter_config.json").read_text())
    maps = {}
    for key, value in load_file(folder / "adapter_model.safetensors").items():
        parts = key.split(".")
        place, name, which = parts.index("layers"), parts[-3], parts[-2][-1]
        if parts[place + 2] != "mlp":
            raise SystemExit(f"{folder}: {key} is not in the feed-forward; such maps are not gated here")
        maps[int(parts[place + 1]), name, which] = value.float()
    return {"rank": config["r"], "scale": config["lora_alpha"] / config["r"], "maps": maps}


def card(name, base_path, gate, domain_of, parameters, active):
    """The mixture's card, as the server reads it."""
    known = base_card(base_path)
    base_size = int(known.get("total_parameters", 0))
    lines = [
        "# Written by training/train_mixture.py; training.json says how the gate was trained.",
        f"id: {name}",
        f"name: {known.get('name', base_path.parent.name)}, {gate} mixture",
        f"description: LoRA experts for {', '.join(domain_of)} under a {gate} gate, which chooses for "
        "each token and layer.",
        "kind: local_adapters",
        f"base: {base_path.parent.name}",
        "mixture: mixture.json",
        f"total_parameters: {base_size + parameters}",
        f"active_parameters: {base_size + active}",
        f"released: {time.strftime('%Y-%m-%d')}",
        f"license: {known.get('license', 'Apache-2.0')}",
        f"domains: [{', '.join(domain_of)}]",
        f"context_length: {known.get('context_length', 2048)}",
    ]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kind", required=True, choices=list(GATES))
    parser.add_argument("--data", required=True, type=Path, help="folder with the .jsonl texts")
    parser.add_argument("--base", required=True, type=Path, help="the base model's GGUF")
    parser.add_argument("--adapters", required=True, nargs="+", type=Path)
    parser.add_argument("--out", type=Path, help="default: models/<base>-<kind>")
    parser.add_argument("--work", type=Path, help="default: .build/training/<kind>")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--entropy-weight", type=float, default=0.01)
    parser.add_argument("--emphasis", nargs="*", default=[], metavar="DOMAIN=WEIGHT",
                        help="the weight of a domain's loss and its share of the tokens, where the mixture "
                        "is farther from the expert")
    parser.add_argument("--initial", type=Path,
                        help="folder of a mixture of the same kind and adapters, with whose gates to begin")
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--batch-tokens", type=int, default=2048)
    parser.add_argument("--start-tokens", type=int, default=8000,
                        help="a domain, for the classifier that the gate begins as")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--evaluate-texts", type=int, default=60,
                        help="a domain; 0: none, for held_out.py measures with the server")
    parser.add_argument("--evaluate-first", action="store_true",
                        help="also measure the gate that training begins with")
    options = parser.parse_args()
    started = time.monotonic()

    import torch
    from safetensors.torch import save_file

    import base

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    name = f"{options.base.parent.name}-{options.kind}"
    out = options.out or ROOT / "models" / name
    work = options.work or ROOT / ".build" / "training" / options.kind
    work.mkdir(parents=True, exist_ok=True)
    autocast = lambda: torch.autocast("cpu", dtype=torch.bfloat16)

    model, tokenizer = base.load(options.base)
    model.requires_grad_(False)
    records = [json.loads((path / "training.json").read_text()) for path in options.adapters]
    adapters = [read_adapter(path) for path in options.adapters]
    domain_of = [record["domain"] for record in records]

    emphasis = {domain: float(weight) for domain, weight in (e.split("=") for e in options.emphasis)}
    if unknown := set(emphasis) - set(domain_of):
        parser.error(f"--emphasis {', '.join(unknown)}: domains are {', '.join(domain_of)}")
    weight_of = [emphasis.get(domain, 1.0) for domain in domain_of]

    # Tokens of each domain by its weight, dealt out in turn, so that every step sees all of them.
    kept, plans = {}, []
    for domain, weight in zip(domain_of, weight_of):
        share = max(1, int(options.batch_tokens * weight / sum(weight_of)))
        training, held = domains.split(options.data, domain)
        held = sorted(held, key=lambda text: hashlib.sha256(text.encode("utf-8")).digest())
        kept[domain] = held[: options.evaluate_texts]
        plans.append(batches(
            windows(tokenizer, training, min(options.length, share)), share, options.seed))

    gates = []
    for index, layer in enumerate(model.model.layers):
        layer.mlp = mixture_block(options.kind, layer.mlp, adapters, index)
        gates.append(layer.mlp.gate)
    parameters = [p for gate in gates for p in gate.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=options.rate, weight_decay=0.0, betas=(0.9, 0.99))

    def evaluate():
        result = {d: bits_per_byte(model, tokenizer, kept[d], options.length, options.batch_tokens,
                                   autocast) for d in domain_of}
        for record in records:
            own = result[record["domain"]]
            expert = record["held_out_bits_per_byte"]["expert"]
            print(f"  {record['domain']}: base {record['held_out_bits_per_byte']['base']:.4f}, "
                  f"expert {expert:.4f}, mixture {own:.4f} ({own / expert - 1:+.1%})", flush=True)
        return result

    run = {"kind": options.kind, "steps": options.steps, "rate": options.rate, "seed": options.seed,
           "batch_tokens": options.batch_tokens, "adapters": [p.name for p in options.adapters],
           **({"emphasis": emphasis} if emphasis else {}),
           **({"initial": options.initial.name} if options.initial else {})}
    saved, step, seen, begun = work / "checkpoint.pt", 0, 0, False
    if saved.exists():
        state = torch.load(saved, weights_only=True)
        if state["run"] == run:
            with torch.no_grad():
                for parameter, value in zip(parameters, state["gates"]):
                    parameter.copy_(value)
            optimizer.load_state_dict(state["optimizer"])
            step, seen, begun = state["step"], state["seen"], True
            print(f"going on from step {step}", flush=True)

    def checkpoint():
        torch.save({"run": run, "gates": [p.detach() for p in parameters], "step": step,
                    "seen": seen, "optimizer": optimizer.state_dict()}, str(saved) + ".partial")
        os.replace(str(saved) + ".partial", saved)

    if not begun and options.initial:
        from safetensors.torch import load_file

        stored = load_file(options.initial / "gate.safetensors")
        with torch.no_grad():
            for index, gate in enumerate(gates):
                for part in ("weight", "bias") if gate.bias is not None else ("weight",):
                    getattr(gate, part).copy_(stored[f"layers.{index}.mlp.{part}"])
        checkpoint()
    elif not begun:
        items = [gate_start.some_windows(
            tokenizer, domains.split(options.data, domain)[0], options.length // 2,
            options.start_tokens) for domain in domain_of]
        for layer in model.model.layers:
            layer.mlp.enabled = False
        first = gate_start.begin(model, gates, items, autocast)
        for layer in model.model.layers:
            layer.mlp.enabled = True
        gate_start.begin(model, gates, items, autocast, first)
        print(f"{name}: begun after {time.monotonic() - started:.0f} s", flush=True)
        checkpoint()
    if step == 0 and options.evaluate_first:
        print("before training", flush=True)
        evaluate()
    model.train()
    while step < options.steps:
        if options.minutes and time.monotonic() - started > 60 * options.minutes:
            checkpoint()
            print(f"stopped at step {step} of {options.steps}; the same command goes on", flush=True)
            return
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(
                (step + 1) / 5, 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * step / options.steps)))
        at, nats, predicted = time.monotonic(), 0.0, 0
        for plan, weight in zip(plans, weight_of):
            with autocast():
                loss, count = total_nats(model, *padded(plan[step % len(plan)], 0))
            spread = sum(layer.mlp.entropy for layer in model.model.layers) / len(gates)
            penalty = options.entropy_weight * spread if options.kind == "dynmole" else 0
            (weight * (loss / count + penalty) / sum(weight_of)).backward()
            nats, predicted = nats + float(loss.detach()), predicted + count
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step, seen = step + 1, seen + predicted
        if step % 5 == 0:
            print(f"step {step} of {options.steps}: {nats / predicted:.4f} nats a token, entropy "
                  f"{float(spread):.3f}, {predicted / (time.monotonic() - at):.0f} tokens/s",
                  flush=True)
            checkpoint()

    mixture = evaluate() if options.evaluate_texts else {}
    out.mkdir(parents=True, exist_ok=True)
    state = {}
    for index, gate in enumerate(gates):
        state[f"layers.{index}.mlp.weight"] = gate.weight.detach().float().contiguous()
        if gate.bias is not None:
            state[f"layers.{index}.mlp.bias"] = gate.bias.detach().float().contiguous()
    save_file(state, out / "gate.safetensors")
    (out / "gate.safetensors").chmod(0o644)
    (out / "mixture.json").write_text(json.dumps({
        "version": 1,
        "adapters": [path.name for path in options.adapters],
        "gates": {"mlp": GATES[options.kind]},
    }, indent=1) + "\n")
    table = [{
        "domain": record["domain"], **record["held_out_bits_per_byte"],
        "mixture": round(mixture[record["domain"]], 4),
        "above_expert": round(
            mixture[record["domain"]] / record["held_out_bits_per_byte"]["expert"] - 1, 4),
    } for record in records if mixture]
    (out / "training.json").write_text(json.dumps({
        "expert": name, **run, "tokens_seen": seen, "entropy_weight": options.entropy_weight,
        "start_tokens": options.start_tokens,
        "held_out_bits_per_byte": table,
    }, indent=1) + "\n")
    # What a token passes through: the base, and as many experts as the gate keeps at least.
    sizes = [sum(value.numel() for value in adapter["maps"].values()) for adapter in adapters]
    least = AT_LEAST if options.kind == "dynmole" else 1
    described = {"dynmole": "DynMoLE", "llava": "LLaVA-MoLE"}[options.kind]
    (out / "expert.yaml").write_text(card(
        name, options.base, described, domain_of, sum(sizes) + sum(p.numel() for p in parameters),
        least * sum(sizes) // len(sizes)))
    (out / "README.md").write_text(readme(name, described, len(adapters), seen, table))


def readme(name, gate, count, tokens, table):
    """The mixture in words; `table` has a row a domain, or none yet."""
    lines = "".join(
        f"| {row['domain']} | {row['base']:.3f} | {row['expert']:.3f} | {row['mixture']:.3f} |\n"
        for row in table)
    measured = (
        f"\nHeld-out bits per byte:\n\n| domain | base | its expert | mixture |\n|---|---|---|---|\n"
        f"{lines}" if table else "")
    return (
        f"# {name}\n\nA mixture of {count} LoRA experts with a {gate} gate a layer, trained by "
        f"`training/train_mixture.py` on {tokens:,} tokens; the experts are as they were.\n{measured}")


if __name__ == "__main__":
    main()
