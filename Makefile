# What a person or CI does with this repository. CARGO_TARGET_DIR may point outside it.

TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
VENV := $(TARGET)/python
PYTHON := $(VENV)/bin/python
E2E_WORKERS ?= 2
AZURITE := $(TARGET)/azurite
S3S_FS := $(TARGET)/peers/bin/s3s-fs

.PHONY: run test check unit e2e bench fuzz clients azurite deny

## Build and start the server with embedded defaults
run:
	cargo build --release --locked --package opentrail
	$(TARGET)/release/opentrail serve

## Everything a change must pass
test: check unit e2e fuzz

## Format and lints
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

## Unit and property tests
unit: clients
	OPENTRAIL_TEST_PYTHON=$(PYTHON) cargo test --workspace --locked --quiet

## The whole system, with the real AWS CLI and boto3
e2e: clients azurite
	cargo build --locked --package opentrail
	OPENTRAIL_BINARY=$(TARGET)/debug/opentrail $(PYTHON) -m pytest tests/e2e -n $(E2E_WORKERS) --dist loadfile -q

## Measure against the design's performance targets; writes docs/benchmarks.md. BENCH="--only NAME" for one figure
bench: clients $(S3S_FS)
	cargo build --release --locked --package opentrail --package opentrail-bench
	$(TARGET)/release/opentrail-bench --binary $(TARGET)/release/opentrail --aws $(VENV)/bin/aws --s3s-fs $(S3S_FS) \
		--python $(PYTHON) \
		--results docs/benchmarks.json --page docs/benchmarks.md $(BENCH)

## The S3 server that objects are measured beside
$(S3S_FS):
	cargo install s3s-fs --version 0.14.1 --features binary --locked --root $(TARGET)/peers --target-dir $(TARGET)/peers/build

## The real clients, from PyPI
clients: $(VENV)/.ready

$(VENV)/.ready: tests/e2e/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@

## Azure Blob Storage on this machine, from npm
azurite: $(AZURITE)/.ready

$(AZURITE)/.ready: tests/e2e/azurite/package.json tests/e2e/azurite/package-lock.json
	mkdir -p $(AZURITE)
	cp $^ $(AZURITE)
	npm ci --prefix $(AZURITE) --omit=optional --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

## Fuzz the parsers of requests, events and policies, each for FUZZ_SECONDS
FUZZ_SECONDS ?= 10
FUZZ_TARGETS := aws_json chunked_body event policy query_form signature
# The instrumentation that cargo-fuzz sets; stable Rust has it, so neither cargo-fuzz nor nightly is needed.
FUZZ_FLAGS := --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
	-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
	-Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1

fuzz:
	RUSTFLAGS="$(FUZZ_FLAGS)" cargo build --manifest-path fuzz/Cargo.toml --locked --release \
		--target-dir $(TARGET)/fuzz --target $(shell rustc -vV | sed -n 's/^host: //p')
	for target in $(FUZZ_TARGETS); do \
		mkdir -p $(TARGET)/fuzz/corpus/$$target && \
		$(TARGET)/fuzz/$(shell rustc -vV | sed -n 's/^host: //p')/release/$$target \
			-max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
			-artifact_prefix=$(TARGET)/fuzz/ $(TARGET)/fuzz/corpus/$$target || exit 1; \
	done

## Licences and sources of dependencies
deny:
	cargo deny --version >/dev/null 2>&1 || cargo install cargo-deny --locked
	cargo deny check licenses bans sources
