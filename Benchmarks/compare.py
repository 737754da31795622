#!/usr/bin/env python3
"""Thalamus beside its peers on this machine: same file, same work, in turn, at least five rounds.

Start it with Benchmarks/run, which makes the environment. Prints Markdown on standard output and
what it is doing on standard error. Ratios above 1 mean that Thalamus is faster.
"""

import argparse
import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import sys

import decoders
import drafting
import encoders
import formats
import gateway
import images
import llama_cpp
import serving
import soak
from measuring import EXPERTS, HERE, PEERS, ROOT, Failed, run


def limits(threads):
    compiler = shutil.which("cc") or shutil.which("clang") or shutil.which("gcc")
    if not compiler:
        raise Failed("no C compiler for limits.c")
    PEERS.mkdir(parents=True, exist_ok=True)
    binary = PEERS / "limits"
    run([compiler, "-O3", "-march=native", "-pthread", HERE / "limits.c", "-o", binary])
    return json.loads(run([binary, threads])[0])


def print_machine(options):
    model = platform.processor() or platform.machine()
    with contextlib.suppress(OSError):
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    print(f"Machine: {model}, {os.cpu_count()} processors, {platform.system()} "
          f"{platform.release()}; {options.threads} threads; {options.rounds} rounds in turn; "
          f"load before the start {os.getloadavg()[0]:.1f}.")
    try:
        found = limits(options.threads)
    except Failed as error:
        print(f"\nLimits not measured: {error}\n")
        return None
    operations = found["int8_operations_per_second"]
    print(f"Limits measured now: memory {found['bytes_per_second'] / 1e9:.1f} GB/s"
          + (f", int8 dot products {operations / 1e9:,.0f} GOP/s" if operations else "") + ".\n")
    return found


PARTS = ("limits", "decoder", "batch", "size", "mixture", "adapters", "encoder", "route", "clients",
         "mixed", "growth", "prefix", "drafts", "draft-model", "formats", "images", "gateway", "soak")
PEER_PARTS = {"decoder", "batch", "size", "mixture", "clients", "mixed", "prefix", "formats", "images"}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("parts", nargs="*", metavar="part",
                        help=f"{', '.join(PARTS)} (all but soak when none is named)")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / ".build/release/thalamus")
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "models")
    parser.add_argument("--expert", action="append", choices=list(EXPERTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=1, help="in each round")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--generated-tokens", type=int, default=128)
    parser.add_argument("--tokens", type=int, action="append", help="lengths for the encoder")
    parser.add_argument("--clients", type=int, default=8,
                        help="at once; four times as many in `mixed`")
    parser.add_argument("--batch-prompt-tokens", type=int, default=32,
                        help="of each prompt where several sequences run at once")
    parser.add_argument("--minutes", type=float, default=30, help="of the soak")
    parser.add_argument("--llama", type=pathlib.Path,
                        help="folder with llama.cpp's binaries, instead of building it")
    parser.add_argument("--peers-only", action="store_true", help="leave Thalamus out")
    parser.add_argument("--json", type=pathlib.Path, help="also write every figure to this file")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # each table as soon as it is known
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"no part {part!r}; parts are {', '.join(PARTS)}")
    options.parts = options.parts or [part for part in PARTS if part != "soak"]
    options.tokens = options.tokens or [16, 64, 128, 256, 512]
    options.binary, options.models = options.binary.resolve(), options.models.resolve()
    if not options.peers_only and not options.binary.exists():
        parser.error(f"{options.binary} is missing: run `make build`")
    for name in ("OPENBLAS_CORETYPE", "OMP_NUM_THREADS"):
        os.environ.pop(name, None)
    # Ended from outside, it ends its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    binaries = options.llama
    if binaries is None and PEER_PARTS & set(options.parts):
        binaries = llama_cpp.build(PEERS / "llama.cpp", os.cpu_count() or 2)
    record = {}
    measured = print_machine(options)
    works = {
        "decoder": lambda: decoders.bench_decoder(options, binaries, measured, record),
        "batch": lambda: decoders.bench_batch(options, binaries, record),
        "size": lambda: decoders.bench_size(options, binaries, record),
        "mixture": lambda: decoders.bench_mixture(options, binaries, record),
        "adapters": lambda: decoders.bench_adapters(options, record),
        "encoder": lambda: encoders.bench_encoder(options, record),
        "route": lambda: serving.bench_route(options, record),
        "clients": lambda: serving.bench_clients(options, binaries, record),
        "mixed": lambda: serving.bench_mixed(options, binaries, record),
        "growth": lambda: serving.bench_growth(options, record),
        "prefix": lambda: serving.bench_prefix(options, binaries, record),
        "drafts": lambda: drafting.bench_drafts(options, record),
        "draft-model": lambda: drafting.bench_draft_model(options, record),
        "formats": lambda: formats.bench_formats(options, binaries, record),
        "images": lambda: images.bench_images(options, binaries, record),
        "gateway": lambda: gateway.bench_gateway(options, record),
        "soak": lambda: soak.bench_soak(options, record),
    }
    failed = False
    for part, work in works.items():
        if part in options.parts:
            try:
                work()
            except Failed as error:
                print(f"{part}: {error}\n")
                failed = True
    if options.json:
        options.json.write_text(json.dumps({"limits": measured, **record}, indent=1) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
