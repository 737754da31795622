#!/bin/sh
# The house style: swift-format, without a single remark.
set -eu
cd "$(dirname "$0")/.."
swift format lint --strict --parallel --recursive Package.swift Sources Tests
echo "lint: clean"
