# tap-chat: `make demo` shows it, `make test` proves it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check lint lock tables docs linkcheck clean

demo: $(VENV)/installed
	$(BIN)/python scripts/demo.py

test: check
	$(BIN)/pytest --numprocesses=3 --dist=loadfile

# What needs no server and no database: types, lint, declared dependencies.
check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/deptry .

$(VENV)/installed: requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Write the pins of the development environment anew.
lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra duckdb --extra postgres --extra delta --extra sandbox --group dev pyproject.toml -o requirements-dev.txt --upgrade

# Write the settings of README.md, docs/ and meltano.yml anew from `tap-chat --about`.
tables: $(VENV)/installed
	$(BIN)/python scripts/tables.py

# The site, into docs/_build/html; a link that leads nowhere is an error.
docs: $(VENV)/installed
	$(BIN)/python -m sphinx -W -n --keep-going docs docs/_build/html

# Links to other sites; it needs the network.
linkcheck: $(VENV)/installed
	$(BIN)/python -m sphinx -W -n --keep-going -b linkcheck docs docs/_build/linkcheck

clean:
	rm -rf $(VENV) .meltano docs/_build output/*.duckdb
