# Everything starts from a bare machine: Python 3.11 or newer and a package registry.
# Variables: PYTHON (interpreter for new environments), WORKERS (test processes), OUT (results of quickstart).

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PEERS := .venv-peers
OUT ?= runs
WORKERS ?= auto
PIP := -m pip --disable-pip-version-check --no-input
# One thread per process: several busy processes of several threads each slow one another down many times over.
PYTEST := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest
PARALLEL := -n $(WORKERS) --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-slow test-gpu test-matrix lint format types peers clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F '|' '{printf "%-20s %s\n", $$1, $$2}'

install: $(INSTALLED) ## make .venv and install dareps with what its tests ran with

$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	@.ci/environment $(VENV) $(PYTHON)
	@echo "Installing dareps and the versions in constraints.txt (PyTorch is large: some minutes the first time) ..."
	@$(BIN)/python $(PIP) install -qq -c constraints.txt -e ".[test]"
	@touch $@

quickstart: $(INSTALLED) ## run the embedded benchmark, print a leaderboard, write a report
	@$(BIN)/dareps bench quick --out $(OUT)

test: $(INSTALLED) ## run the tests
	@status=0; \
	$(PYTEST) -m "serial and not slow and not gpu" || status=$$?; \
	$(PYTEST) $(PARALLEL) -m "not serial and not slow and not gpu" || status=$$?; \
	exit $$status

test-slow: $(INSTALLED) ## run the long tests: kill storms, a wheel in an empty environment, long law runs
	@$(PYTEST) $(PARALLEL) -m "slow and not gpu" --timeout 1500

test-gpu: $(INSTALLED) ## run the tests that need a CUDA device
	@$(PYTEST) -m gpu

test-matrix: ## run the tests on Python 3.11 and 3.12 with the oldest and the newest PyTorch (by hand)
	@.ci/matrix

lint: $(INSTALLED) ## check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

format: $(INSTALLED) ## mend style and formatting
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

types: $(INSTALLED) ## check types
	@$(BIN)/mypy dareps benchmarks

peers: $(PEERS)/.installed ## install the frameworks that benchmarks.loop, .losses, .peer_laws and .low_rank compare with

$(PEERS)/.installed: constraints-peers.txt
	@.ci/environment $(PEERS) $(PYTHON)
	@echo "Installing the versions in constraints-peers.txt ..."
	@$(PEERS)/bin/python $(PIP) install -qq -c constraints-peers.txt \
		torch torchvision skada scikit-learn skorch pytorch-adapt setuptools \
		POT geomloss peft hypothesis pydantic PyYAML
	@touch $@

clean: ## remove environments, builds and caches; results in runs/ stay
	@rm -rf .venv .venv-* build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find dareps benchmarks tests -name __pycache__ -type d -prune -exec rm -rf {} +
