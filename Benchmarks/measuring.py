"""What every part measures with: processes, series of figures, ratios."""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = ROOT / ".build" / "peers"
# The base models of the default library: the same files serve the peers.
EXPERTS = {
    "smollm2-135m": "SmolLM2-135M-Instruct.Q4_1.gguf",
    "gemma3-270m": "gemma-3-270m-q4_k_m.gguf",
}
ENCODER = "minilm-l6-v2"


def say(*words):
    print(*words, file=sys.stderr, flush=True)


class Failed(Exception):
    pass


def run(command, timeout=1800, environment=None):
    """Runs to the end, with more variables of the environment if there are; answers standard output and the peak
    memory in MiB."""
    command = [str(part) for part in command]
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                command, stdout=out, stderr=errors, cwd=ROOT, env={**os.environ, **(environment or {})})
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
