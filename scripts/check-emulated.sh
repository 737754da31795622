#!/bin/sh
# Compares kernels with plain C, by Tests/Emulated/check.c, whose instructions the machine may lack: those of NEON
# compiled for ARM and run by qemu, those of AVX-VNNI and AMX by functions in their place. Needs clang (Swift's will
# do), qemu-user and Debian's libraries for ARM. `swift test` has the kernels that the machine itself can run.
set -eu
cd "$(dirname "$0")/.."
if [ "$(uname -m)" != x86_64 ]; then exit 0; fi
clang=$(command -v clang || true)
swift=$(command -v swift || true)
if [ -z "$clang" ] && [ -n "$swift" ]; then clang=$(dirname "$(readlink -f "$swift")")/clang; fi
runtime=$(dirname "$(ls /usr/lib/gcc-cross/aarch64-linux-gnu/*/libgcc.a | tail -n 1)")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
options="-O2 -Wall -Wextra -Werror -ISources/CKernels/include"
sources="Sources/CKernels/*.c Tests/Emulated/check.c"
# shellcheck disable=SC2086 # several words each
check_arm() {
  "$clang" --target=aarch64-linux-gnu -isystem /usr/aarch64-linux-gnu/include $options \
    -fuse-ld=lld -B"$runtime" -L"$runtime" -L/usr/aarch64-linux-gnu/lib -static $sources \
    -o "$work/check-arm" -lm -lpthread
  qemu-aarch64 -cpu max "$work/check-arm" neon
}
# shellcheck disable=SC2086
check_x86() {
  "$clang" -DTK_EMULATED $options $sources -o "$work/check-x86" -lm -lpthread
  "$work/check-x86" avxvnni amx
}
check_arm &
arm=$!
if grep -qw avx2 /proc/cpuinfo; then check_x86; fi
wait "$arm"
