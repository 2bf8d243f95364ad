# tap-chat: `make demo` shows the whole pipeline, `make test` runs all tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := VIRTUAL_ENV=$(VENV) $(BIN)/uv pip
# uv trusts the certificates of the machine, as pip does.
export UV_SYSTEM_CERTS := true

.PHONY: demo test quick interop dagster fuzz faults limits kills goals check audit lock tables queries pictures docs linkcheck dist image clean

demo: $(VENV)/demo
	@$(BIN)/python scripts/demo.py

test: check
	$(BIN)/pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder

# One case of most tests, without those that take long: for the time in which code is written. CI runs all.
quick: check
	$(BIN)/pytest --numprocesses=3 --dist=loadfile --no-loadscope-reorder --quick

# Taps, targets and rate limits of other projects: all pairs, including those with MariaDB, wal2json, nginx or npm.
interop: $(VENV)/installed
	INTEROP=1 $(BIN)/pytest --timeout=0 tests/interop

# Dagster with its daemon: two dozen accounts, while runs, the daemon and the worker are killed. It takes 15 minutes.
dagster: $(VENV)/installed
	DAGSTER=1 $(BIN)/pytest --timeout=0 tests/dagster/test_daemon.py

# The fuzz tests, with a hundred times as much input as `make test` uses.
fuzz: $(VENV)/installed
	$(BIN)/pytest --hypothesis-profile=soak --timeout=0 $(FUZZ)

FUZZ ?= tests/fuzz tests/bridge/test_exact.py tests/bridge/test_types.py tests/tap/test_arrays.py \
  tests/tap/test_raw_records.py tests/tap/test_pagination.py

# Kill a run before each of its steps, and every way of loading 200 times; write the table of docs/kills.md.
kills: $(VENV)/installed
	EVERY_STEP=1 $(BIN)/pytest --timeout=0 tests/killing/test_commits.py -k any_step
	PYTHONPATH=tests $(BIN)/python scripts/kills.py --write

# Measure what people wait for, and its rivals, as Markdown: ten minutes on a machine that does nothing else.
goals: $(VENV)/installed
	$(BIN)/python benchmarks/goals.py

# Checks without a server or a database: lint, types, layers, declared dependencies, prose.
check: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/deptry .
	$(BIN)/python scripts/prose.py

# Look for known vulnerabilities of all pinned packages. It needs the network, so `make test` leaves it out.
audit: $(VENV)/installed
	$(BIN)/uv tool run 'pip-audit>=2.9,<3' --strict --disable-pip --require-hashes -r requirements-dev.txt

# The packages of the demo. pip installs uv, and uv the rest: it is faster, and the environments of
# Meltano's plugins share its files.
$(VENV)/demo: requirements-demo.txt pyproject.toml
	@$(if $(filter-out demo,$(MAKECMDGOALS)),,echo $(FIRST_RUN))
	@echo "Creating $(VENV)"
	@$(PYTHON) -m venv --clear $(VENV)
	@sed -n '/^uv==/,/# via/p' requirements-demo.txt \
	  | $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r /dev/stdin
	@echo "Installing the packages of requirements-demo.txt"
	@$(UV) install --quiet --require-hashes -r requirements-demo.txt
	@echo "Installing tap-chat"
	@$(UV) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

FIRST_RUN := "The first run takes about two minutes, and 600 MB in .venv and .meltano. Later ones take less than a minute."

# All packages of the development environment, those of the demo included.
$(VENV)/installed: requirements-dev.txt $(VENV)/demo
	@echo "Installing the packages of requirements-dev.txt"
	@$(UV) sync --quiet --compile-bytecode --require-hashes requirements-dev.txt
	@$(UV) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Pin the packages of the development environment, of the demo, and of tests/interop. `make lock LOCK=--upgrade` takes newer ones.
lock:
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-strip-extras \
	  --extra duckdb --extra postgres --extra delta --extra dagster --extra sandbox --group dev pyproject.toml -o requirements-dev.txt $(LOCK)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-strip-extras \
	  --extra duckdb --extra sandbox --group demo --constraints requirements-dev.txt pyproject.toml -o requirements-demo.txt
	for name in $(basename $(wildcard tests/interop/requirements/*.in)); do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    --override tests/interop/requirements/overrides.txt $$name.in -o $$name.txt $(LOCK) || exit 1; \
	done
	cd tests/interop/requirements/express-rate-limit && npm $(if $(LOCK),update,install) --package-lock-only --ignore-scripts \
	  --omit-lockfile-registry-resolved

# Write the settings of docs/, meltano.yml and hub/ from the plugins' `--about`, and the data dictionary
# from the catalog.
tables: $(VENV)/installed
	$(BIN)/python scripts/tables.py
	$(BIN)/python scripts/hub.py
	$(BIN)/python scripts/streams.py

# Write the results of the SQL recipes into docs/queries.md, as they come from the sandbox.
queries: $(VENV)/installed
	$(BIN)/python scripts/queries.py

# Draw docs/pictures/cast.svg from real output. The architecture and the timelines are drawn by hand.
pictures: $(VENV)/installed
	$(BIN)/python scripts/cast.py

# Run the tap and both loads with every fault of the sandbox, and write the tables of docs/faults.md.
faults: $(VENV)/installed
	PYTHONPATH=tests $(BIN)/python scripts/faults.py

# Simulate every kind of rate limit, and write the tables of docs/limits.md.
limits: $(VENV)/installed
	PYTHONPATH=tests $(BIN)/python scripts/limits.py

# Build the files of a release into dist/, and test them.
dist: $(VENV)/installed
	rm -rf dist
	$(BIN)/python -m hatchling build
	DIST=dist $(BIN)/pytest tests/test_wheel.py tests/test_project.py

# Build the Docker image, and test it. It needs Docker and the network.
image: $(VENV)/installed
	docker build --tag tap-chat --build-arg VERSION=$$($(BIN)/python -m hatchling version) .
	IMAGE=tap-chat $(BIN)/pytest tests/test_docker.py

# Build the site into docs/_build/html. A broken link is an error.
docs: $(VENV)/installed
	$(BIN)/python -m sphinx -W -n --keep-going docs docs/_build/html

# Check links to other sites. It needs the network.
linkcheck: $(VENV)/installed
	$(BIN)/python -m sphinx -W -n --keep-going -b linkcheck docs docs/_build/linkcheck

clean:
	rm -rf $(VENV) .venv-interop .meltano dist docs/_build output/*.duckdb
