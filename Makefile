# Everything a person or CI does with the template. It needs Python >= 3.11, git and make; the rest it installs into .venv.

PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help service adopt versions histories test test-slow test-all sabotage bench lint reserved-names requirements

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

service: .venv/ready ## Write a service: DEST=../my-service [ANSWERS=answers.yml] [SRC=another template's path or URL]
	@$(BIN)/python -m tools.service

adopt: .venv/ready ## Bring the template into a repository, on a branch: SERVICE=../theirs [ONLY=ci, docs or infra] [ANSWERS=…]
	@$(BIN)/python -m tools.adopt

versions: .venv/ready ## Who is on which version of the template: make versions IN=../checkouts
	@$(BIN)/python -m tools.versions

test: .venv/ready ## Run the tests, in a few minutes (some of them: .venv/bin/pytest tests/render)
	@$(BIN)/pytest -m "not slow and not release"

test-slow: .venv/ready ## Run the slow tests
	@$(BIN)/pytest -m "slow and not release" -n 0 # one at a time: each keeps every core busy

test-all: test test-slow ## Run all tests, those for a release too
	@$(BIN)/pytest -m release -n 0

histories: .venv/ready ## Update services with made-up pasts: make histories N=500 [SEED=0]
	@$(BIN)/python -W ignore -m tests.update.random_histories

sabotage: .venv/ready ## Break services in every way there is, and see each caught (one promise: make sabotage ARGS="--row data.locks")
	@$(BIN)/python -m tests.sabotage $(ARGS)

bench: .venv/ready ## Measure what hardening costs against the bare framework (and of each layer: make bench ARGS=--layers)
	@$(BIN)/python -m bench $(ARGS)

lint: .venv/ready ## Check the format, style and types of the template's own Python
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy

reserved-names: .venv/ready ## Compute again which names a service cannot have
	@$(BIN)/python -m tools.reserved_names

requirements: .venv/ready ## Lock the newest versions that pyproject.toml allows
	@$(BIN)/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-header --quiet --output-file requirements.txt pyproject.toml

.venv/ready: requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "Seaworthy needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) --version 2>&1). \
	Install one and say which: make PYTHON=python3.13 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --require-hashes --only-binary :all: --requirement requirements.txt
	@touch $@
