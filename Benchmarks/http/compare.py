#!/usr/bin/env python3
"""Requests a second of `GET /healthz`: our HTTP room beside a minimal Hummingbird server.

Both servers run on this machine and are measured in turn, round after round, with wrk; the medians
and their ratio are printed. Builds both first.

    python3 Benchmarks/http/compare.py [--seconds 3] [--rounds 5] [--loops N] [--json]

With `.build/release/thalamus` present, `--thalamus` measures the whole server instead of the
HTTP room alone.
"""

import argparse
import json
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CONNECTIONS = (1, 16, 256)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command, port):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=ROOT)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return process
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    process.kill()
    sys.exit(f"{command[0]} does not listen at port {port}")


def requests_per_second(port, connections, seconds):
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", f"http://127.0.0.1:{port}/healthz"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        sys.exit(f"wrk met errors:\n{output}")
    return float(re.search(r"Requests/sec:\s*([\d.]+)", output).group(1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=int, default=3, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--loops", type=int, help="our event loops (else as configured)")
    parser.add_argument("--thalamus", action="store_true", help="measure the whole server")
    parser.add_argument("--skip-build", action="store_true")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    arguments = parser.parse_args()

    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk (or brew install wrk)")
    product = "thalamus" if arguments.thalamus else "http-benchmark-server"
    if not arguments.skip_build:
        build = ["swift", "build", "-c", "release", "-j", "2"]
        for command, folder in ((build + ["--product", product], ROOT), (build, HERE)):
            subprocess.run(command, cwd=folder, check=True, stdout=sys.stderr)

    ports = {"ours": free_port(), "hummingbird": free_port()}
    ours = str(ROOT / ".build/release" / product)
    if arguments.thalamus:
        ours_command = [ours, "serve", "--port", str(ports["ours"])]
    else:
        ours_command = [ours, str(ports["ours"])]
        if arguments.loops:
            ours_command.append(str(arguments.loops))
    peer = [str(HERE / ".build/release/HummingbirdServer"), str(ports["hummingbird"])]
    servers = []
    found = {name: {count: [] for count in CONNECTIONS} for name in ports}
    try:
        servers.append(start(ours_command, ports["ours"]))
        servers.append(start(peer, ports["hummingbird"]))
        for port in ports.values():
            requests_per_second(port, 16, 1)
        for turn in range(arguments.rounds):
            # Who goes first changes, so that a machine that warms up or slows down favours none.
            order = list(ports) if turn % 2 == 0 else list(reversed(ports))
            for count in CONNECTIONS:
                for name in order:
                    speed = requests_per_second(ports[name], count, arguments.seconds)
                    found[name][count].append(speed)
    finally:
        for server in servers:
            server.send_signal(signal.SIGTERM)
        for server in servers:
            try:
                server.wait(timeout=5)
            except subprocess.TimeoutExpired:
                server.kill()

    rows = []
    for count in CONNECTIONS:
        mine, theirs = (statistics.median(found[name][count]) for name in ("ours", "hummingbird"))
        rows.append(
            {
                "connections": count,
                "ours_requests_per_second": round(mine),
                "hummingbird_requests_per_second": round(theirs),
                "ratio": round(mine / theirs, 2),
            }
        )
    if arguments.json:
        print(json.dumps({"rounds": arguments.rounds, "results": rows}))
        return
    print(f"{'connections':>11} {'ours/s':>10} {'hummingbird/s':>14} {'ratio':>6}")
    for row in rows:
        print(
            f"{row['connections']:>11} {row['ours_requests_per_second']:>10}"
            f" {row['hummingbird_requests_per_second']:>14} {row['ratio']:>6.2f}"
        )


if __name__ == "__main__":
    main()
