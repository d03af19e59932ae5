# What a fresh clone needs is installed into .venv by whichever target comes first.

# The first of these that is Python 3.11 to 3.13 makes .venv; say `make PYTHON=...` for another.
PYTHON ?= python3.11 python3
# Further arguments for pytest: make test ARGS="-k increment -x"
ARGS ?=
# Where `make dev` serves Dagster.
PORT ?= 3000
# How long `make soak` runs.
MINUTES ?= 10
# How many records are measured: make bench SIZES="10000 1000000"
SIZES ?= 10000
# What `make bench-peers` measures (make bench-peers SUITES=goals), and where the results go.
SUITES ?=
RESULTS ?= .benchmarks/results.json

BIN := .venv/bin
PEERS := reference datachain
INSTALLED := .venv/.installed
DAGSTER_HOME := $(CURDIR)/demo/dagster_home

export PIP_DISABLE_PIP_VERSION_CHECK := 1
# The constraints hold for the build backend too; which variable says so depends on pip's age.
export PIP_CONSTRAINT := constraints.txt
export PIP_BUILD_CONSTRAINT := constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-all bigquery-emulator soak lint bench bench-peers bench-report docs screenshots dev clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(INSTALLED) ## Run the example from end to end, on real media
	$(BIN)/python -m example_project.demo

screenshots: $(INSTALLED) ## Take the pictures of Dagster in docs/images anew
	$(BIN)/python -m example_project.screenshots

test: $(INSTALLED) ## Run the tests and the examples in docstrings and docs
	$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

test-all: $(INSTALLED) ## The same with the slow tests
	$(BIN)/pytest -n 2 --dist worksteal -m "slow or not slow" $(ARGS)

bigquery-emulator: .venv-bigquery/.installed ## Install the emulator for which test-all has tests

soak: $(INSTALLED) ## Try random graphs and histories for MINUTES
	$(BIN)/python -m tests.backends.increments.soak $(MINUTES)

lint: $(INSTALLED) ## Check style, types and layering
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(INSTALLED) ## Measure the engine at SIZES
	@mkdir -p .benchmarks
	BENCH_SIZES="$(SIZES)" $(BIN)/python -m pytest benchmarks/bench_*.py --benchmark-only \
		--benchmark-columns=median,iqr,min,rounds --benchmark-json=.benchmarks/bench.json $(ARGS)

bench-peers: $(INSTALLED) $(PEERS:%=.venv-peers/%/.installed) ## Measure it beside its peers
	$(BIN)/python -m benchmarks run $(SUITES) --sizes $(SIZES) --json "$(RESULTS)" $(ARGS)

bench-report: $(INSTALLED) ## Draw RESULTS into docs/benchmarks.md
	$(BIN)/python -m pip install -qq --editable '.[bench]'
	$(BIN)/python -m benchmarks report --json "$(RESULTS)"

docs: $(INSTALLED) ## Build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dev: $(INSTALLED) ## Serve the example in Dagster's UI, with its sensors on
	@mkdir -p "$(DAGSTER_HOME)"
	@test -f "$(DAGSTER_HOME)/dagster.yaml" || cp example_project/dagster.yaml "$(DAGSTER_HOME)"
	@$(BIN)/python -m example_project.library make
	DAGSTER_HOME="$(DAGSTER_HOME)" $(BIN)/dagster dev -w workspace.yaml --port $(PORT)

clean: ## Remove what the targets made, but for .venv, .venv-bigquery and .venv-peers
	rm -rf site dist demo demo-report.json .benchmarks .hypothesis
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find . -path './.venv*' -prune -o -type d -name __pycache__ -exec rm -rf {} +

# The stamp holds a checksum of its sources, so that a mere change of date installs nothing.
$(INSTALLED): pyproject.toml constraints.txt
	@set -e; \
	sources=$$(cksum pyproject.toml constraints.txt); \
	if [ "$$(cat $@ 2>/dev/null)" = "$$sources" ]; then touch $@; exit 0; fi; \
	if ! $(BIN)/python -m pip --version >/dev/null 2>&1; then \
		for python in $(PYTHON) none; do \
			if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
				2>/dev/null; then break; fi; \
		done; \
		if [ "$$python" = none ]; then \
			echo "None of '$(PYTHON)' is Python 3.11, 3.12 or 3.13. Install one of them," \
				"or say where it is: make PYTHON=/path/to/python3.11" >&2; \
			exit 1; \
		fi; \
		echo "Making .venv with $$("$$python" --version)"; \
		"$$python" -m venv --clear .venv; \
	fi; \
	echo "Installing into .venv (about two minutes on a new machine)"; \
	$(BIN)/python -m pip install -qq --editable '.[example,dev]'; \
	printf '%s\n' "$$sources" > $@

# Each peer has the versions that it runs with, so that our constraints do not hold there.
.venv-bigquery/.installed: tests/bigquery_emulator.txt | $(INSTALLED)
	$(BIN)/python -m venv --clear .venv-bigquery
	env -u PIP_CONSTRAINT -u PIP_BUILD_CONSTRAINT \
		.venv-bigquery/bin/python -m pip install -qq --requirement $<
	@touch $@

.venv-peers/%/.installed: benchmarks/peers/%.txt | $(INSTALLED)
	$(BIN)/python -m venv --clear .venv-peers/$*
	env -u PIP_CONSTRAINT -u PIP_BUILD_CONSTRAINT \
		.venv-peers/$*/bin/python -m pip install -qq --requirement $<
	@touch $@
