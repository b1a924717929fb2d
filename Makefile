# `make` alone lists the targets. Every target makes its own .venv and installs what it needs.
PYTHON ?= python3
SIZE ?= full
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
.PHONY: help install demo test retest prove lint format bench clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

install: $(STAMP) ## make .venv with everything that the targets need

demo: $(STAMP) ## replay years of captures, train, and write demo/report.html (SIZE=small: two and a half minutes)
	$(BIN)/agetrace demo --output demo --size $(SIZE)

test: $(STAMP) ## run the quick test suite
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

retest: $(STAMP) ## run again, alone, what failed in the last run of the tests
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none

prove: $(STAMP) ## run the long proofs (kills, soaks, replays) and rewrite docs/proofs.md
	$(BIN)/python -m tests.proofs --processes 2

lint: $(STAMP) ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP) ## let ruff format and mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## run the benchmarks and rewrite benchmarks/RESULTS.md
	$(BIN)/python -m benchmarks

clean: ## remove everything that the targets made
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache
