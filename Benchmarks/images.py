"""`images`: how long a tile of an image takes to become rows of embeddings, beside llama.cpp's own program.

Both read the same mmproj file, of random weights (`random_projector.py`), and the same image, which is as many tiles to
both. Their rows are compared: they are of no use, but those of the same weights are the same.
"""

import pathlib
import re
import tempfile

from measuring import EXPERTS, PEERS, Table, best, ratio, run, say

KINDS = {"f16": "F16", "q8_0": "Q8_0"}


def thalamus(options, shape, file, image, rows, *more):
    """Milliseconds a tile, with what it takes to decode the image and to cut it."""
    out, _ = run([
        options.binary.parent / "vision-benchmark", file, image, *more, "--threads", options.threads,
        "--runs", options.repetitions, "--rows", rows])
    tiles, = re.findall(r"^(\d+) tiles of", out, re.MULTILINE)
    if int(tiles) != shape.tiles:
        raise ValueError(f"{tiles} tiles instead of {shape.tiles}")
    taken, = re.findall(r"^a tile, .* ([\d.]+) ms$", out, re.MULTILINE)
    return [float(taken)]


def llama(options, binaries, shape, text, file, image, attention, rows):
    """Milliseconds a tile, as it logs them, after the pass that it warms up with.

    Each tile's rows come in the place of those of the one before."""
    with tempfile.NamedTemporaryFile() as log:
        run([
            binaries / "llama-mtmd-cli", "-m", text, "--mmproj", file, "--image", image, "-p", "What is this?",
            "-n", 1, "-t", options.threads, "-fa", "on" if attention else "off", "-c", 2048, "--temp", 0,
            "--log-file", log.name], environment={"MTMD_DEBUG_EMBEDDINGS": str(rows)})
        taken = re.findall(r"(?:slice encoded|batch encoding done) in (\d+) ms", pathlib.Path(log.name).read_text())
    if len(taken) != shape.tiles:
        raise ValueError(f"{len(taken)} tiles instead of {shape.tiles}")
    return [sum(map(int, taken)) / shape.tiles]


def last_tile(file, shape, skip):
    """The rows of the tile that both read last, the image as a whole."""
    import numpy as np

    rows = np.frombuffer(file.read_bytes()[skip:], np.float32).reshape(-1, shape.row_width)
    return rows[-shape.rows:].astype(np.float64)


def cosines(rows, reference):
    import numpy as np

    found = (rows * reference).sum(1) / np.sqrt((rows**2).sum(1) * (reference**2).sum(1))
    return f"{found.mean():.5f} (least {found.min():.5f})"


def made(name, write):
    """A file that is kept between runs: random, but always the same."""
    path = PEERS / "random" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        part = path.with_suffix(".part")
        write(part)
        part.rename(path)
    return path


def bench_images(options, binaries, record):
    import random_projector  # needs gguf

    record["images"] = {}
    for shape in (random_projector.SMOLVLM, random_projector.QWEN):
        bench_shape(options, binaries, record["images"], random_projector, shape)


def bench_shape(options, binaries, record, random_projector, shape):
    name = shape.name.lower()
    projectors = {kind: made(f"mmproj-{name}-{kind}.gguf", lambda part: random_projector.write(part, kind, shape))
                  for kind in KINDS}
    text = made(f"mmproj-{name}-text.gguf", lambda part: random_projector.write_text(
        part, options.models / "smollm2-135m" / EXPERTS["smollm2-135m"], shape))
    image = made(f"{name}.png", lambda part: random_projector.write_image(part, shape))
    table, found = Table(), {}
    with tempfile.TemporaryDirectory() as folder:
        rows = pathlib.Path(folder) / "rows"

        def measure(name, skip, work):
            rows.unlink(missing_ok=True)
            table.take([name], work)
            if rows.exists():
                found[name] = last_tile(rows, shape, skip)

        for turn in range(options.rounds):
            say(f"images, {shape.name}, round {turn + 1} of {options.rounds}")
            for kind, file in projectors.items():
                if not options.peers_only:
                    measure(f"ours {kind}", 0, lambda: thalamus(options, shape, file, image, rows))
                for attention in (0, 1):
                    measure(f"llama{attention} {kind}", 8, lambda: llama(
                        options, binaries, shape, text, file, image, attention, rows))
        if not options.peers_only:
            measure("ours float", 0, lambda: thalamus(
                options, shape, projectors["f16"], image, rows, "float"))
    seen = "an image of {} x {}".format(*shape.image) if shape.tiles == 1 else (
        f"a tile of {shape.square} x {shape.square}, of an image of {shape.tiles}")
    print(f"### Milliseconds for {seen}, {shape.name}'s shapes, random weights\n")
    print("| mmproj | Thalamus | llama.cpp | llama.cpp, flash attention | ratio to the better |\n|---|---|---|---|---|")
    for kind, shown in KINDS.items():
        ours, peers = table[f"ours {kind}"], [table[f"llama{a} {kind}"] for a in (0, 1)]
        print(f"| {shown} | {ours.text(0)} | {peers[0].text(0)} | {peers[1].text(0)} | "
              f"{ratio(ours, best(peers, True), True)} |")
    print()
    if "llama0 f16" in found:
        print("| rows beside llama.cpp's of F16 | cosine, mean (least) |\n|---|---|")
        for name, shown in (("ours float", "Thalamus in floats"), ("ours f16", "Thalamus, F16"),
                            ("ours q8_0", "Thalamus, Q8_0"), ("llama1 f16", "llama.cpp, F16, flash attention"),
                            ("llama0 q8_0", "llama.cpp, Q8_0")):
            if name in found:
                print(f"| {shown} | {cosines(found[name], found['llama0 f16'])} |")
        print()
    record[shape.name] = {name: series.values for name, series in table.items()}
