# Every target sets up what it needs: on a fresh clone, `make lab` or `make test` is all there is to type.
#
#   make lab [ARGS=--quick]   the full report, written to lab-report/index.html
#   make test                 all tests (no network, no PyTorch)
#   make check                ruff, mypy --strict, floors (import-linter)
#   make postgres             the store's tests against a PostgreSQL server of their own (root installs it if missing)
#   make oracle               comparison with PyTorch, in an environment of its own
#   make bench [ARGS=--quick] against NumPy, PyTorch, JAX and scikit-learn, in an environment of its own

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=
INSTALLED := $(VENV)/.installed
ORACLE_VENV ?= .venv-oracle
ORACLE_INSTALLED := $(ORACLE_VENV)/.installed
BENCH_VENV ?= .venv-bench
BENCH_INSTALLED := $(BENCH_VENV)/.installed

.PHONY: lab test postgres check format oracle bench install clean

lab: $(INSTALLED)
	$(BIN)/chainrule lab $(ARGS)

test: $(INSTALLED)
	$(BIN)/python -m pytest -q $(ARGS)

postgres: $(INSTALLED)
	.ci/with_postgres $(BIN)/python -m pytest -q -m postgres tests/store $(ARGS)

check: $(INSTALLED)
	$(BIN)/ruff check src tests benchmarks studies
	$(BIN)/ruff format --check src tests benchmarks studies
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(INSTALLED)
	$(BIN)/ruff check --fix src tests benchmarks studies
	$(BIN)/ruff format src tests benchmarks studies

oracle: $(ORACLE_INSTALLED)
	$(ORACLE_VENV)/bin/python -m pytest -q -m oracle tests/oracle tests/benchmarks $(ARGS)

bench: $(BENCH_INSTALLED)
	$(BENCH_VENV)/bin/python -m benchmarks $(ARGS)

install: $(INSTALLED)

$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/chainrule doctor --warm --quiet
	touch $@

$(ORACLE_INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(ORACLE_VENV)
	$(ORACLE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(ORACLE_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@

$(BENCH_INSTALLED): pyproject.toml constraints.txt constraints-bench.txt
	$(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt --constraint constraints-bench.txt --editable '.[bench]'
	touch $@

clean:
	rm -rf $(VENV) $(ORACLE_VENV) $(BENCH_VENV) build dist lab-report .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
