"""A long mixed load on `thalamus serve`: does memory stay flat, and does every request get its answer?

Clients ask for routed and named experts, for decisions alone and for fronts, with prompts and answers
of all lengths; some leave in the middle of a stream, some send what is no request. At the end the log
must hold a decision for every id that a client was given.
"""

import http.client
import json
import pathlib
import random
import sqlite3
import tempfile
import threading
import time
import urllib.request

import clients
from measuring import Failed, say
from serving import free_port, serving_command, server

# Of a hundred requests, how many are of which kind.
KINDS = (("completion", 40), ("chat", 15), ("decision", 25), ("front", 8), ("leaver", 8), ("broken", 4))


class Tally:
    """What the clients saw; shared by their threads."""

    def __init__(self):
        self.lock = threading.Lock()
        self.requests = {kind: 0 for kind, _ in KINDS}
        self.tokens = 0
        self.decisions = set()
        self.errors = []

    def add(self, kind, tokens=0, decision=None, error=None):
        with self.lock:
            self.requests[kind] += 1
            self.tokens += tokens
            if decision:
                self.decisions.add(decision)
            if error:
                self.errors.append(f"{kind}: {error}")


def one_request(port, kind, experts, source, tally):
    """Sends one request and checks its status and its shape."""
    between = lambda low, high: int(round(low * (high / low) ** source.random()))
    text = clients.prompt(between(8, 600), source.random())
    model = source.choice(["auto", "auto", *experts])
    path, method, body, wanted = "/v1/completions", "POST", None, 200
    if kind in ("completion", "leaver"):
        body = {"model": model, "prompt": text, "max_tokens": between(4, 120), "stream": True,
                "stream_options": {"include_usage": True}}
    elif kind == "chat":
        path = "/v1/chat/completions"
        body = {"model": model, "max_tokens": between(4, 80),
                "messages": [{"role": "user", "content": text}]}
    elif kind == "decision":
        path, body = "/route", {"prompt": text, "generate": False}
    elif kind == "front":
        method, path = "GET", f"/pareto?goal=size&prompt={text.split()[0]}"
    else:
        path, body, wanted = "/route", {"prompt": 5}, 400
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    try:
        connection.request(method, path, json.dumps(body) if body else None,
                           {"Content-Type": "application/json"})
        response = connection.getresponse()
        if response.status != wanted:
            raise Failed(f"{response.status}: {response.read(200).decode(errors='replace')}")
        decision = response.getheader("x-thalamus-decision")
        tokens, ended = 0, kind not in ("completion", "leaver")
        if ended:
            found = json.loads(response.read())
            tokens = (found.get("usage") or {}).get("completion_tokens", 0)
            if kind == "decision":
                decision = found["id"]
        else:
            for count, line in enumerate(response):
                if kind == "leaver" and count > 6:
                    ended = True
                    break
                if line.startswith(b"data: [DONE]"):
                    ended = True
                elif line.startswith(b"data:"):
                    event = json.loads(line[5:])
                    if event.get("error"):
                        raise Failed(str(event["error"]))
                    tokens = (event.get("usage") or {}).get("completion_tokens", tokens)
        tally.add(kind, tokens, decision, None if ended else "the stream ended without [DONE]")
    except (OSError, ValueError, KeyError, http.client.HTTPException, Failed) as error:
        tally.add(kind, error=f"{type(error).__name__}: {error}")
    finally:
        connection.close()


def resident_mebibytes(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise Failed("no VmRSS")


def bench_soak(options, record):
    kinds = [kind for kind, share in KINDS for _ in range(share)]
    tally, samples, stop = Tally(), [], threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        database = pathlib.Path(folder) / "log.sqlite"
        command = serving_command(options, port, folder, options.clients, draft_tokens=8)
        with server(command, port, "/readyz") as process:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/experts") as reply:
                experts = [e["id"] for e in json.load(reply)["experts"]]

            def client(seed):
                source = random.Random(seed)
                while not stop.is_set():
                    one_request(port, source.choice(kinds), experts, source, tally)

            threads = [threading.Thread(target=client, args=(seed,))
                       for seed in range(2 * options.clients)]
            started = time.monotonic()
            for thread in threads:
                thread.start()
            while (passed := time.monotonic() - started) < 60 * options.minutes:
                time.sleep(min(10, 60 * options.minutes - passed))
                if process.poll() is not None:
                    break
                samples.append((time.monotonic() - started, resident_mebibytes(process.pid), tally.tokens))
                if len(samples) % 30 == 0:
                    say(f"soak, {samples[-1][0] / 60:.0f} min: {samples[-1][1]:.0f} MiB, "
                        f"{sum(tally.requests.values())} requests, {len(tally.errors)} errors")
            stop.set()
            for thread in threads:
                thread.join()
            died = process.poll()
        with sqlite3.connect(database) as log:
            logged = {row[0] for row in log.execute("SELECT id FROM decisions")}
    lost = tally.decisions - logged
    print(f"### Soak: {2 * options.clients} clients for {options.minutes:g} minutes on "
          f"{len(experts)} experts\n")
    if died is not None:
        raise Failed(f"the server ended with {died}")
    print("Requests: " + ", ".join(f"{count} {kind}" for kind, count in tally.requests.items())
          + f"; {tally.tokens} tokens in answers; {len(tally.errors)} errors; {len(tally.decisions)} decisions "
          f"given to clients, {len(lost)} of them not in the log.\n")
    print("| part of the time | resident memory, MiB, least to most | tokens/s |\n|---|---|---|")
    for quarter in range(4):
        part = samples[len(samples) * quarter // 4 : len(samples) * (quarter + 1) // 4]
        if len(part) > 1:
            memory = [sample[1] for sample in part]
            speed = (part[-1][2] - part[0][2]) / (part[-1][0] - part[0][0])
            print(f"| {quarter + 1} of 4 | {min(memory):.0f} to {max(memory):.0f} | {speed:.0f} |")
    print()
    record["soak"] = {"samples": samples, "requests": tally.requests, "errors": tally.errors[:50],
                      "lost_decisions": sorted(lost)[:50]}
    if tally.errors or lost:
        raise Failed(f"first error: {tally.errors[0] if tally.errors else 'a decision is not logged'}")
