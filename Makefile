# Eight words. Each builds .venv by itself; .ci/run calls the same.
#   make demo        export the sample mailbox into ./demo-dataset and print what is in it
#   make test        the tests, every notebook among them
#   make check       format, lint, types, floors
#   make notebooks   every notebook in a fresh kernel, outputs compared
#   make docs        the site, warnings as errors
#   make bench       races against other clients and parsers
#   make faults      100,000 faults (POP3FRAMES_FAULTS=...) against exports and deletions; prints what became of them

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := demo
.PHONY: demo test check notebooks docs bench faults

.venv/base: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "pop3frames needs Python 3.11 or later: make PYTHON=python3.12 ...")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/test: .venv/base
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

demo: .venv/base
	$(BIN)/pop3frames demo

test: .venv/test
	$(BIN)/python -m pytest

check: .venv/test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

notebooks: .venv/test
	$(BIN)/pop3frames check-notebooks notebooks --mailbox data/mailbox

docs: .venv/test
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

bench: .venv/test
	$(BIN)/python -m benchmarks

faults: .venv/test
	PYTHONPATH=tests $(BIN)/python -m faults
