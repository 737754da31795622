#!/usr/bin/env python3
"""Makes the prompts that routers are trained and judged on, from a folder of domain texts.

usage: training/router_prompts.py DATA_FOLDER OUTPUT.jsonl [--per-domain 260] [--seed 1]

DATA_FOLDER holds the JSONL files named in SOURCES below (fields `text`, and `prompt` where the
source has questions). Only texts that `domains.py` holds out are used: an expert's loss on what it was
trained on says nothing. Each line of the output is one prompt:

  id      where it comes from
  domain  code, maths, clinical, patents, law, finance, literature, speeches, general, multilingual,
          chat
  prompt  what is routed and, where there is no answer, what experts are scored on
  answer  the reference answer, where the source has one: experts are scored on it, given the prompt
  split   "train" or "heldout", by a hash of the document, so that pieces of one document never
          stand on both sides

`thalamus outcomes collect --file OUTPUT.jsonl` then measures every expert on it. Standard library
only; the same seed gives the same file.
"""

import argparse
import hashlib
import json
import random
import re
from pathlib import Path

import domains

# (domain, file, kind); kind: question = prompt and answer where the text has both, passage = cut
# into pieces, line = whole, headlines = one or a few of them, chat = a prompt without a text
SOURCES = [
    ("code", "code_mbpp", "question"),
    ("code", "code_bigcodebench", "question"),
    ("code", "code_humaneval_x_6langs", "question"),
    ("code", "code_polyglot_sources", "passage"),
    ("maths", "maths_gsm8k_train", "question"),
    ("clinical", "clinical_medquad", "question"),
    ("clinical", "clinical_pubmedqa_pqal", "question"),
    ("clinical", "clinical_aci_bench", "passage"),
    ("patents", "patents_classic_transcripts", "passage"),
    # Answers such as "Yes" are too short to measure a loss on; the text itself is scored.
    ("law", "law_legalbench_train_examples", "line"),
    ("law", "law_common_licenses", "passage"),
    ("finance", "finance_gold_headlines", "headlines"),
    ("literature", "literature_tinyshakespeare", "passage"),
    ("speeches", "politics_state_union", "passage"),
    ("speeches", "politics_inaugural", "passage"),
    ("general", "general_wikitext2_valid", "passage"),
    ("multilingual", "multilingual_udhr2", "passage"),
    ("chat", "chat_arena_hard_v0.1", "chat"),
    ("chat", "chat_selfinstruct_seed_tasks", "chat"),
]
PROMPT_BYTES = 1200
ANSWER_BYTES = 1000


def cut(text: str, limit: int) -> str:
    """The text up to about `limit` bytes, ending at a line or a word where one is near."""
    data = text.encode()
    if len(data) <= limit:
        return text
    part = data[:limit].decode(errors="ignore")
    for end in (part.rfind("\n"), part.rfind(" ")):
        if end > len(part) * 0.7:
            return part[:end]
    return part


def pieces(text: str, generator: random.Random) -> list[str]:
    """Passages of 200 to 1,200 bytes from the whole of a document."""
    found, rest = [], text.strip()
    while len(rest.encode()) > 150:
        piece = cut(rest, generator.choice([250, 400, 700, PROMPT_BYTES]))
        rest = rest[len(piece):].lstrip()
        if len(piece.strip()) > 120:
            found.append(piece.strip())
    return found


def questions(data: Path, name: str) -> set[str]:
    return {
        row["prompt"].replace("\r\n", "\n").strip()
        for row in domains.rows(data, name) if row.get("prompt")
    }


def rows(data: Path, name: str, kind: str, generator: random.Random):
    """(document, prompt and perhaps answer) of the texts that no expert was trained on."""
    if kind == "chat":
        for row in domains.rows(data, name):
            if len(row["prompt"]) >= 20:
                document = hashlib.sha256(row["prompt"].encode()).hexdigest()[:16]
                yield document, {"prompt": cut(row["prompt"], PROMPT_BYTES)}
        return
    trained = any(name in files for files in domains.DOMAINS.values())
    lines = []
    asked = questions(data, name) if kind == "question" else set()
    for text in domains.texts(data, name):
        if trained and not domains.held_out(text):
            continue
        document = hashlib.sha256(text.encode()).hexdigest()[:16]
        if kind == "question":
            # A question may itself have several lines: the longest beginning that is one.
            ends = [place.start() for place in re.finditer("\n", text)]
            prompt = next(
                (text[:end] for end in reversed(ends) if text[:end].strip() in asked), None)
            if prompt is None or len(prompt.encode()) > PROMPT_BYTES:
                continue
            answer = cut(text[len(prompt):].lstrip("\n"), ANSWER_BYTES)
            if len(answer.strip()) >= 20:
                yield document, {"prompt": prompt, "answer": answer}
        elif kind == "line":
            if len(text) >= 40:
                yield document, {"prompt": cut(text, PROMPT_BYTES)}
        elif kind == "headlines":
            lines.append(text)
            if len(lines) == generator.choice([1, 2, 4]) or len(lines) == 4:
                yield document, {"prompt": "\n".join(lines)}
                lines = []
        else:
            for piece in pieces(text, generator):
                yield document, {"prompt": piece}


def is_held_out(document: str) -> bool:
    """Held out from the router: a third of the documents."""
    return int(document[:8], 16) % 3 == 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--per-domain", type=int, default=260)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    by_domain: dict[str, list[list[dict]]] = {}
    for domain, name, kind in SOURCES:
        generator = random.Random(f"{arguments.seed}:{name}")
        found, seen = [], set()
        for document, content in rows(arguments.data, name, kind, generator):
            key = re.sub(r"\s+", " ", content["prompt"])
            if key not in seen:
                seen.add(key)
                split = "heldout" if is_held_out(document) else "train"
                number = len(seen)
                found.append({
                    "id": f"{name}:{document}#{number}", "domain": domain, **content,
                    "split": split})
        generator.shuffle(found)
        by_domain.setdefault(domain, []).append(found)
    output = []
    for domain, sources in by_domain.items():
        share, rest = divmod(arguments.per_domain, len(sources))
        chosen = [row for index, found in enumerate(sources)
                  for row in found[:share + (1 if index < rest else 0)]]
        output += chosen
        held = sum(row["split"] == "heldout" for row in chosen)
        print(f"{domain:13} {len(chosen):5} prompts, {held} held out")
    random.Random(arguments.seed).shuffle(output)
    with arguments.output.open("w") as file:
        for row in output:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"{arguments.output}: {len(output)} prompts")


if __name__ == "__main__":
    main()
