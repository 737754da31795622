"""Over HTTP: `thalamus serve` beside `llama-server`, and Thalamus beside itself.

Parts: `clients` (as many at once as --clients, equal requests), `mixed` (four times as many, of all
lengths), `growth` (does the total fall as clients grow?), `prefix` (how much sooner is the second
answer to a long beginning?), `route` (how long does a decision take?).
"""

import contextlib
import http.client
import json
import pathlib
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request

import clients
import encoders
import minilm_onnx
from measuring import ENCODER, EXPERTS, PEERS, ROOT, Failed, Table, best, ratio, say


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
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def llama_server(options, binaries, file, port, count, attention, *more):
    # Each slot holds the longest prompt and answer; continuous batching is llama-server's default.
    return [
        binaries / "llama-server", "-m", file, "--host", "127.0.0.1", "--port", port,
        "-t", options.threads, "-tb", options.threads, "-np", count, "-c", count * 2048,
        "-b", 512, "-ub", 512, "-fa", "on" if attention else "off", "--no-webui",
        "--cache-ram", 0, *more,
    ]


def serving_command(options, port, folder, count, draft_tokens=0):
    """`thalamus serve` with a database of its own in `folder`, `count` requests of an expert at once.

    Without guesses ahead, which the peer's server does not make either: `drafts` measures those."""
    config = pathlib.Path(folder) / "thalamus.yaml"
    config.write_text(
        f"models:\n  directory: {options.models}\n  threads: {options.threads}\n"
        f"  max_running_requests: {count}\n  draft_tokens: {draft_tokens}\nlog:\n  level: warning\n"
    )
    return [options.binary, "serve", "--config", config, "--host", "127.0.0.1", "--port", port,
            "--database", pathlib.Path(folder) / "log.sqlite"]


@contextlib.contextmanager
def thalamus(options, count, draft_tokens=0):
    """A server of its own database; gives its port."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        with server(serving_command(options, port, folder, count, draft_tokens), port, "/readyz"):
            yield port


def chat(port, model, prompt, tokens, **fields):
    """One answer to one prompt: (text, tokens, seconds from the request to the whole answer)."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "max_tokens": tokens, **fields}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    start = time.perf_counter()
    connection.request(
        "POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    found = response.read()
    seconds = time.perf_counter() - start
    connection.close()
    if response.status != 200:
        raise Failed(f"{response.status} {found[:200].decode(errors='replace')}")
    found = json.loads(found)
    return found["choices"][0]["message"]["content"], found["usage"]["completion_tokens"], seconds


def loaded(port, model, work):
    """The figures of one load, after a short one that warms up."""
    clients.load("127.0.0.1", port, model, [[(clients.prompt(20, 5), 16)]])
    found = clients.load("127.0.0.1", port, model, work)
    if found["errors"]:
        raise Failed(f"{found['errors']} requests failed, the first: {found['error']}")
    return (found["tokens_per_second"], 1e3 * found["first_token_p50_seconds"],
            1e3 * found["first_token_p95_seconds"])


def beside_llama_server(options, binaries, expert, title, slots, work, record):
    file = options.models / expert / EXPERTS[expert]
    table = Table()
    parts = ("tokens/s in all", "first token p50, ms", "first token p95, ms")

    def ours():
        with thalamus(options, slots) as port:
            return loaded(port, expert, work)

    def theirs(attention):
        port = free_port()
        with server(llama_server(options, binaries, file, port, slots, attention), port, "/health"):
            return loaded(port, expert, work)

    for turn in range(options.rounds):
        say(f"{expert}, {title}, round {turn + 1} of {options.rounds}")
        if not options.peers_only:
            table.take([f"ours {part}" for part in parts], ours)
        for attention in (0, 1):
            table.take([f"llama{attention} {part}" for part in parts], lambda: theirs(attention))
    print(f"### {expert}: {title}\n")
    print("| | Thalamus | llama-server | llama-server, flash attention | ratio to the "
          "better |\n|---|---|---|---|---|")
    for index, part in enumerate(parts):
        peers = [table[f"llama0 {part}"], table[f"llama1 {part}"]]
        mine, lower = table[f"ours {part}"], index > 0
        print(f"| {part} | {mine.text()} | {peers[0].text()} | {peers[1].text()} | "
              f"{ratio(mine, best(peers, lower), lower)} |")
    print()
    record[f"{title}/{expert}"] = {name: series.values for name, series in table.items()}


def bench_clients(options, binaries, record):
    count = options.clients
    for expert in options.expert or EXPERTS:
        beside_llama_server(
            options, binaries, expert,
            f"{count} clients, prompts of about 30 tokens, answers of 128", count,
            clients.uniform_work(count, 1, 28, 128), record)


def bench_mixed(options, binaries, record):
    count = 4 * options.clients
    for expert in options.expert or EXPERTS:
        beside_llama_server(
            options, binaries, expert,
            f"{count} clients, prompts of 20 to 1,500 tokens, answers of 10 to 300", count,
            clients.mixed_work(count, 1), record)


def bench_growth(options, record):
    """Thalamus alone: the total of equal requests from 8 to 64 clients."""
    expert, counts = (options.expert or list(EXPERTS))[0], (1, 8, 16, 32, 64)
    table = Table()
    for turn in range(options.rounds):
        say(f"growth, round {turn + 1} of {options.rounds}")
        for count in counts:
            def measure():
                with thalamus(options, count) as port:
                    return loaded(port, expert, clients.uniform_work(count, 1, 28, 128))
            table.take([f"{count} tokens/s", f"{count} p50", f"{count} p95"], measure)
    print(f"### {expert}: more and more clients, prompts of about 30 tokens, answers of 128\n")
    print("| clients | tokens/s in all | first token p50, ms | first token p95, ms |\n"
          "|---|---|---|---|")
    for count in counts:
        print(f"| {count} | {table[f'{count} tokens/s'].text(0)} | "
              f"{table[f'{count} p50'].text(0)} | {table[f'{count} p95'].text(0)} |")
    print()
    record["growth"] = {name: series.values for name, series in table.items()}


# --- A beginning that prompts share ---------------------------------------------------------


def first_token(port, model, text):
    answer = clients.ask("127.0.0.1", port, model, text, 4, cache=True)
    if answer.error or answer.first_token_seconds is None:
        raise Failed(answer.error or "no token came")
    return 1e3 * answer.first_token_seconds


def first_and_second(port, model, words, seed):
    """Milliseconds to the first token of two prompts that begin alike and end differently."""
    clients.load("127.0.0.1", port, model, [[(clients.prompt(20, 5), 16)]])
    beginning = clients.prompt(words, seed)
    return (first_token(port, model, beginning + " What is a river?"),
            first_token(port, model, beginning + " Who made the paper?"))


def bench_prefix(options, binaries, record):
    expert = (options.expert or list(EXPERTS))[0]
    file = options.models / expert / EXPERTS[expert]
    words = 770  # about 1,000 tokens
    table = Table()
    names = ("first", "second", "times")

    def ours(seed):
        with thalamus(options, 4) as port:
            first, second = first_and_second(port, expert, words, seed)
        return first, second, first / second

    def theirs(seed):
        port = free_port()
        with server(llama_server(options, binaries, file, port, 1, 1), port, "/health"):
            first, second = first_and_second(port, expert, words, seed)
        return first, second, first / second

    for turn in range(options.rounds):
        say(f"prefix, round {turn + 1} of {options.rounds}")
        if not options.peers_only:
            table.take([f"ours {name}" for name in names], lambda: ours(100 + turn))
        table.take([f"llama {name}" for name in names], lambda: theirs(100 + turn))
    print(f"### {expert}: two prompts that share a beginning of about 1,000 tokens\n")
    print("| | Thalamus | llama-server |\n|---|---|---|")
    for name, title in zip(names, ("first token of the first, ms", "first token of the second, ms",
                                   "times sooner")):
        print(f"| {title} | {table['ours ' + name].text()} | {table['llama ' + name].text()} |")
    print()
    record["prefix"] = {name: series.values for name, series in table.items()}


# --- A decision -----------------------------------------------------------------------------


def decision_milliseconds(port, words, count):
    """The median and the 95th percentile of POST /route without an answer, one client, every
    prompt another."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    times = []
    for seed in range(count):
        body = json.dumps({"prompt": clients.prompt(words, 7000 + seed), "generate": False})
        start = time.perf_counter()
        connection.request("POST", "/route", body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        found = response.read()
        times.append(1e3 * (time.perf_counter() - start))
        if response.status != 200:
            raise Failed(f"/route: {response.status} {found[:200].decode(errors='replace')}")
    connection.close()
    times = times[count // 10 :]  # the first ones warm up
    return statistics.median(times), clients.percentile(times, 0.95)


def bench_route(options, record):
    files = minilm_onnx.build(options.models / ENCODER, PEERS / "minilm")
    words, tokens = 60, 64
    table = Table()

    def ours():
        with thalamus(options, 8) as port:
            return decision_milliseconds(port, words, 400)

    for turn in range(options.rounds):
        say(f"route, round {turn + 1} of {options.rounds}")
        if not options.peers_only:
            table.take(["ours p50", "ours p95"], ours)
        for file in files:
            table.take([file.stem], lambda: encoders.onnx_encoder(options, file, tokens))
    rival = best([table[f.stem] for f in files if "int8" in f.stem], True)
    print(f"### A decision on a prompt of about {tokens} tokens: `/route` with `generate: false`, "
          "one client\n")
    print("| ms, median (least to most) | p50 | p95 |\n|---|---|---|")
    print(f"| Thalamus, the whole request | {table['ours p50'].text(2)} | "
          f"{table['ours p95'].text(2)} |")
    for file in files:
        print(f"| ONNX Runtime's encoder alone, {file.stem} | {table[file.stem].text(2)} | |")
    print(f"| ratio to the fastest int8 | {ratio(table['ours p50'], rival, True)} | |\n")
    record["route"] = {name: series.values for name, series in table.items()}
