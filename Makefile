# Two commands need nothing but Python 3.11 and git: `make demo` and `make test`.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
SOURCES := answers api channels dashboards features ingest models scheduling settings shipcast simulator warehouse

.PHONY: setup demo dashboard test lint bench docs lock clean

setup: $(READY)

$(READY): requirements/lock.txt requirements/uv.txt pyproject.toml
	PYTHON=$(PYTHON) requirements/install.sh $(VENV)
	touch $@

demo: setup
	$(BIN)/shipcast demo

# The page over the demo's home, which is made first where there is none.
dashboard: setup
	test -f .shipcast/demo/current.json || $(BIN)/shipcast demo
	$(BIN)/shipcast --home .shipcast/demo dashboard

test: setup
	$(BIN)/python -m pytest -n auto --dist loadfile

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	requirements/typecheck.sh $(BIN)/mypy

bench: setup
	$(BIN)/python benchmarks/run.py

docs: setup
	$(BIN)/python docs/generate.py

# Resolve the dependencies anew; the file holds hashes, no host and no path.
lock: setup
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-strip-extras --no-header --no-annotate --upgrade \
		--output-file requirements/lock.txt --quiet

clean:
	rm -rf $(VENV) .shipcast build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
