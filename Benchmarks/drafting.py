"""`drafts`: one client, with tokens guessed ahead (`models.draft_tokens`) and without, in turn."""

import contextlib

import serving
from measuring import EXPERTS, ROOT, Failed, Table, ratio, say

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


def bench_drafts(options, record):
    """Tokens a second from the request to the whole answer, the prompt known already."""
    table, equal, lengths = Table(), {}, {}
    experts = options.expert or list(EXPERTS)
    with contextlib.ExitStack() as stack:
        ports = {name: stack.enter_context(serving.thalamus(options, 4, count))
                 for name, count in (("without", 0), ("with", 8))}
        for turn in range(options.rounds):
            say(f"drafts, round {turn + 1} of {options.rounds}")
            for expert in experts:
                for task, prompt in tasks():
                    texts = {}
                    for name, port in ports.items():
                        if turn == 0:
                            serving.chat(port, expert, prompt, 2, temperature=0)  # leaves the prompt in the cache
                        text, tokens, seconds = serving.chat(port, expert, prompt, TOKENS, temperature=0)
                        table[expert, task, name].values.append(tokens / seconds)
                        texts[name] = text
                        lengths[expert, task] = tokens
                    same = texts["with"] == texts["without"]
                    equal[expert, task] = equal.get((expert, task), True) and same
    print("### Tokens guessed ahead (`models.draft_tokens`), one client, greedy, at most "
          f"{TOKENS} tokens\n")
    print("| tokens/s | | tokens | with guesses | without | ratio | same text |\n|---|---|---|---|---|---|---|")
    for expert in experts:
        for task, _ in tasks():
            ours, plain = table[expert, task, "with"], table[expert, task, "without"]
            print(f"| {expert} | {task} | {lengths[expert, task]} | {ours.text(0)} | {plain.text(0)} | "
                  f"{ratio(ours, plain.median())} | {'yes' if equal[expert, task] else 'NO'} |")
    print()
    record["drafts"] = {" ".join(name): series.values for name, series in table.items()}
    if not all(equal.values()):
        raise Failed("guesses changed an answer")
