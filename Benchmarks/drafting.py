"""One client, with tokens guessed ahead and without, in turn.

Two parts: `drafts` (`models.draft_tokens`: guesses are looked up in what was said) and `draft-model` (a small
expert guesses for one of 1.2 billion weights, beside the same without its guesses; both look up too).
"""

import contextlib
import copy
import os
import pathlib
import tempfile

import serving
from decoders import write_card
from measuring import EXPERTS, PEERS, ROOT, Failed, Table, ratio, say

TEXTS = ROOT / "scripts" / "parity-texts"
TOKENS = 160
COLOURS = ["red", "blue", "green"]


def tasks():
    """(name, prompt): answers that quote their prompt, and some that do not."""
    code = (TEXTS / "code.txt").read_text(encoding="utf-8")[:700]
    prose = (TEXTS / "prose.txt").read_text(encoding="utf-8")[:700]
    items = "\n".join(f"- item {i}: colour {COLOURS[i % 3]}, price {i * 7 % 50} euro" for i in range(30))
    return [
        ("code to rewrite", "Rewrite this code with better comments. Keep the rest as it is.\n\n"
         f"```python\n{code}\n```"),
        ("text to repeat", f"Repeat the following text word for word:\n\n{prose}"),
        ("list to table", f"Here is a list:\n{items}\n\nCopy the list as a markdown table with columns "
         "item, colour, price."),
        ("maths, step by step", "A train travels 60 km in 45 minutes. How far does it travel in 2 hours? "
         "Explain step by step."),
        ("story", "Write a short story about a lighthouse keeper."),
        ("question", "Why is the sky blue? Explain in some detail."),
    ]


def measure(options, title, rows, record):
    """Tokens a second from the request to the whole answer, the prompt known already.

    `rows`: (name, (port, expert) with guesses, (port, expert) without)."""
    table, equal, lengths = Table(), {}, {}
    for turn in range(options.rounds):
        say(f"{title}, round {turn + 1} of {options.rounds}")
        for row, *sides in rows:
            for task, prompt in tasks():
                texts = []
                for side, (port, expert) in zip(("with", "without"), sides):
                    if turn == 0:
                        serving.chat(port, expert, prompt, 2, temperature=0)  # leaves the prompt in the cache
                    text, tokens, seconds = serving.chat(port, expert, prompt, TOKENS, temperature=0)
                    table[row, task, side].values.append(tokens / seconds)
                    texts.append(text)
                    lengths[row, task] = tokens
                equal[row, task] = equal.get((row, task), True) and texts[0] == texts[1]
    print(f"### {title}, one client, greedy, at most {TOKENS} tokens\n")
    print("| tokens/s | | tokens | with guesses | without | ratio | same text |\n|---|---|---|---|---|---|---|")
    for row, *_ in rows:
        for task, _ in tasks():
            ours, plain = table[row, task, "with"], table[row, task, "without"]
            print(f"| {row} | {task} | {lengths[row, task]} | {ours.text(0)} | {plain.text(0)} | "
                  f"{ratio(ours, plain.median())} | {'yes' if equal[row, task] else 'NO'} |")
    print()
    record[title] = {" ".join(name): series.values for name, series in table.items()}
    if not all(equal.values()):
        raise Failed("guesses changed an answer")


def bench_drafts(options, record):
    experts = options.expert or list(EXPERTS)
    with contextlib.ExitStack() as stack:
        guessing, plain = (
            stack.enter_context(serving.thalamus(options, 4, count)) for count in (8, 0))
        measure(options, "Tokens guessed ahead (`models.draft_tokens`)",
                [(name, (guessing, name), (plain, name)) for name in experts], record)


def bench_draft_model(options, record):
    import padded_model  # needs gguf

    small = options.models / "smollm2-135m" / EXPERTS["smollm2-135m"]
    # Kept between runs: it is made of the same file.
    file = PEERS / "padded" / "large.gguf"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        padded_model.write(part, small)
        part.rename(file)
    with tempfile.TemporaryDirectory() as folder:
        write_card(folder, "plain", file, total=1_240_000_000, active=1_240_000_000)
        write_card(folder, "large", file, total=1_240_000_000, active=1_240_000_000)
        write_card(folder, "small", small, total=135_000_000, active=135_000_000)
        with open(pathlib.Path(folder) / "large" / "expert.yaml", "a", encoding="utf-8") as card:
            card.write("draft: small\n")
        # What the server needs besides: router and encoder.
        for path in options.models.iterdir():
            if not (path / "expert.yaml").exists():
                os.symlink(path, pathlib.Path(folder) / path.name)
        options = copy.copy(options)
        options.models = pathlib.Path(folder)
        with serving.thalamus(options, 4, 8) as port:
            measure(options, "A draft model (`draft: small`)",
                    [("1.2 billion weights", (port, "large"), (port, "plain"))], record)
