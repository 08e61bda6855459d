# Everything a developer or a newcomer runs. `make help` lists it.
PYTHON ?= $(firstword $(foreach p,python3.11 python3 python3.12 python3.13,$(shell $(p) -c 'import sys; sys.version_info < (3, 11) and sys.exit(1); print("$(p)")' 2>/dev/null)))
BIN := .venv/bin
SOURCES := ngsi_ld broker adapters beffroi data-models tests

.PHONY: help install run test drill lint format bench bench-notifications bench-temporal bench-adapters bench-federation conformance lock clean

help:  ## list these targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 18

install: .venv/installed  ## make .venv with the exact versions of requirements.lock and Beffroi itself

.venv/installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Beffroi needs Python 3.11 or later: install it, or name one with 'make PYTHON=/path/to/python3'."; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

run: install  ## start MongoDB, the broker on port 1026 and the demonstration; Ctrl-C stops them all
	$(BIN)/beffroi demo

test: install  ## run the whole test suite
	$(BIN)/python -m pytest

drill: install  ## kill broker, MongoDB, adapters and MQTT broker at random for minutes; nothing is lost: make drill [DRILL="--seed 7"]
	$(BIN)/python -m tests.faults.drill $(DRILL)
	$(BIN)/python -m tests.faults.history $(DRILL)
	$(BIN)/python -m tests.faults.feeds $(DRILL)

lint: install  ## style and types
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy

format: install  ## rewrite the code in the house style
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

bench: install  ## measure the broker beside its floor, in one run
	$(BIN)/python -m tests.bench

bench-notifications: install  ## latency and rate of notifications, also with dead endpoints among the living
	$(BIN)/python -m tests.bench.notifications

bench-temporal: install  ## size and speed of the history; make bench-temporal [INSTANCES=10000000]
	$(BIN)/python -m tests.bench.temporal --instances $(or $(INSTANCES),1700000)

bench-adapters: install  ## records a second that the adapters map and deliver, beside the floor
	$(BIN)/python -m tests.bench.adapters

bench-federation: install  ## a query over four neighbours, beside the same asked of one of them directly
	$(BIN)/python -m tests.bench.federation

conformance: install  ## run the ETSI suite: make conformance SUITE=path [PARTS="TP/NGSI-LD/..."]
	@test -n "$(SUITE)" || { echo "Name a checkout of the ETSI suite: make conformance SUITE=path"; exit 2; }
	$(BIN)/python -m tests.conformance $(SUITE) $(PARTS)

lock:  ## choose the newest versions again and write requirements.lock
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip install --quiet uv
	.venv-lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--extra embedded --extra demo --extra sftp --group dev pyproject.toml --output-file requirements.lock
	rm -rf .venv-lock

clean:  ## remove what the targets made
	rm -rf .venv .venv-lock .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
