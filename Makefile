# Two commands on a fresh machine: `make e2e` and `make test`. Both set everything up first, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
N ?= 2
SCENARIOS ?= scenarios
BACKEND ?= auto
VIEWER := $(addprefix harness/peeklock/reports/html/viewer/,package-lock.json bundle.mjs) $(wildcard harness/peeklock/reports/html/viewer/src/*)

# Hundreds of processes are started: none may compile what another has compiled before it
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help setup e2e test check fix fuzz chaos bench mutants explored conformance docs docker images up down dashboard lock schema clean

help: ## what there is
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## everything that the other commands need; they call it themselves

conformance: $(READY) ## azure-servicebus' own tests and samples against the emulator (long; GROUPS="queues samples" chooses)
	@$(BIN)/python -m tests.conformance.servicebus.live $(GROUPS)

$(READY): requirements.lock pyproject.toml Makefile harness/peeklock/stack/embedded/azurite/package-lock.json harness/peeklock/stack/embedded/azurite/bundle.mjs $(VIEWER) fixtures/models/fetch.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "error: Peeklock needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "  fix: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11" >&2; exit 3; }
	@echo "setting up (once): 1/4 a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "error: $(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv." >&2; exit 3; }
	@echo "setting up (once): 2/4 $$(grep -c '==' requirements.lock) Python packages, as pinned in requirements.lock"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock || { \
	  echo "error: the Python packages of requirements.lock could not be installed." >&2; \
	  echo "  checked: the package index that pip is configured for ($$($(BIN)/python -m pip config get global.index-url 2>/dev/null || echo the default one))" >&2; \
	  echo "  fix: make it reachable (network, proxy, PIP_INDEX_URL, PIP_CERT), then run this again." >&2; exit 3; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@echo "setting up (once): 3/4 Postgres, Node, Azurite and the viewer of reports"
	@$(BIN)/peeklock setup
	@echo "setting up (once): 4/4 the ONNX model that the IntelliOptics worker runs"
	@$(BIN)/python -m fixtures.models.fetch --to "$$($(BIN)/peeklock setup --cache-folder)/models"
	@touch $@

e2e: N = 3# cases wait more than they work
e2e: $(READY) ## every scenario against the real stack and services
	@$(BIN)/peeklock run $(SCENARIOS) -n $(N) --backend $(BACKEND)

test: $(READY) ## the project's own tests, the fast ones first
	@$(BIN)/python -m pytest tests -n $(N) --durations=15 --durations-min=10

check: $(READY) ## style, types, scenario files
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/peeklock check

fix: $(READY) ## put right what a machine can
	@$(BIN)/ruff check --fix --quiet .
	@$(BIN)/ruff format --quiet .
	@$(BIN)/peeklock schema --output docs/reference/scenario.schema.json
	@$(BIN)/python docs/reference/api.py
	@$(BIN)/python docs/reference/faults.py

fuzz: $(READY) ## a million spoilt frames for the emulator (seven to fifteen minutes)
	@$(BIN)/python -m tests.fuzz -n $(N)

chaos: $(READY) ## kills, hostile peers, evil services and spoilt files, for ten minutes
	@$(BIN)/python -m tests.chaos

bench: $(READY) ## how fast it is, as ratios within one run
	@$(BIN)/python -m tests.bench

mutants: $(READY) ## break API and worker in known ways: each must be caught at the right step
	@$(BIN)/python -m pytest tests/mutants -p no:randomly -q

explored: $(READY) ## find such breaks from cases that pass, with `peeklock explore`: a quarter of an hour
	@$(BIN)/python -m pytest tests/mutants/test_explored.py -p no:randomly -q

docs: $(READY) ## the pages of docs/ as a site in site/; a link that leads nowhere is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --site-dir site
	@$(BIN)/python docs/reading_ease.py
	@echo "site/index.html"

docker: ## a Docker engine on this machine: the one that answers, else one installed and started (Debian, as root)
	@PYTHON=$(PYTHON) compose/engine.sh

images: $(READY) ## the images of the containers backend, built from what is installed here, with no registry
	@$(BIN)/peeklock images build

up: $(READY) ## a stack that stays up between runs
	@$(BIN)/peeklock up

down: ## end it
	@test ! -x $(BIN)/peeklock || $(BIN)/peeklock down

dashboard: $(READY) ## the metrics of what is up, for Prometheus and Grafana, until Ctrl-C
	@$(BIN)/peeklock dashboard

lock: $(READY) ## pin requirements.lock anew from the ranges in pyproject.toml
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --quiet --upgrade --output-file requirements.lock

clean: down ## remove what was made here
	@rm -rf $(VENV) .peeklock .pytest_cache .ruff_cache .mypy_cache .hypothesis
