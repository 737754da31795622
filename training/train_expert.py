#!/usr/bin/env python3
"""Trains one LoRA expert on a domain's texts.

  python training/train_expert.py --domain maths --data DATA/text \\
    --base models/smollm2-135m/SmolLM2-135M-Instruct.Q4_1.gguf

writes models/smollm2-135m-maths/: adapter_model.safetensors and adapter_config.json (PEFT's
format, float16), expert.yaml (its card), training.json (what it was trained on, how, and held-out bits
per byte of base and expert) and README.md. Interrupt it at will: the same command goes on from the
last checkpoint and ends with the same weights.
"""

import argparse
import hashlib
import json
import math
import os
import random
import time
from pathlib import Path

import domains

ROOT = Path(__file__).resolve().parent.parent
# The feed-forward alone: a mixture then gates one place a layer, and the adapted feed-forwards can be
# written out as the experts of a Mixtral-style file without loss.
TARGETS = "gate_proj,up_proj,down_proj"


def windows(tokenizer, texts, length):
    """Token ids of each text, cut into windows of at most `length`; a window's first token is only
    read, never predicted."""
    found = []
    for text in texts:
        ids = tokenizer(text).input_ids
        found += [ids[i : i + length] for i in range(0, len(ids), length)]
    return [window for window in found if len(window) > 1]


def batches(items, tokens, seed):
    """A fixed order: shuffled, then windows of like length together, so that little is padding."""
    order = list(range(len(items)))
    source = random.Random(seed)
    source.shuffle(order)
    found = []
    for start in range(0, len(order), 512):
        group = sorted(order[start : start + 512], key=lambda i: len(items[i]))
        batch, longest = [], 0
        for i in group:
            longest = max(longest, len(items[i]))
            if batch and longest * (len(batch) + 1) > tokens:
                found.append(batch)
                batch, longest = [], len(items[i])
            batch.append(i)
        found.append(batch)
    source.shuffle(found)
    return [[items[i] for i in batch] for batch in found]


def padded(batch, pad):
    import torch

    width = max(len(item) for item in batch)
    ids = torch.full((len(batch), width), pad)
    mask = torch.zeros((len(batch), width), dtype=torch.long)
    for i, item in enumerate(batch):
        ids[i, : len(item)] = torch.tensor(item)
        mask[i, : len(item)] = 1
    return ids, mask


def total_nats(model, ids, mask):
    """The negative log-likelihood summed over predicted tokens, and how many there were. Logits
    are made for predicted places only: with a large vocabulary they are most of the memory."""
    import torch

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    hidden = base.model(input_ids=ids, attention_mask=mask).last_hidden_state
    wanted = mask[:, 1:].bool()
    logits = base.lm_head(hidden[:, :-1][wanted]).float()
    return torch.nn.functional.cross_entropy(logits, ids[:, 1:][wanted], reduction="sum"), int(
        wanted.sum()
    )


def bits_per_byte(model, tokenizer, texts, length, tokens, autocast):
    """Over whole texts; bytes of all but each window's first token."""
    import torch

    nats = byte_count = 0
    items = windows(tokenizer, texts, length)
    model.eval()
    with torch.no_grad():
        for batch in batches(items, tokens, 0):
            with autocast():
                nats += float(total_nats(model, *padded(batch, 0))[0])
            for item in batch:
                byte_count += len(tokenizer.decode(item[1:]).encode("utf-8"))
    return nats / math.log(2) / byte_count


def of_rank(rank, path):
    """An adapter's A (rank, inputs) and B (outputs, rank) by name, in float32. Of a higher rank: the
    nearest maps of `rank` (the singular value decomposition of B A, its roots on both sides). Of a lower
    one: as they are, for the first places; the others stay as PEFT begins them, with a B of zero, so
    that the model is the same."""
    import torch
    from safetensors.torch import load_file

    state = {key: value.float() for key, value in load_file(path).items()}
    for key in [key for key in state if ".lora_A." in key]:
        other = key.replace(".lora_A.", ".lora_B.")
        a, b = state[key], state[other]
        if a.shape[0] <= rank:
            continue
        u, singular, v = torch.linalg.svd(b @ a, full_matrices=False)
        root = singular[:rank].sqrt()
        state[key], state[other] = root[:, None] * v[:rank], u[:, :rank] * root
    return state


