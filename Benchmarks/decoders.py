"""Decoders in one process each: llama.cpp's own benchmarks beside `thalamus bench decoder`.

Four parts: `decoder` (one sequence), `batch` (several at once), `size` (both, on a model of random
weights that is ten times as large), and `mixture` (both, on a Mixtral-style file that
training/upcycle.py makes of the base and the domain experts).
"""

import json
import pathlib
import sys
import tempfile

from measuring import EXPERTS, PEERS, ROOT, Table, best, ratio, run, say


def thalamus(options, models, expert, prompt_tokens, clients=1, in_turn=()):
    """tokens/s of the prompts, tokens/s of the answers, peak memory in MiB"""
    command = [
        options.binary, "bench", "decoder", "--models", models, "--expert", expert,
        "--prompt-tokens", prompt_tokens, "--generated-tokens", options.generated_tokens,
        "--clients", clients, "--repetitions", options.repetitions,
        "--threads", options.threads, "--json",
    ]
    if in_turn:
        command += ["--in-turn", ",".join(in_turn)]
    out, memory = run(command)
    found = json.loads(out)
    return found["prefill_tokens_per_second"], found["decode_tokens_per_second"], memory


def llama_bench(options, binaries, file, attention):
    """The prompt from an empty cache, then tokens after a prompt of that length: what
    `thalamus bench decoder` does. llama-bench takes no time for sampling."""
    common = [
        binaries / "llama-bench", "-m", file, "-t", options.threads, "-b", 512, "-ub", 512,
        "-fa", "on" if attention else "off", "-r", options.repetitions, "-o", "json",
    ]
    out, memory = run([*common, "-p", options.prompt_tokens, "-n", 0])
    prefill = json.loads(out)[0]["avg_ts"]
    out, _ = run([
        *common, "-p", 0, "-n", options.generated_tokens, "-d", options.prompt_tokens])
    return prefill, json.loads(out)[0]["avg_ts"], memory


def llama_batched_bench(options, binaries, file, attention, prompt_tokens, clients):
    context = clients * (prompt_tokens + options.generated_tokens) + 64
    out, memory = run([
        binaries / "llama-batched-bench", "-m", file, "-t", options.threads, "-b", 512,
        "-ub", 512, "-fa", "on" if attention else "off", "-c", context,
        "-npp", prompt_tokens, "-ntg", options.generated_tokens, "-npl", clients,
        "--output-format", "jsonl",
    ])
    found = [json.loads(line) for line in out.splitlines() if line.startswith("{")][-1]
    return found["speed_pp"], found["speed_tg"], memory


def compare(options, title, ours, theirs, record, key):
    """One table. `ours()` and `theirs(flash attention)` answer prefill, decode and memory."""
    parts = ("prefill", "decode", "memory")
    table = Table()
    for turn in range(options.rounds):
        say(f"{title}, round {turn + 1} of {options.rounds}")
        if not options.peers_only:
            table.take([f"ours {part}" for part in parts], ours)
        for attention in (0, 1):
            table.take([f"llama{attention} {part}" for part in parts], lambda: theirs(attention))
    print(f"### {title}\n")
    print("| tokens/s, median (least to most) | Thalamus | llama.cpp | llama.cpp, flash "
          "attention | ratio to the better |\n|---|---|---|---|---|")
    for part, digits in (("prefill", 0), ("decode", 1)):
        peers = [table[f"llama0 {part}"], table[f"llama1 {part}"]]
        print(f"| {part} | {table[f'ours {part}'].text(digits)} | {peers[0].text(digits)} | "
              f"{peers[1].text(digits)} | {ratio(table[f'ours {part}'], best(peers))} |")
    print(f"| peak memory, MiB | {table['ours memory'].text(0)} | "
          f"{table['llama0 memory'].text(0)} | {table['llama1 memory'].text(0)} | |\n")
    record[key] = {name: series.values for name, series in table.items()}
    return table


def one_sequence(options, binaries, models, expert, file, title, record):
    return compare(
        options,
        f"{title}: prompt of {options.prompt_tokens} tokens, then {options.generated_tokens} more",
        lambda: thalamus(options, models, expert, options.prompt_tokens),
        lambda attention: llama_bench(options, binaries, file, attention),
        record, f"decoder/{expert}")


def sequences(options, binaries, models, expert, file, title, record):
    count, prompt_tokens = options.clients, options.batch_prompt_tokens
    return compare(
        options,
        f"{title}: {count} sequences at once, prompts of {prompt_tokens} tokens, then "
        f"{options.generated_tokens} more (llama-batched-bench)",
        lambda: thalamus(options, models, expert, prompt_tokens, count),
        lambda attention: llama_batched_bench(
            options, binaries, file, attention, prompt_tokens, count),
        record, f"batch/{expert}")


