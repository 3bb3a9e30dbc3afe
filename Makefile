# Each goal does its own set-up in .venv; a second time it finds the set-up done and starts at once.
# Another interpreter: make PYTHON=python3.13 test

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
# How many seeds `make chaos` plays.
SEEDS ?= 20
# How many processes share the files of tests: more than two cores, for tests wait for servers.
WORKERS ?= 6
BIN := .venv/bin
# The stamp's name holds a checksum of what decides the environment, so that any change renews it,
# whatever the clocks and the checkouts did to the files' times.
READY := .venv/ready-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)
# Bytecode is left to the first import: compiling what nobody imports takes a quarter of the time.
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --no-compile \
  --constraint constraints.txt

# $(call step,NAME,COMMAND): run a check, say how long it took, stop at the first failure.
step = @start=$$SECONDS; echo "== $(1)"; $(2) && echo "   $(1): ok, $$((SECONDS - start)) s"
# $(call quietly,COMMAND): show what a command says only if it fails.
quietly = $(1) > .venv/check.log || { cat .venv/check.log; exit 1; }

.PHONY: help setup demo test lint style types format docs chaos bench bench-peers pins clean

help: ## show the goals
	@echo "Tailrace: the improvement loop for agent fleets, run on a log."
	@sed -n 's/^\([a-z-]*\):.* ## \(.*\)/  make \1|\2/p' Makefile \
	  | while IFS='|' read -r goal text; do printf '%-14s %s\n' "$$goal" "$$text"; done

setup: $(READY) ## make .venv with everything for running and developing
	@echo ".venv is ready"

demo: $(READY) ## start the local stack, run a fleet of agents, show their traces
	@# DEMO_TRAJECTORIES=FILE gets there by itself, from the environment or after `make demo`.
	@$(BIN)/python examples/demo.py

test: $(READY) ## check style, types and floors, and run every test
	@# Meanwhile the broker's class archive is made, with which each of many brokers starts faster.
	@$(BIN)/python -m tailrace.console.local.class_training & $(MAKE) style || failed=yes; wait; \
	  [ -z "$${failed:-}" ]
	@echo "== pytest: every test, in $(WORKERS) workers; and pyright beside it"
	@# A file's tests stay together. The files come in their order: those that wait for servers first.
	@$(MAKE) types > .venv/types.log 2>&1 & types=$$!; \
	  $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder \
	    || failed=yes; \
	  wait $$types || { failed=yes; cat .venv/types.log; }; [ -z "$${failed:-}" ]

lint: style types ## check style, floors and types

style: $(READY)
	$(call step,ruff check,$(BIN)/ruff check --quiet .)
	$(call step,ruff format,$(BIN)/ruff format --quiet --check .)
	$(call step,import-linter,$(call quietly,$(BIN)/lint-imports))

types: $(READY)
	$(call step,pyright,$(call quietly,$(BIN)/pyright --warnings))

format: $(READY) ## let ruff rewrite the sources in our style
	@$(BIN)/ruff check --fix --quiet . && $(BIN)/ruff format .

docs: $(READY) ## write the reference pages anew from the code
	@cd docs && ../$(BIN)/python -m reference_pages

chaos: $(READY) ## break broker, network and agents at random, with more seeds than make test
	@TAILRACE_CHAOS_SEEDS=$(SEEDS) $(BIN)/python -m pytest -s tests/chaos --timeout 300

bench: $(READY) ## measure; each bench prints its figures and its conditions
	@found=; for bench in bench/*.py; do \
	  [ -f "$$bench" ] || continue; found=yes; echo "== $$bench"; $(BIN)/python "$$bench" || exit 1; \
	done; [ -n "$$found" ] || echo "there is no bench yet"

bench-peers: $(READY) ## measure beside other recorders, which it installs into build/peers
	@$(BIN)/python bench/peers/compare.py

pins: ## renew constraints.txt with today's versions
	@echo "Resolving the newest versions that fit together; this takes a minute."
	@rm -rf build/pins && $(PYTHON) -m venv build/pins
	@build/pins/bin/python -m pip --disable-pip-version-check install --quiet --editable '.[all,dev]'
	@{ sed -n '/^#/p' constraints.txt; \
	  build/pins/bin/python -m pip freeze --exclude-editable; } > build/constraints.txt
	@mv build/constraints.txt constraints.txt && rm -rf build/pins
	@echo "constraints.txt is renewed: run make test, then commit it."

clean: ## remove .venv, caches and built files; the data of a local stack stays
	@rm -rf .venv build dist .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@if [ -d .tailrace ]; then echo "kept .tailrace: it holds the local stack's data"; fi

$(READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Tailrace needs Python 3.11 or newer, and '$(PYTHON)' is not: install one," \
	    "or name it with 'make PYTHON=/path/to/python3 ...'." >&2; exit 1; }
	@echo "Setting up .venv from constraints.txt; this takes a minute the first time."
	@$(BIN)/python -c '' 2>/dev/null || $(PYTHON) -m venv --clear .venv || { \
	  echo "'$(PYTHON) -m venv' failed: on Debian and Ubuntu install python3-venv." >&2; exit 1; }
	@# The builder comes first and pinned: an isolated build would fetch its own, newest one.
	@$(PIP) hatchling
	@$(PIP) --no-build-isolation --editable '.[all,dev]'
	@rm -f .venv/ready-* && touch $@