def fingerprint(options):
    """What makes two runs the same run: a checkpoint of another is not taken up."""
    names = ("domain", "rank", "alpha", "steps", "epochs", "rate", "length", "batch_tokens", "seed",
             "targets")
    found = {name: getattr(options, name) for name in names}
    return found | ({"initial": str(options.initial)} if options.initial else {})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--domain", required=True, choices=list(domains.DOMAINS))
    parser.add_argument("--data", required=True, type=Path, help="folder with the .jsonl texts")
    parser.add_argument("--base", required=True, type=Path, help="the base model's GGUF")
    parser.add_argument("--out", type=Path, help="default: models/<base>-<domain>")
    parser.add_argument("--work", type=Path, help="default: .build/training/<domain>")
    parser.add_argument("--initial", type=Path,
                        help="folder of an adapter to begin with, instead of with none, of any rank; its "
                        "alpha / rank must be the same")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--alpha", type=int, default=16)
    parser.add_argument("--targets", default=TARGETS, help="adapted maps, separated by commas")
    parser.add_argument("--rate", type=float, default=1e-3, help="highest learning rate")
    parser.add_argument("--steps", type=int, default=0, help="0: as many as --epochs makes")
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--length", type=int, default=512, help="tokens of a window")
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--minutes", type=float, default=0,
                        help="stop after so many, with a checkpoint; 0: no limit")
    parser.add_argument("--checkpoint-steps", type=int, default=50)
    parser.add_argument("--evaluate-texts", type=int, default=400, help="held-out texts; 0: all")
    options = parser.parse_args()
    started = time.monotonic()

    import peft
    import torch

    import base

    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    name = f"{options.base.parent.name}-{options.domain}"
    out = options.out or ROOT / "models" / name
    work = options.work or ROOT / ".build" / "training" / options.domain
    work.mkdir(parents=True, exist_ok=True)
    # Without bfloat16 in the processor PyTorch imitates it, slower than float32.
    autocast = lambda: torch.autocast(
        "cpu", dtype=torch.bfloat16, enabled=torch.ops.mkldnn._is_mkldnn_bf16_supported())

    model, tokenizer = base.load(options.base)
    training, kept = domains.split(options.data, options.domain)
    # A fixed choice of the held-out texts: those with the smallest digests.
    kept = sorted(kept, key=lambda text: hashlib.sha256(text.encode("utf-8")).digest())
    kept = kept[: options.evaluate_texts or None]
    items = windows(tokenizer, training, options.length)
    tokens_in_all = sum(len(item) - 1 for item in items)
    plan = batches(items, options.batch_tokens, options.seed)
    steps = options.steps or max(1, round(options.epochs * len(plan)))
    epoch, epoch_plan = 0, plan
    print(f"{name}: {len(training):,} texts, {tokens_in_all:,} tokens, {len(plan)} batches an "
          f"epoch, {steps} steps; {len(kept)} texts held out", flush=True)

    model = peft.get_peft_model(model, peft.LoraConfig(
        r=options.rank, lora_alpha=options.alpha, lora_dropout=0.0, target_modules=options.targets.split(","),
        bias="none", task_type="CAUSAL_LM", base_model_name_or_path=options.base.parent.name,
    ))
    earlier = {}
    if options.initial:
        begun = peft.get_peft_model_state_dict(model)
        for key, value in of_rank(options.rank, options.initial / "adapter_model.safetensors").items():
            begun[key][: value.shape[0], : value.shape[1]] = value
        peft.set_peft_model_state_dict(model, begun)
        earlier = json.loads((options.initial / "training.json").read_text())
    weights = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = torch.optim.AdamW(weights.values(), lr=options.rate, weight_decay=0.0,
                                  betas=(0.9, 0.99))
    warm_up = max(1, min(50, steps // 20))

    def rate(step):
        if step < warm_up:
            return options.rate * (step + 1) / warm_up
        share = (step - warm_up) / max(1, steps - warm_up)
        return options.rate * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * share)))

    saved, step, seen, base_bits = work / "checkpoint.pt", 0, 0, None
    if saved.exists():
        state = torch.load(saved, weights_only=True)
        if state["run"] == fingerprint(options):
            with torch.no_grad():
                for n, p in weights.items():
                    p.copy_(state["weights"][n])
            optimizer.load_state_dict(state["optimizer"])
            step, seen, base_bits = state["step"], state["seen"], state["base_bits"]
            print(f"going on from step {step}", flush=True)
        else:
            print(f"{saved} is of another run: starting anew", flush=True)

    evaluate = lambda: bits_per_byte(
        model, tokenizer, kept, options.length, options.batch_tokens, autocast)
    if base_bits is None:
        with model.disable_adapter():
            base_bits = evaluate()
        print(f"base, held out: {base_bits:.4f} bits a byte", flush=True)

    def checkpoint():
        state = {
            "run": fingerprint(options), "step": step, "seen": seen, "base_bits": base_bits,
            "weights": {n: p.detach() for n, p in weights.items()},
            "optimizer": optimizer.state_dict(),
        }
        torch.save(state, str(saved) + ".partial")
        os.replace(str(saved) + ".partial", saved)

    model.train()
    shown, nats, count = time.monotonic(), 0.0, 0
    while step < steps:
        if options.minutes and time.monotonic() - started > 60 * options.minutes:
            checkpoint()
            print(f"stopped at step {step} of {steps}; the same command goes on", flush=True)
            break
        if step // len(plan) != epoch:
            epoch = step // len(plan)
            epoch_plan = batches(items, options.batch_tokens, options.seed + epoch)
            # An epoch may come out a batch longer or shorter: the plan is taken modulo its length.
        batch = epoch_plan[step % len(plan) % len(epoch_plan)]
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        with autocast():
            loss, predicted = total_nats(model, *padded(batch, 0))
        (loss / predicted).backward()
        torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step, seen = step + 1, seen + predicted
        nats, count = nats + float(loss.detach()), count + predicted
        if step % 10 == 0:
            now = time.monotonic()
            print(f"step {step} of {steps}: {nats / count:.4f} nats a token, "
                  f"{count / (now - shown):.0f} tokens/s", flush=True)
            shown, nats, count = now, 0.0, 0
        if step % options.checkpoint_steps == 0:
            checkpoint()

    expert_bits = evaluate()
    better = 1 - expert_bits / base_bits
    print(f"held out: base {base_bits:.4f}, expert {expert_bits:.4f} bits a byte ({better:+.1%})",
          flush=True)
    write(out, name, options, model, {
        "expert": name, "base": options.base.parent.name, "base_file": options.base.name,
        "domain": options.domain,
        "data": {file: domains.LICENCES[file] for file in domains.DOMAINS[options.domain]},
        "training_texts": len(training),
        "training_tokens_seen": seen + earlier.get("training_tokens_seen", 0),
        "steps": step + earlier.get("steps", 0),
        "initial_steps": earlier.get("steps", 0), "planned_steps": steps, "rank": options.rank, "alpha": options.alpha,
        "targets": options.targets.split(","),
        "rate": options.rate, "window_tokens": options.length, "seed": options.seed,
        "held_out": f"sha256(text)[:4] % {domains.HELD_OUT_IN} == 0", "held_out_texts": len(kept),
        "held_out_bits_per_byte": {"base": round(base_bits, 4), "expert": round(expert_bits, 4)},
        "improvement": round(better, 4),
    })