def bench_decoder(options, binaries, measured, record):
    for expert in options.expert or EXPERTS:
        file = options.models / expert / EXPERTS[expert]
        table = one_sequence(options, binaries, options.models, expert, file, expert, record)
        decode = table["ours decode"].median() or best(
            [table["llama0 decode"], table["llama1 decode"]])
        if measured and decode:
            side = "Thalamus" if table["ours decode"].values else "llama.cpp"
            size = file.stat().st_size
            print(f"{side} decodes at {decode * size / measured['bytes_per_second']:.0%} of what "
                  f"memory allows if each token reads the file ({size / 1e6:.0f} MB) once.\n")


def bench_batch(options, binaries, record):
    for expert in options.expert or EXPERTS:
        file = options.models / expert / EXPERTS[expert]
        sequences(options, binaries, options.models, expert, file, expert, record)


def bench_size(options, binaries, record):
    import random_model  # needs gguf

    # Kept between runs: a gigabyte that is always the same.
    file = PEERS / "random" / "qwen3.gguf"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        random_model.write(part, options.models / "smollm2-135m" / EXPERTS["smollm2-135m"])
        part.rename(file)
    with tempfile.TemporaryDirectory() as folder:
        write_card(folder, "random", file, total=1_510_000_000, active=1_510_000_000)
        title = "Qwen 3's architecture, 1.5 billion random weights, Q4_K_M"
        one_sequence(options, binaries, folder, "random", file, title, record)
        sequences(options, binaries, folder, "random", file, title, record)


# --- A mixture of experts -------------------------------------------------------------------


def upcycled(options, folder):
    """A models folder with one expert, made of the base and the adapters that the library has."""
    base = options.models / "smollm2-135m" / EXPERTS["smollm2-135m"]
    gates = [path.parent for path in sorted(options.models.glob("*/gate.safetensors"))]
    gate = next((path for path in gates if path.name.endswith("dynmole")), None)
    if gate:
        adapters = [options.models / name
                    for name in json.loads((gate / "mixture.json").read_text())["adapters"]]
    else:
        adapters = [path.parent
                    for path in sorted(options.models.glob("*/adapter_model.safetensors"))]
    # Kept between runs: it is made of the same files.
    file = PEERS / "mixture" / "moe.gguf"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        run([sys.executable, ROOT / "training" / "upcycle.py", "--base", base, "--adapters",
             *adapters, *(["--gate", gate] if gate else []), "--output", file])
    write_card(folder, "mixture", file, total=500_000_000, active=250_000_000)
    return file, len(adapters)


def write_card(folder, name, file, total, active):
    """An expert's folder of that name, with a file that lies elsewhere."""
    home = pathlib.Path(folder) / name
    home.mkdir()
    (home / file.name).symlink_to(file)
    (home / "expert.yaml").write_text(
        f"id: {name}\nname: {name}\nkind: local\nfile: {file.name}\n"
        f"total_parameters: {total}\nactive_parameters: {active}\nreleased: 2026-01-01\n"
        "license: Apache-2.0\ndomains: [general]\ncontext_length: 2048\n")


def bench_mixture(options, binaries, record):
    with tempfile.TemporaryDirectory() as folder:
        file, experts = upcycled(options, folder)
        title = f"{experts} experts, two active, Q4_1"
        one_sequence(options, binaries, folder, "mixture", file, title, record)
        sequences(options, binaries, folder, "mixture", file, title, record)


# --- Adapters -------------------------------------------------------------------------------


def bench_adapters(options, record):
    """Clients on as many LoRA experts of one base as the library has, beside as many on the base."""
    base = "smollm2-135m"
    experts = [path.parent.name for path in sorted(options.models.glob(
        f"{base}-*/adapter_model.safetensors"))][: options.clients]
    count, prompt_tokens = options.clients, options.batch_prompt_tokens
    table = Table()
    for turn in range(options.rounds):
        say(f"adapters, round {turn + 1} of {options.rounds}")
        table.take(["base prefill", "base decode", "base memory"], lambda: thalamus(
            options, options.models, base, prompt_tokens, count))
        table.take(["experts prefill", "experts decode", "experts memory"], lambda: thalamus(
            options, options.models, experts[0], prompt_tokens, count, experts))
    print(f"### {count} clients on {len(experts)} LoRA experts of {base} in turn, beside {count} on "
          "the base\n")
    print("| tokens/s, median (least to most) | experts | base | ratio |\n|---|---|---|---|")
    for part in ("prefill", "decode"):
        print(f"| {part} | {table['experts ' + part].text()} | {table['base ' + part].text()} | "
              f"{ratio(table['experts ' + part], table['base ' + part].median())} |")
    print()
    record["adapters"] = {name: series.values for name, series in table.items()}
