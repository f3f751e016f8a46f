# `make demo` runs the main job, `make test` the tests; both make .venv first.
PYTHON ?= python3
PIP = .venv/bin/python -m pip --quiet --disable-pip-version-check
BIN = .venv/bin

.PHONY: venv demo test clean

venv: .venv/dev.stamp

# torch first and exactly pinned: where an index offers a CPU build of it, that one is kept
.venv/base.stamp: pyproject.toml
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	$(PIP) install "torch==2.13.0"
	$(PIP) install -e .
	touch $@

.venv/dev.stamp: .venv/base.stamp
	$(PIP) install -e ".[dev]"
	touch $@

demo: .venv/base.stamp
	$(BIN)/worldr1 demo

test: .venv/dev.stamp
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

clean:
	rm -rf .venv build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
