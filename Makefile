# Thalamus. `make` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash

BUILD_PACKAGES := build-essential ca-certificates curl git libcurl4-openssl-dev libjpeg-dev \
  libpng-dev libsqlite3-dev libwebp-dev python3 python3-pip
TEST_PACKAGES := python3-venv sqlite3 qemu-user libc6-dev-arm64-cross libgcc-12-dev-arm64-cross
SWIFT_BUILD := swift build -c release
# The tests are built as the binary is, in release and without testable imports, so that both share
# one build and what is tested is what runs.
SWIFT_TEST := swift test -c release --disable-testable-imports --disable-xctest
# Where hundreds of tests begin at once on few cores, one that waits for a server waits for all others
# as well. A few at a time take as long in all.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH ?= 4
HOST ?= 127.0.0.1
PORT ?= 8080

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: system-packages models build ## everything to serve real answers on 127.0.0.1:8080
	.build/release/thalamus serve --host $(HOST) --port $(PORT)

.PHONY: test
test: test-packages models build client ## everything to run all tests
	scripts/lint.sh
	scripts/check-emulated.sh
	$(SWIFT_TEST)

.PHONY: build
build: system-packages ## build the release binary, .build/release/thalamus
	$(SWIFT_BUILD)

.PHONY: models
models: system-packages ## fetch the base models and verify their sha256
	scripts/fetch-models.py

.PHONY: system-packages
system-packages: ## install the system packages that the build needs
	@scripts/system-packages.sh $(BUILD_PACKAGES)

.PHONY: test-packages
test-packages: ## install the system packages that the tests need as well
	@scripts/system-packages.sh $(BUILD_PACKAGES) $(TEST_PACKAGES)

.PHONY: client
client: test-packages ## a virtual environment with the official clients, for the tests
	@test -x .venv-test/bin/python || python3 -m venv .venv-test
	@.venv-test/bin/python -c 'import anthropic, jsonschema, ollama, openai' 2>/dev/null || \
	  .venv-test/bin/pip install --quiet --disable-pip-version-check -r Tests/EndToEndTests/requirements.txt

.PHONY: format
format: ## rewrite the sources in the house style
	swift-format format --in-place --parallel --recursive Package.swift Sources Tests

.PHONY: lint
lint: ## check the house style, as CI does
	scripts/lint.sh

.PHONY: clean
clean: ## remove what was built
	rm -rf .build .venv-test
