# Two commands do everything:
#
#   make run     set up .venv, then search the quickstart space and leave a report
#   make test    the same .venv, then lint, types, tests and coverage
#
# PYTHON chooses the interpreter, ARGS adds arguments to the search (ARGS="--workers 2"),
# TORCH_FLAGS reaches the pip call that installs torch (for instance the index of a CPU build).

PYTHON ?= python3
VENV ?= .venv
TORCH_FLAGS ?=
ARGS ?=
COVERAGE ?= 90
WORKERS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help install install-dev run test lint types tests wheel clean

help:
	@sed -n 's/^#   //p' Makefile

# torch comes first and alone: whatever is installed after it finds a torch already there, and
# cannot bring another build with its CUDA packages.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing torch and the rest into $(VENV); this takes a few minutes the first time."
	$(PIP) $(TORCH_FLAGS) torch
	$(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(PIP) -e ".[dev]"
	@touch $@

install: $(VENV)/.installed

install-dev: $(VENV)/.installed-dev

run: install
	$(BIN)/nasdsl run examples/quickstart.nas --workers $(WORKERS) $(ARGS)

test: lint types tests

lint: install-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .

types: install-dev
	$(BIN)/python -m mypy

# One thread a process: torch's threads would fight with those of the other test process.
# The children of the tests (the command line, workers) are measured too.
tests: install-dev
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term:skip-covered \
		--cov-fail-under=$(COVERAGE)

wheel: install-dev
	$(BIN)/python -m hatchling build

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage* htmlcov
