#!/usr/bin/env python3
"""Makes the prompts that routers are trained and judged on, from a folder of domain texts.

usage: training/router_prompts.py DATA_FOLDER OUTPUT.jsonl [--per-domain 260] [--seed 1]

DATA_FOLDER holds the JSONL files named in SOURCES below (fields `text`, and `prompt` where the
source has questions). Each line of the output is one prompt:

  id      where it comes from
  domain  code, maths, clinical, patents, law, finance, literature, speeches, general, multilingual
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

# (domain, file, kind); kind: question = prompt and answer, passage = cut into pieces, line = whole
SOURCES = [
    ("code", "code_mbpp.jsonl", "question"),
    ("code", "code_bigcodebench.jsonl", "question"),
    ("code", "code_humaneval_x_6langs.jsonl", "question"),
    ("code", "code_polyglot_sources.jsonl", "passage"),
    ("maths", "maths_gsm8k_train.jsonl", "question"),
    ("clinical", "clinical_medquad.jsonl", "question"),
    ("clinical", "clinical_pubmedqa_pqal.jsonl", "question"),
    ("clinical", "clinical_aci_bench.jsonl", "passage"),
    ("patents", "patents_classic_transcripts.jsonl", "passage"),
    ("law", "law_legalbench_train_examples.jsonl", "legal"),
    ("law", "law_common_licenses.jsonl", "passage"),
    ("finance", "finance_gold_headlines.jsonl", "line"),
    ("literature", "literature_tinyshakespeare.jsonl", "passage"),
    ("speeches", "politics_state_union.jsonl", "passage"),
    ("speeches", "politics_inaugural.jsonl", "passage"),
    ("general", "general_wikitext2_valid.jsonl", "passage"),
    ("multilingual", "multilingual_udhr2.jsonl", "passage"),
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


def rows(folder: Path, domain: str, name: str, kind: str, generator: random.Random):
    for number, line in enumerate((folder / name).open()):
        row = json.loads(line)
        identity = f"{name.removesuffix('.jsonl')}:{row.get('id', number)}"
        text = row["text"]
        if kind == "question":
            prompt = row["prompt"]
            if len(prompt.encode()) > PROMPT_BYTES or not text.startswith(prompt):
                continue
            answer = cut(text[len(prompt):].lstrip("\n"), ANSWER_BYTES)
            if len(answer.strip()) >= 20:
                yield identity, identity, {"prompt": prompt, "answer": answer}
        elif kind == "legal":
            # Answers such as "Yes" are too short to measure a loss on; the text itself is scored.
            if 80 <= len(text.encode()):
                yield identity, identity, {"prompt": cut(text, PROMPT_BYTES)}
        elif kind == "line":
            if len(text) >= 40:
                yield identity, identity, {"prompt": cut(text, PROMPT_BYTES)}
        else:
            for index, piece in enumerate(pieces(text, generator)):
                yield f"{identity}#{index}", identity, {"prompt": piece}


def is_held_out(document: str) -> bool:
    return hashlib.sha256(document.encode()).digest()[0] % 4 == 0


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
        for identity, document, content in rows(arguments.data, domain, name, kind, generator):
            key = re.sub(r"\s+", " ", content["prompt"])
            if key not in seen:
                seen.add(key)
                split = "heldout" if is_held_out(document) else "train"
                found.append({"id": identity, "domain": domain, **content, "split": split})
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
