"""What stands between a client and a remote model costs: Thalamus beside LiteLLM's proxy, before one endpoint that
answers at once (`endpoint.py`), by one client in turn and by several at once.
"""

import contextlib
import http.client
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import clients
from measuring import HERE, PEERS, Failed, Table, best, ratio, say
from serving import free_port, server, serving_command

LITELLM = "1.108.7"
KEY = "sk-none"


def litellm():
    """LiteLLM's command, in an environment of its own: it brings some hundred packages."""
    folder = PEERS / "litellm"
    command = folder / "bin" / "litellm"
    if not command.exists():
        for step in ([sys.executable, "-m", "venv", folder],
                     [folder / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check",
                      f"litellm[proxy]=={LITELLM}"]):
            say("  " + " ".join(str(part) for part in step))
            subprocess.run(step, check=True, stdout=sys.stderr)
    return command


def ask(connection, body):
    start = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", body,
                       {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"})
    response = connection.getresponse()
    found = response.read()
    if response.status != 200 or b"word15" not in found:
        raise Failed(f"{response.status} {found[:200].decode(errors='replace')}")
    return 1e3 * (time.perf_counter() - start)


def requests(port, model, count, seed):
    """Milliseconds of requests in turn on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    times = []
    for number in range(count):
        messages = [{"role": "user", "content": clients.prompt(50, seed * 10_000 + number)}]
        times.append(ask(connection, json.dumps({"model": model, "messages": messages, "max_tokens": 16})))
    connection.close()
    return times


def load(port, model, count, at_once):
    """p50 and p95 of one client, in milliseconds, and requests a second of several."""
    requests(port, model, count // 5 + 1, 1)
    alone = requests(port, model, count, 2)
    problems = []

    def work(seed):
        try:
            requests(port, model, count // 4, seed)
        except (Failed, OSError, http.client.HTTPException) as error:
            problems.append(error)

    threads = [threading.Thread(target=work, args=(3 + i,)) for i in range(at_once)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    if problems:
        raise Failed(f"{len(problems)} clients failed, the first: {problems[0]}")
    return statistics.median(alone), clients.percentile(alone, 0.95), at_once * (count // 4) / seconds


@contextlib.contextmanager
def thalamus_gateway(options, endpoint):
    with tempfile.TemporaryDirectory() as folder:
        models = pathlib.Path(folder) / "models"
        models.mkdir()
        for entry in options.models.iterdir():
            os.symlink(entry, models / entry.name)
        (models / "far").mkdir()
        (models / "far" / "expert.yaml").write_text(
            f"id: far\nkind: remote\nendpoint: http://127.0.0.1:{endpoint}/v1\nexpected_loss_ratio: 0.5\n")
        port = free_port()
        command = serving_command(options, port, folder, 8) + ["--models", models]
        with server(command, port, "/readyz"):
            yield port


@contextlib.contextmanager
def litellm_gateway(command, endpoint):
    with tempfile.TemporaryDirectory() as folder:
        config = pathlib.Path(folder) / "litellm.yaml"
        config.write_text(
            "model_list:\n  - model_name: far\n    litellm_params:\n      model: openai/far\n"
            f"      api_base: http://127.0.0.1:{endpoint}/v1\n      api_key: {KEY}\n"
            "litellm_settings:\n  telemetry: false\n"
            # Neither side asks for a key here, so that neither looks one up.
            "general_settings:\n  dangerously_permit_weak_or_unset_master_key: true\n")
        port = free_port()
        with server([command, "--config", config, "--host", "127.0.0.1", "--port", port], port,
                    "/health/liveliness"):
            yield port


def bench_gateway(options, record):
    table = Table()
    at_once, count = options.clients, 400
    names = ("p50, ms", "p95, ms", "requests/s")
    endpoint = free_port()
    with server([sys.executable, HERE / "endpoint.py", endpoint], endpoint, "/"):

        def through(gateway, model, count):
            with gateway as port:
                return load(port, model, count, at_once)

        for turn in range(options.rounds):
            say(f"gateway, round {turn + 1} of {options.rounds}")
            table.take([f"direct {n}" for n in names], lambda: load(endpoint, "far", count, at_once))
            if not options.peers_only:
                for title, model in (("named", "far"), ("routed", "auto")):
                    table.take([f"{title} {n}" for n in names],
                               lambda: through(thalamus_gateway(options, endpoint), model, count))
            table.take([f"litellm {n}" for n in names],
                       lambda: through(litellm_gateway(litellm(), endpoint), "far", count))
    print(f"### Between a client and a remote endpoint that answers at once; one client, then {at_once}\n")
    print("| median (least to most) | " + " | ".join(names) + " |\n|---|---|---|---|")
    for title, text in (("direct", "the endpoint itself"), ("named", "Thalamus, expert named"),
                        ("routed", "Thalamus, `auto`: routed among all experts"),
                        ("litellm", f"LiteLLM {LITELLM}, model named")):
        print(f"| {text} | " + " | ".join(
            table[f"{title} {n}"].text(0 if "/s" in n else 2) for n in names) + " |")
    direct = table["direct p50, ms"].median() or 0
    added = {t: (table[f"{t} p50, ms"].median() or 0) - direct for t in ("named", "routed", "litellm")}
    if added["named"] > 0 and added["litellm"] > 0:
        print(f"\nAdded to the endpoint's own time: {added['named']:.2f} ms by Thalamus, "
              f"{added['routed']:.2f} ms with routing, {added['litellm']:.2f} ms by LiteLLM "
              f"(**{added['litellm'] / added['named']:.1f}** and {added['litellm'] / added['routed']:.1f} times)."
              f" Requests/s: {ratio(table['named requests/s'], best([table['litellm requests/s']]))} times.")
    print()
    record["gateway"] = {name: series.values for name, series in table.items()}
