"""The domains, their texts, and the one split into training and held-out texts.

A text is held out when the first 32 bits of the SHA-256 of its UTF-8 form are 0 modulo
HELD_OUT_IN (a tenth). The rule depends on nothing else: not on order, on other texts, or on a seed, so
that every expert, mixture and router leaves the same texts alone. Books and speeches are divided
into blocks first and the rule is applied to the blocks.
"""

import argparse
import hashlib
import json
import re
from pathlib import Path

HELD_OUT_IN = 10
BLOCK_CHARACTERS = 4000

DOMAINS = {
    "code": [
        "code_bigcodebench", "code_humaneval_x_6langs", "code_mbpp", "code_polyglot_sources",
    ],
    "maths": ["maths_gsm8k_train"],
    "clinical": ["clinical_medquad", "clinical_pubmedqa_pqal", "clinical_aci_bench"],
    "law-patents": [
        "law_legalbench_train_examples", "law_common_licenses", "patents_classic_transcripts",
    ],
    "law": ["law_legalbench_train_examples", "law_common_licenses"],
    "patents": ["patents_classic_transcripts"],
    "finance": ["finance_gold_headlines"],
    "literature": ["literature_tinyshakespeare", "politics_inaugural", "politics_state_union"],
}
LICENCES = {
    "code_bigcodebench": "Apache-2.0", "code_humaneval_x_6langs": "Apache-2.0",
    "code_mbpp": "CC-BY-4.0", "code_polyglot_sources": "MIT", "maths_gsm8k_train": "MIT",
    "clinical_medquad": "CC-BY-4.0", "clinical_pubmedqa_pqal": "MIT",
    "clinical_aci_bench": "CC-BY-4.0",
    "law_legalbench_train_examples": "per task, mostly CC-BY-4.0",
    "law_common_licenses": "each licence's own terms",
    "patents_classic_transcripts": "public domain", "finance_gold_headlines": "Apache-2.0",
    "literature_tinyshakespeare": "public domain", "politics_inaugural": "public domain",
    "politics_state_union": "public domain",
}
HEADLINES_IN_A_TEXT = 12


def held_out(text: str) -> bool:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return int.from_bytes(digest[:4], "big") % HELD_OUT_IN == 0


def blocks(text: str) -> list[str]:
    """Whole paragraphs (or lines, where a paragraph is too long), about BLOCK_CHARACTERS each."""
    parts, block, length = [], [], 0
    pieces = [piece for piece in re.split(r"(?<=\n)", text) if piece]
    for piece in pieces:
        for start in range(0, len(piece), BLOCK_CHARACTERS):
            part = piece[start : start + BLOCK_CHARACTERS]
            if length + len(part) > BLOCK_CHARACTERS and block:
                parts.append("".join(block))
                block, length = [], 0
            block.append(part)
            length += len(part)
    if block:
        parts.append("".join(block))
    return parts


def rows(data: Path, name: str) -> list[dict]:
    with open(data / f"{name}.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def texts(data: Path, name: str) -> list[str]:
    """The texts of one file, cleaned, no two equal, in the file's order."""
    found = []
    for row in rows(data, name):
        text = row.get("text", "")
        if name == "maths_gsm8k_train":
            # Calculator annotations are not part of an answer that anyone wants to read.
            text = re.sub(r"<<[^>]*>>", "", text)
        if row.get("answer") and name == "law_legalbench_train_examples":
            text = f"{text.rstrip()}\n{row['answer']}"
        text = text.replace("\r\n", "\n").strip()
        found += blocks(text) if len(text) > 2 * BLOCK_CHARACTERS else [text]
    return list(dict.fromkeys(text.strip() for text in found if len(text.strip()) > 5))


def split(data: Path, domain: str) -> tuple[list[str], list[str]]:
    """(training, held out)"""
    training, kept = [], []
    for name in DOMAINS[domain]:
        ours = texts(data, name)
        if name == "finance_gold_headlines":
            # Single headlines are split, then joined within each half: one a line.
            for half, target in ((False, training), (True, kept)):
                lines = [text for text in ours if held_out(text) == half]
                target += [
                    "\n".join(lines[i : i + HEADLINES_IN_A_TEXT])
                    for i in range(0, len(lines), HEADLINES_IN_A_TEXT)
                ]
            continue
        for text in ours:
            (kept if held_out(text) else training).append(text)
    return training, kept


def held_out_rows(data: Path, domain: str) -> list[dict]:
    """What an expert has never seen, for measuring experts and for training routers: `prompt` and,
    where the source has questions, `answer` (else the loss is that of the prompt itself)."""
    questions = {}
    for name in DOMAINS[domain]:
        for row in rows(data, name):
            if row.get("prompt"):
                questions.setdefault(row["prompt"].replace("\r\n", "\n").strip(), name)
    found = []
    for text in split(data, domain)[1]:
        # A question may itself have several lines: the longest beginning that is one.
        ends = [place.start() for place in re.finditer("\n", text)]
        prompt = next((text[:end] for end in reversed(ends) if text[:end].strip() in questions), None)
        answer = text[len(prompt) :].strip() if prompt else ""
        digest = hashlib.sha256(text.encode("utf-8")).hexdigest()[:16]
        row = {"id": f"{domain}-{digest}", "domain": domain, "prompt": prompt if answer else text}
        if answer:
            row["answer"] = answer
        found.append(row)
    return found


def main():
    parser = argparse.ArgumentParser(description="Prints the size of each domain's halves.")
    parser.add_argument("data", type=Path, help="folder with the .jsonl texts")
    parser.add_argument("--held-out", type=Path, metavar="FILE",
                        help="write the held-out texts of all domains, one JSON object a line")
    options = parser.parse_args()
    for domain in DOMAINS:
        training, kept = split(options.data, domain)
        size = lambda items: sum(len(item.encode("utf-8")) for item in items)
        print(
            f"{domain}: {len(training):,} texts ({size(training):,} bytes) for training, "
            f"{len(kept):,} ({size(kept):,} bytes) held out"
        )
    if options.held_out:
        with open(options.held_out, "w", encoding="utf-8") as file:
            for domain in DOMAINS:
                if domain == "law-patents":
                    continue  # the same texts as law and patents
                for row in held_out_rows(options.data, domain):
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
