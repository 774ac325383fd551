# Every target sets itself up: a virtual environment in .venv, made again when pyproject.toml changes.
PYTHON ?= python3
BIN := .venv/bin
# Tests start many processes: each would read all sources again where no bytecode is kept.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check laws fuzz bench docs format clean

demo: .venv/ready
	$(BIN)/tensorem demo

test: .venv/ready
	$(BIN)/pytest -n 2

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/pytest -q tests/test_imports.py

laws: .venv/ready
	$(BIN)/pytest -n 2 -m "long or not long" tests/laws

fuzz: .venv/ready
	$(BIN)/pytest -n 2 -m long

bench: .venv/bench
	$(BIN)/python -m bench

docs: .venv/docs
	rm -rf docs/api docs/_build
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo docs/_build/html/index.html

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.venv/ready: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[dev]"
	@touch $@

.venv/bench: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0 flax==0.12.8 equinox==0.13.8
	@touch $@

.venv/docs: .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check --editable ".[docs]"
	@touch $@

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache docs/api docs/_build
