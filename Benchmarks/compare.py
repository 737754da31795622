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
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

import clients
import llama_cpp
import minilm_onnx

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = ROOT / ".build" / "peers"
EXPERTS = {
    "smollm2-135m": "SmolLM2-135M-Instruct.Q4_1.gguf",
    "gemma3-270m": "gemma-3-270m-q4_k_m.gguf",
}
ENCODER = "minilm-l6-v2"


def say(*words):
    print(*words, file=sys.stderr, flush=True)


class Failed(Exception):
    pass


def run(command, timeout=1800):
    """Runs to the end; answers standard output and the peak memory in MiB."""
    command = [str(part) for part in command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(command, stdout=out, stderr=errors, cwd=ROOT)
        except OSError as error:
            raise Failed(f"{command[0]}: {error}") from error
        deadline = time.monotonic() + timeout
        done = 0
        try:
            # wait4, because it tells the memory of this child alone.
            while not done:
                done, status, usage = os.wait4(process.pid, os.WNOHANG)
                if time.monotonic() > deadline:
                    raise Failed(f"{' '.join(command)}: not done after {timeout} s")
                time.sleep(0.01)
        finally:
            if not done:
                process.kill()
                process.wait()
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0), errors.seek(0)
        if process.returncode != 0:
            tail = errors.read()[-400:].decode(errors="replace").strip()
            raise Failed(f"{' '.join(command)}: status {process.returncode}: {tail}")
        return out.read().decode(), usage.ru_maxrss / 1024


class Series:
    """The figures of one side over the rounds."""

    def __init__(self):
        self.values = []
        self.error = None

    def median(self):
        return statistics.median(self.values) if self.values else None

    def text(self, digits=1):
        if self.error:
            return "failed"
        if not self.values:
            return ""
        middle, low, high = self.median(), min(self.values), max(self.values)
        return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"


class Table(dict):
    """Series by name, made when first named; a side that fails once is left out thereafter."""

    def __missing__(self, name):
        self[name] = Series()
        return self[name]

    def take(self, names, measure):
        """`measure` answers one figure for each name."""
        if any(self[name].error for name in names):
            return
        try:
            for name, value in zip(names, measure()):
                self[name].values.append(value)
        except (Failed, ValueError, KeyError, IndexError) as error:
            say(f"  {names[0]}: {error}")
            for name in names:
                self[name].error = str(error)


def ratio(ours, theirs, lower_is_better=False):
    if not ours.values or not theirs or theirs <= 0:
        return ""
    value = theirs / ours.median() if lower_is_better else ours.median() / theirs
    return f"**{value:.2f}**"


def best(series, lower_is_better=False):
    """The strongest of the peer's settings by its median."""
    found = [s.median() for s in series if s.values]
    return None if not found else min(found) if lower_is_better else max(found)


# --- The machine ----------------------------------------------------------------------------


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


# --- Decoders -------------------------------------------------------------------------------


def thalamus_decoder(options, expert, client_count=1):
    out, memory = run([
        options.binary, "bench", "decoder", "--models", options.models, "--expert", expert,
        "--prompt-tokens", options.prompt_tokens, "--generated-tokens", options.generated_tokens,
        "--clients", client_count, "--repetitions", options.repetitions,
        "--threads", options.threads, "--json",
    ])
    found = json.loads(out)
    return found["prefill_tokens_per_second"], found["decode_tokens_per_second"], memory


def llama_decoder(options, binaries, file, attention):
    """The prompt from an empty cache, then tokens after a prompt of that length: what
    `thalamus bench decoder` does. llama-bench takes no time for sampling."""
    out, memory = run([
        binaries / "llama-bench", "-m", file, "-t", options.threads, "-b", 512, "-ub", 512,
        "-fa", "on" if attention else "off", "-r", options.repetitions, "-o", "json",
        "-p", options.prompt_tokens, "-n", 0,
    ])
    prefill = json.loads(out)[0]["avg_ts"]
    out, _ = run([
        binaries / "llama-bench", "-m", file, "-t", options.threads, "-b", 512, "-ub", 512,
        "-fa", "on" if attention else "off", "-r", options.repetitions, "-o", "json",
        "-p", 0, "-n", options.generated_tokens, "-d", options.prompt_tokens,
    ])
    return prefill, json.loads(out)[0]["avg_ts"], memory


def llama_batched(options, binaries, file, attention, client_count):
    context = client_count * (options.prompt_tokens + options.generated_tokens) + 64
    out, memory = run([
        binaries / "llama-batched-bench", "-m", file, "-t", options.threads, "-b", 512,
        "-ub", 512, "-fa", "on" if attention else "off", "-c", context,
        "-npp", options.prompt_tokens, "-ntg", options.generated_tokens, "-npl", client_count,
        "--output-format", "jsonl",
    ])
    found = [json.loads(line) for line in out.splitlines() if line.startswith("{")][-1]
    return found["speed_pp"], found["speed_tg"], memory


