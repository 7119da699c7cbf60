# SPDX-License-Identifier: Apache-2.0
# Needs python3 (3.11 or newer), make and g++; everything else goes into .venv.

MAKEFLAGS += --no-print-directory # tests read what the makefiles that we emit print

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check install --quiet --constraint constraints.txt
NEEDS := pyproject.toml constraints.txt
DEMO := build/tfc-w1a1

.PHONY: demo test fast lint format bench finn battery clean
.DEFAULT_GOAL := test

## demo: build an accelerator from a shipped model, and prove it in Verilator
demo: $(VENV)/.demo
	$(BIN)/hwbnn build zoo:tfc-w1a1 --board pynq-z2 --output $(DEMO) --force --with cosim
	@echo
	@echo "Open $(DEMO)/report.html for the whole report."

## test: all tests, the slow ones included
test: $(VENV)/.dev
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -rs

## fast: the tests that take seconds
fast: $(VENV)/.dev
	$(BIN)/pytest -n $(WORKERS) --dist worksteal -m "not slow" -rs

## lint: style, format, types, layers, SystemVerilog
lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/emit/test_rtl.py -k has_no_warning

## format: put the source in the one format
format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

## bench: the benchmarks, their results in benchmarks/results
bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks

## finn: finn-plus in an environment of its own (minutes, once), and its word on what we emit
finn: $(VENV)/.dev
	$(BIN)/python -c "from hwbnn.tools.finn import environment; print(environment())"
	$(BIN)/pytest -q tests/emit/test_finn.py tests/tools/test_finn.py -rs

## battery: 200 random networks, each layer of the line against another; result in benchmarks/results
battery: $(VENV)/.dev
	$(BIN)/python -m tests.battery

clean:
	rm -rf $(VENV) build dist

# A stamp is older than what it was made from: installed again. The demo does without training.
$(VENV)/.demo: $(NEEDS) | $(BIN)/python
	$(PIP) --editable '.[cosim]'
	@touch $@

$(VENV)/.dev: $(NEEDS) | $(BIN)/python
	$(PIP) --editable '.[train,cosim,synth,csim,bitstream,uart,dev]'
	@touch $@ $(VENV)/.demo

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "python3 must be 3.11 or newer; try make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
