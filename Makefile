# What a person or CI does with this repository. CARGO_TARGET_DIR may point outside it.

TARGET := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)
VENV := $(TARGET)/python
PYTHON := $(VENV)/bin/python
E2E_WORKERS ?= 2

.PHONY: run test check unit e2e bench fuzz clients deny

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
e2e: clients
	cargo build --locked --package opentrail
	OPENTRAIL_BINARY=$(TARGET)/debug/opentrail $(PYTHON) -m pytest tests/e2e -n $(E2E_WORKERS) --dist loadfile -q

## The real clients, from PyPI
clients: $(VENV)/.ready

$(VENV)/.ready: tests/e2e/requirements.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	touch $@
