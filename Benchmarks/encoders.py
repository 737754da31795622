"""The encoder beside ONNX Runtime, one text at a time."""

import json
import sys

import minilm_onnx
from measuring import ENCODER, HERE, PEERS, Table, best, ratio, run, say


def thalamus_encoder(options, tokens):
    out, _ = run([options.binary, "bench", "encoder", "--models", options.models, "--tokens",
                  tokens, "--threads", options.threads, "--json"])
    return [json.loads(out)["median_milliseconds"]]


def onnx_encoder(options, file, tokens):
    out, _ = run([sys.executable, HERE / "minilm_onnx.py", "measure", file, "--tokens", tokens,
                  "--threads", options.threads])
    return [json.loads(out)["median_milliseconds"]]


def bench_encoder(options, record):
    files = minilm_onnx.build(options.models / ENCODER, PEERS / "minilm")
    table = Table()
    for turn in range(options.rounds):
        for tokens in options.tokens:
            say(f"encoder, {tokens} tokens, round {turn + 1} of {options.rounds}")
            if not options.peers_only:
                table.take([f"ours {tokens}"], lambda: thalamus_encoder(options, tokens))
            for file in files:
                table.take([f"{file.stem} {tokens}"], lambda: onnx_encoder(options, file, tokens))
    print("### all-MiniLM-L6-v2, one text: milliseconds, median (least to most) of the rounds\n")
    print("| tokens | Thalamus | " + " | ".join(f"ONNX Runtime {f.stem}" for f in files)
          + " | ratio to its best int8 |\n|---|---|" + "---|" * len(files) + "---|")
    for tokens in options.tokens:
        ours = table[f"ours {tokens}"]
        cells = [table[f"{f.stem} {tokens}"].text(2) for f in files]
        rival = best([table[f"{f.stem} {tokens}"] for f in files if "int8" in f.stem], True)
        print(f"| {tokens} | {ours.text(2)} | " + " | ".join(cells)
              + f" | {ratio(ours, rival, True)} |")
    print()
    record["encoder"] = {name: s.values for name, s in table.items()}
