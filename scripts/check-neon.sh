#!/bin/sh
# Compiles the kernels and Tests/Neon/check.c for ARM, and runs them in an emulator. Needs clang (Swift's will do),
# qemu-user and Debian's libraries for ARM; on an ARM machine `swift test` has the kernels themselves.
set -eu
cd "$(dirname "$0")/.."
if [ "$(uname -m)" = aarch64 ]; then exit 0; fi
clang=$(command -v clang || true)
swift=$(command -v swift || true)
if [ -z "$clang" ] && [ -n "$swift" ]; then clang=$(dirname "$(readlink -f "$swift")")/clang; fi
runtime=$(dirname "$(ls /usr/lib/gcc-cross/aarch64-linux-gnu/*/libgcc.a | tail -n 1)")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$clang" --target=aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include -O2 -Wall -Wextra -Werror \
  -fuse-ld=lld -B"$runtime" -L"$runtime" \
  -L/usr/aarch64-linux-gnu/lib -static -ISources/CKernels/include Sources/CKernels/*.c Tests/Neon/check.c \
  -o "$work/check" -lm -lpthread
qemu-aarch64 -cpu max "$work/check"
