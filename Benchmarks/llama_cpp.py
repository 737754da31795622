"""The peer llama.cpp: built from the source that llama-cpp-python carries, for this processor.

Through the package registry, because that needs no access to anything else; the source in it is
llama.cpp's own tree, unchanged, and its release is pinned here.
"""

import os
import pathlib
import subprocess
import sys
import tarfile

VERSION = "0.3.36"
TARGETS = ["llama-bench", "llama-batched-bench", "llama-server", "llama-mtmd-cli"]


def build(folder, jobs):
    """The folder with the binaries; built at the first call."""
    binaries = folder / "build" / "bin"
    if all((binaries / target).exists() for target in TARGETS):
        return binaries
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"llama_cpp_python-{VERSION}.tar.gz"
    source = folder / f"llama_cpp_python-{VERSION}" / "vendor" / "llama.cpp"
    if not source.exists():
        run(
            sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check",
            "--no-deps", "--no-binary", "llama-cpp-python", "--dest", folder,
            f"llama-cpp-python=={VERSION}",
        )
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    run(
        "cmake", "-S", source, "-B", folder / "build", "-G", "Ninja",
        "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", "-DGGML_OPENMP=ON",
        "-DLLAMA_OPENSSL=OFF", "-DLLAMA_BUILD_TESTS=OFF", "-DLLAMA_BUILD_EXAMPLES=OFF",
        "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF",
    )
    run("ninja", "-C", folder / "build", f"-j{jobs}", *TARGETS)
    return binaries


def run(*command):
    command = [str(part) for part in command]
    print("  " + " ".join(command), file=sys.stderr, flush=True)
    subprocess.run(command, check=True, stdout=sys.stderr, env=os.environ)


if __name__ == "__main__":
    root = pathlib.Path(__file__).resolve().parent.parent
    print(build(root / ".build" / "peers" / "llama.cpp", os.cpu_count() or 2))
