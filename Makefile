# tap-chat: `make demo` shows it, `make test` proves it.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test interop fuzz faults limits kills check audit lock tables docs linkcheck dist clean

demo: $(VENV)/installed
	$(BIN)/python scripts/demo.py

test: check
	$(BIN)/pytest --numprocesses=3 --dist=loadfile

# Taps, targets and rate limits that others wrote: all pairs, and what needs MariaDB, wal2json, nginx or npm.
interop: $(VENV)/installed
	INTEROP=1 $(BIN)/pytest --timeout=0 tests/interop

# What is tried with made-up input, with a hundred times as much of it as `make test` takes.
fuzz: $(VENV)/installed
	$(BIN)/pytest --hypothesis-profile=soak --timeout=0 $(FUZZ)

FUZZ ?= tests/fuzz tests/bridge/test_exact.py tests/bridge/test_types.py tests/tap/test_arrays.py \
  tests/tap/test_verbatim.py tests/tap/test_pagination.py

# Every way of the data killed at 200 moments; the table of docs/kills.md.
kills: $(VENV)/installed
	PYTHONPATH=tests $(BIN)/python scripts/kills.py --write

# What needs no server and no database: lint, types, the rooms of both packages, declared dependencies.
check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/deptry .

# Known vulnerabilities of what is pinned; it needs the network, so that `make test` does without.
audit: $(VENV)/installed
	$(BIN)/uv tool run 'pip-audit>=2.9,<3' --strict --disable-pip --require-hashes -r requirements-dev.txt

$(VENV)/installed: requirements-dev.txt pyproject.toml
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $@

# Write the pins of the development environment and of tests/interop anew; `make lock LOCK=--upgrade` takes newer ones.
lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	  --extra duckdb --extra postgres --extra delta --extra sandbox --group dev pyproject.toml -o requirements-dev.txt $(LOCK)
	for name in $(basename $(wildcard tests/interop/requirements/*.in)); do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --override tests/interop/requirements/overrides.txt $$name.in -o $$name.txt $(LOCK) || exit 1; \
	done
	cd tests/interop/requirements/express-rate-limit && npm $(if $(LOCK),update,install) --package-lock-only --ignore-scripts \
	  --omit-lockfile-registry-resolved

# Write the settings of README.md, docs/, meltano.yml and hub/ anew from the plugins' `--about`.
tables: $(VENV)/installed
	$(BIN)/python scripts/tables.py
	$(BIN)/python scripts/hub.py

# Write the tables of docs/faults.md anew: every fault of the sandbox, the tap, and both loads.
faults: $(VENV)/installed
	PYTHONPATH=tests $(BIN)/python scripts/faults.py

# Write the tables of docs/limits.md anew: every kind of rate limit, simulated.
limits: $(VENV)/installed
	PYTHONPATH=tests $(BIN)/python scripts/limits.py

# What a release publishes, in dist/, and tests of just these files.
dist: $(VENV)/installed
	rm -rf dist
	$(BIN)/python -m hatchling build
	DIST=dist $(BIN)/pytest tests/test_wheel.py tests/test_project.py

# The site, into docs/_build/html; a link that leads nowhere is an error.
docs: $(VENV)/installed
	$(BIN)/python -m sphinx -W -n --keep-going docs docs/_build/html

# Links to other sites; it needs the network.
linkcheck: $(VENV)/installed
	$(BIN)/python -m sphinx -W -n --keep-going -b linkcheck docs docs/_build/linkcheck

clean:
	rm -rf $(VENV) .venv-interop .meltano dist docs/_build output/*.duckdb