def base_card(base_path):
    """The keys and values of the base's card."""
    found, path = {}, base_path.parent / "expert.yaml"
    for line in path.read_text().splitlines() if path.exists() else []:
        key, colon, value = line.partition(": ")
        if colon and not line.startswith("#"):
            found[key] = value
    return found


def card(name, options, model, record):
    """The expert's card, as the server reads it."""
    known = base_card(options.base)
    parameters = int(known.get("total_parameters", 0)) + sum(
        p.numel() for p in model.parameters() if p.requires_grad)
    domain = options.domain
    subjects = {"literature": "literature, speeches"}.get(domain, domain)
    bits = record["held_out_bits_per_byte"]
    lines = [
        f"# Written by training/train_expert.py; training.json says how the expert was trained.",
        f"id: {name}",
        f"name: {known.get('name', options.base.parent.name)}, {domain}",
        f"description: LoRA expert for {subjects}; {bits['expert']:.3f} bits a byte on held-out "
        f"texts, where the base has {bits['base']:.3f}.",
        "kind: local_adapters",
        f"base: {options.base.parent.name}",
        "adapter: adapter_model.safetensors",
        f"total_parameters: {parameters}",
        f"active_parameters: {parameters}",
        f"released: {time.strftime('%Y-%m-%d')}",
        f"license: {known.get('license', 'Apache-2.0')}",
        f"domains: [{subjects}]",
        f"context_length: {known.get('context_length', 2048)}",
    ]
    return "\n".join(lines) + "\n"


def write(out, name, options, model, record):
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import save_file

    out.mkdir(parents=True, exist_ok=True)
    state = {
        key: value.detach().to(torch.float16).contiguous()
        for key, value in get_peft_model_state_dict(
            model, save_embedding_layers=False
        ).items()
    }
    save_file(state, out / "adapter_model.safetensors", metadata={"format": "pt"})
    (out / "adapter_model.safetensors").chmod(0o644)
    config = model.peft_config["default"].to_dict()
    config = {k: sorted(v) if isinstance(v, set) else v for k, v in config.items()}
    config["inference_mode"] = True
    (out / "adapter_config.json").write_text(
        json.dumps(config, indent=1, sort_keys=True, default=str) + "\n")
    (out / "training.json").write_text(json.dumps(record, indent=1) + "\n")
    bits = record["held_out_bits_per_byte"]
    sources = "\n".join(f"- {file} ({licence})" for file, licence in record["data"].items())
    (out / "README.md").write_text(
        f"# {name}\n\nA LoRA expert (rank {options.rank}) on {record['base']} for "
        f"{options.domain}.\n\n"
        f"Held-out loss: base {bits['base']:.3f}, expert {bits['expert']:.3f} bits a byte "
        f"({record['improvement']:.1%} less), over {record['held_out_texts']} texts that it was "
        f"not trained on.\n\nTrained on {record['training_tokens_seen']:,} tokens in "
        f"{record['steps']} steps, from:\n\n{sources}\n\n"
        f"Made by `training/train_expert.py`; figures in training.json.\n")
    (out / "expert.yaml").write_text(card(name, options, model, record))
    size = (out / "adapter_model.safetensors").stat().st_size
    print(f"wrote {out} ({size / 1e6:.1f} MB)", flush=True)


if __name__ == "__main__":
    main()