def bench_decoder(options, binaries, measured, record):
    for expert in options.expert or EXPERTS:
        file = options.models / expert / EXPERTS[expert]
        table = Table()
        for turn in range(options.rounds):
            say(f"decoder {expert}, round {turn + 1} of {options.rounds}")
            if not options.peers_only:
                names = ["ours prefill", "ours decode", "ours memory"]
                table.take(names, lambda: thalamus_decoder(options, expert))
            for attention in (0, 1):
                names = [f"llama{attention} {part}" for part in ("prefill", "decode", "memory")]
                table.take(names, lambda: llama_decoder(options, binaries, file, attention))
        print(f"### {expert}: prompt of {options.prompt_tokens} tokens, then "
              f"{options.generated_tokens} more\n")
        print("| tokens/s, median (least to most) | Thalamus | llama.cpp | llama.cpp, flash "
              "attention | ratio to the better |\n|---|---|---|---|---|")
        for part, digits in (("prefill", 0), ("decode", 1)):
            peers = [table[f"llama0 {part}"], table[f"llama1 {part}"]]
            ours = table[f"ours {part}"]
            print(f"| {part} | {ours.text(digits)} | {peers[0].text(digits)} | "
                  f"{peers[1].text(digits)} | {ratio(ours, best(peers))} |")
        print(f"| peak memory, MiB | {table['ours memory'].text(0)} | "
              f"{table['llama0 memory'].text(0)} | {table['llama1 memory'].text(0)} | |")
        decode = table["ours decode"].median() or best(
            [table["llama0 decode"], table["llama1 decode"]])
        if measured and decode:
            side = "Thalamus" if table["ours decode"].values else "llama.cpp"
            share = decode * file.stat().st_size / measured["bytes_per_second"]
            print(f"\n{side} decodes at {share:.0%} of what memory allows if each token reads the "
                  f"file ({file.stat().st_size / 1e6:.0f} MB) once.")
        print()
        record[f"decoder/{expert}"] = {name: s.values for name, s in table.items()}
        if options.clients <= 1:
            continue
        table = Table()
        for turn in range(options.rounds):
            say(f"decoder {expert}, {options.clients} at once, round {turn + 1}")
            if not options.peers_only:
                table.take(["ours prefill", "ours decode", "ours memory"],
                           lambda: thalamus_decoder(options, expert, options.clients))
            for attention in (0, 1):
                names = [f"llama{attention} {part}" for part in ("prefill", "decode", "memory")]
                table.take(names, lambda: llama_batched(
                    options, binaries, file, attention, options.clients))
        print(f"#### {options.clients} sequences at once (llama-batched-bench), total tokens/s\n")
        print("| | Thalamus | llama.cpp | llama.cpp, flash attention | ratio to the better |"
              "\n|---|---|---|---|---|")
        for part in ("prefill", "decode"):
            peers = [table[f"llama0 {part}"], table[f"llama1 {part}"]]
            ours = table[f"ours {part}"]
            print(f"| {part} | {ours.text()} | {peers[0].text()} | {peers[1].text()} | "
                  f"{ratio(ours, best(peers))} |")
        print()
        record[f"decoder/{expert}/{options.clients}"] = {n: s.values for n, s in table.items()}


# --- The encoder ----------------------------------------------------------------------------


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


# --- Several clients at once ----------------------------------------------------------------


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def server(command, port, path):
    command = [str(part) for part in command]
    with tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=ROOT)
        except OSError as error:
            raise Failed(f"{command[0]}: {error}") from error
        try:
            deadline = time.monotonic() + 60
            while True:
                with contextlib.suppress(OSError):
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as r:
                        if r.status == 200:
                            break
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    tail = log.read()[-400:].decode(errors="replace")
                    raise Failed(f"{' '.join(command)} does not answer: {tail}")
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def llama_server(options, binaries, file, port, count, attention):
    # Each slot holds the longest prompt and answer; continuous batching is llama-server's default.
    return [
        binaries / "llama-server", "-m", file, "--host", "127.0.0.1", "--port", port,
        "-t", options.threads, "-tb", options.threads, "-np", count, "-c", count * 2048,
        "-b", 512, "-ub", 512, "-fa", "on" if attention else "off", "--no-webui",
        "--cache-ram", 0,
    ]


def thalamus_server(options, port, folder, count):
    config = pathlib.Path(folder) / "thalamus.yaml"
    config.write_text(
        f"models:\n  directory: {options.models}\n  threads: {options.threads}\n"
        f"  max_running_requests: {count}\nlog:\n  level: warning\n"
    )
    return [options.binary, "serve", "--config", config, "--host", "127.0.0.1", "--port", port,
            "--database", pathlib.Path(folder) / "log.sqlite"]


