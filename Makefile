# Everything a person or CI does here. `make` alone lists the targets.

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# The stages share .venv, node_modules and the built widget.
.NOTPARALLEL:

PYTHON ?= python3
EXTRAS ?= test,docs
NOTEBOOK ?= notebooks/01_first_frames.ipynb
CHECK ?=
ONLY ?=
PYTEST_ARGS ?=

VENV := .venv
PY := $(VENV)/bin/python
# -qq: pip's errors are shown, its warnings about a machine's own set-up are not.
PIP_INSTALL := $(PY) -m pip install --disable-pip-version-check -qq
STATIC := smithers_nb/notebook/static smithers_nb/player/static
PROTOCOL := widgets/src/model/protocol.gen.ts

comma := ,
VENV_MADE := $(VENV)/.made
RUNTIME := $(VENV)/.installed
DEVELOP := $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))
NODE_MODULES := widgets/node_modules/.installed

# The kernel of .venv, not one of the same name in the user's folder.
export JUPYTER_PREFER_ENV_PATH := 1

.PHONY: help demo test test-long bench lint widget docs clean
.PHONY: stage-docs stage-lint stage-widget stage-vitest system need-node

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- what people run

demo: $(RUNTIME) ## open the first notebook in JupyterLab (CHECK=1: run it here and print its frames)
ifeq ($(CHECK),)
	@# As the default URL, the notebook is in the address that is printed, too: where no browser opens by itself, people copy that.
	@flags=(); if [ "$$(id -u)" = 0 ]; then flags+=(--allow-root); fi; \
	exec $(PY) -m jupyterlab "$${flags[@]}" --LabApp.default_url=/lab/tree/$(NOTEBOOK)
else
	@$(PY) tests/run_notebook.py $(NOTEBOOK)
endif

test: ## the gate: lint, types, widget, notebooks, browser; everything but the long campaigns
	@# Each stage is a make of its own, so that it is timed and the first that fails ends the gate.
	@# pytest comes last, without a line of ours after it: CI reads its closing line.
	@for stage in system $(DEVELOP) stage-lint stage-widget stage-vitest stage-docs; do \
	  name=$${stage#stage-}; case $$name in system) name="system packages";; .venv/*) name="install [$(EXTRAS)]";; esac; \
	  printf '\n== %s\n' "$$name"; begin=$$SECONDS; \
	  $(MAKE) --no-print-directory $$stage || { printf '== %s FAILED (%d s)\n' "$$name" $$((SECONDS - begin)); exit 1; }; \
	  printf '== %s: ok (%d s)\n' "$$name" $$((SECONDS - begin)); \
	done; \
	printf '\n== pytest (%d s so far)\n' $$SECONDS; \
	$(PY) -m pytest -m "not long" --numprocesses 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-long: system $(DEVELOP) ## the campaigns of many minutes
	@$(PY) -m pytest -m long $(PYTEST_ARGS)

bench: $(DEVELOP) $(VENV)/.installed-peers ## measure against the budgets (ONLY=name: one of them)
	@$(PY) -m tests.bench $(if $(ONLY),--only $(ONLY))

lint: stage-lint ## ruff, mypy, and the widget's biome and tsc

widget: $(RUNTIME) $(NODE_MODULES) ## write the protocol's TypeScript and build the widget; commit what changes
	@$(PY) -m tests.golden.schema | npm run --silent --prefix widgets protocol
	@cd widgets && npm run build

docs: stage-docs ## build the documentation, offline: docs/_build/html

clean: ## remove what was installed and built; keeps the committed widget
	rm -rf $(VENV) widgets/node_modules test-output docs/_build .mypy_cache .ruff_cache .pytest_cache .hypothesis

# ---- the gate's stages

stage-lint: $(DEVELOP) $(NODE_MODULES)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@cd widgets && npm run check

stage-widget: widget
	@if ! git diff --stat --exit-code -- $(STATIC) $(PROTOCOL) || [ -n "$$(git ls-files --others --exclude-standard -- $(STATIC))" ]; then \
	  git ls-files --others --exclude-standard -- $(STATIC); \
	  echo "The committed widget is not what the sources build: run make widget and commit $(STATIC) and $(PROTOCOL)." >&2; exit 1; fi

stage-vitest: $(NODE_MODULES)
	@cd widgets && npm test

# It executes the notebooks that have changed; the tests take them from there. --fresh-env: the reference is made from docstrings.
stage-docs: $(DEVELOP)
	@$(PY) -m sphinx --quiet --fresh-env --fail-on-warning --keep-going -d docs/_build/doctrees docs docs/_build/html

# ---- what they need

$(VENV_MADE):
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) was not found. Python 3.11 or newer is needed: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON) is $$($(PYTHON) --version 2>&1); Python 3.11 or newer is needed: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(RUNTIME): pyproject.toml $(VENV_MADE)
	@echo "Installing smithers_nb into $(VENV): half a minute to four, by network"
	@$(PIP_INSTALL) -e .
	@touch $@

$(DEVELOP): pyproject.toml $(VENV_MADE)
	@echo "Installing smithers_nb[$(EXTRAS)] into $(VENV)"
	@$(PIP_INSTALL) -e '.[$(EXTRAS)]'
	@touch $@ $(RUNTIME)

# Without them the table still has our own rows, and says what is missing.
$(VENV)/.installed-peers: pyproject.toml | $(DEVELOP)
	@$(PIP_INSTALL) -e '.[$(EXTRAS),peers]' && touch $@ || echo "The peers could not be installed: their rows will say so." >&2

$(NODE_MODULES): widgets/package-lock.json | need-node
	@cd widgets && npm ci --no-audit --no-fund
	@touch $@

need-node:
	@command -v npm > /dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' || { \
	  echo "Node.js 20.19 or newer and npm are needed to check or build the widget (not to use smithers_nb)." >&2; exit 1; }

# CHROMIUM may name a Chromium elsewhere; tests/browser/lab.py reads it too.
system:
	@missing=(); \
	command -v "$${CHROMIUM:-chromium}" > /dev/null || missing+=(chromium); \
	command -v initdb > /dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null || missing+=(postgresql); \
	if command -v dpkg-query > /dev/null; then \
	  dpkg-query -W -f='$${Status}' fonts-dejavu-core 2> /dev/null | grep -q ' installed' || missing+=(fonts-dejavu-core); fi; \
	if [ "$${#missing[@]}" = 0 ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ] || ! command -v apt-get > /dev/null; then \
	  echo "The tests in a browser, and those of workers, need: $${missing[*]}. Run: sudo apt-get install $${missing[*]} (or set CHROMIUM to a Chromium's path)." >&2; exit 1; fi; \
	echo "Installing $${missing[*]}"; \
	export DEBIAN_FRONTEND=noninteractive; \
	apt-get update -qq; apt-get install -y -qq --no-install-recommends "$${missing[@]}" > /dev/null