def measure_server(command, port, path, model, work):
    with server(command, port, path):
        clients.load("127.0.0.1", port, model, [[(clients.prompt(20, 5), 16)]])
        found = clients.load("127.0.0.1", port, model, work)
    if found["errors"]:
        raise Failed(f"{found['errors']} requests failed, the first: {found['error']}")
    return (found["tokens_per_second"], 1e3 * found["first_token_p50_seconds"],
            1e3 * found["first_token_p95_seconds"])


def bench_clients(options, binaries, record):
    count = options.clients if options.clients > 1 else 8
    works = {
        f"{count} clients, prompts of about 30 tokens, answers of 128":
            (count, clients.uniform_work(count, 1, 28, 128)),
        f"{4 * count} clients, prompts of 20 to 1,500 tokens, answers of 10 to 300":
            (4 * count, clients.mixed_work(4 * count, 2)),
    }
    for expert in options.expert or EXPERTS:
        file = options.models / expert / EXPERTS[expert]
        for title, (slots, work) in works.items():
            table = Table()
            parts = ("tokens/s in all", "first token p50, ms", "first token p95, ms")
            for turn in range(options.rounds):
                say(f"{expert}, {title}, round {turn + 1} of {options.rounds}")
                if not options.peers_only:
                    with tempfile.TemporaryDirectory() as folder:
                        port = free_port()
                        command = thalamus_server(options, port, folder, slots)
                        table.take([f"ours {part}" for part in parts], lambda: measure_server(
                            command, port, "/readyz", expert, work))
                for attention in (0, 1):
                    port = free_port()
                    command = llama_server(options, binaries, file, port, slots, attention)
                    table.take([f"llama{attention} {part}" for part in parts],
                               lambda: measure_server(command, port, "/health", expert, work))
            print(f"### {expert}: {title}\n")
            print("| | Thalamus | llama-server | llama-server, flash attention | ratio to the "
                  "better |\n|---|---|---|---|---|")
            for index, part in enumerate(parts):
                peers = [table[f"llama0 {part}"], table[f"llama1 {part}"]]
                ours, lower = table[f"ours {part}"], index > 0
                print(f"| {part} | {ours.text()} | {peers[0].text()} | {peers[1].text()} | "
                      f"{ratio(ours, best(peers, lower), lower)} |")
            print()
            record[f"clients/{expert}/{title}"] = {n: s.values for n, s in table.items()}


# --- Command line ---------------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("parts", nargs="*", metavar="part",
                        help="limits, decoder, encoder, clients (all when none is named)")
    parser.add_argument("--binary", type=pathlib.Path, default=ROOT / ".build/release/thalamus")
    parser.add_argument("--models", type=pathlib.Path, default=ROOT / "models")
    parser.add_argument("--expert", action="append", choices=list(EXPERTS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--repetitions", type=int, default=1, help="in each round")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--prompt-tokens", type=int, default=512)
    parser.add_argument("--generated-tokens", type=int, default=128)
    parser.add_argument("--tokens", type=int, action="append", help="lengths for the encoder")
    parser.add_argument("--clients", type=int, default=1,
                        help="decoder: also so many sequences at once; clients: how many (8)")
    parser.add_argument("--llama", type=pathlib.Path,
                        help="folder with llama.cpp's binaries, instead of building it")
    parser.add_argument("--peers-only", action="store_true", help="leave Thalamus out")
    parser.add_argument("--json", type=pathlib.Path, help="also write every figure to this file")
    options = parser.parse_args()
    sys.stdout.reconfigure(line_buffering=True)  # each table as soon as it is known
    known = ("limits", "decoder", "encoder", "clients")
    for part in options.parts:
        if part not in known:
            parser.error(f"no part {part!r}; parts are {', '.join(known)}")
    options.parts = options.parts or list(known)
    options.tokens = options.tokens or [16, 64, 128, 256, 512]
    options.binary, options.models = options.binary.resolve(), options.models.resolve()
    if not options.peers_only and not options.binary.exists():
        parser.error(f"{options.binary} is missing: run `make build`")
    for name in ("OPENBLAS_CORETYPE", "OMP_NUM_THREADS"):
        os.environ.pop(name, None)
    # Ended from outside, it ends its servers too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    binaries = options.llama
    if binaries is None and {"decoder", "clients"} & set(options.parts):
        binaries = llama_cpp.build(PEERS / "llama.cpp", os.cpu_count() or 2)
    record = {}
    measured = print_machine(options)
    if "decoder" in options.parts:
        bench_decoder(options, binaries, measured, record)
    if "encoder" in options.parts:
        bench_encoder(options, record)
    if "clients" in options.parts:
        bench_clients(options, binaries, record)
    if options.json:
        options.json.write_text(json.dumps({"limits": measured, **record}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
