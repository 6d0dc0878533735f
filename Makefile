# Needs Python 3.10 or 3.11, make and a package index; everything else is brought into .uv/ and .venv/.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# The first interpreter that really runs (a pyenv shim may exist for a version that is not installed).
PYTHON ?= $(shell for name in python3.11 python3.10 python3; do \
    $$name -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 11)))' 2>/dev/null \
    && $$name -c 'import sys; print(sys.executable)' && break; done)
UV ?= $(shell command -v uv || echo .uv/bin/uv)
export UV_PYTHON_DOWNLOADS := never
export TF_CPP_MIN_LOG_LEVEL ?= 3
# Where it is set, every process compiles TensorFlow and TFX anew: 42 s of processor time to import TFX instead of 16
# (two cores of an AMD EPYC with other work to do).
unexport PYTHONDONTWRITEBYTECODE

# Test files run side by side, each in one process; every process takes about 3 GiB.
TEST_PROCESSES ?= 2
PYTEST := .venv/bin/python -m pytest tests -n $(TEST_PROCESSES) --dist loadfile

LCRON := .venv/bin/lcron
DEMO := runs/demo

.PHONY: help demo test test-fast lint format requirements clean

help: ## show this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/installed ## set up, then: simulated funnel logs -> TFX pipeline -> blessed release -> recommendations over gRPC
	$(LCRON) simulate --config demo --out $(DEMO)/data
	$(LCRON) run --config demo --data $(DEMO)/data --root $(DEMO)
	$(LCRON) recommend --config demo --data $(DEMO)/data --base $(DEMO)/serving -k 10

test: .venv/installed ## set up, then run all tests
	$(PYTEST)

test-fast: .venv/installed ## all tests but the full pipeline runs
	$(PYTEST) -m "not e2e"

lint: .venv/installed ## ruff check, ruff format --check and mypy
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

format: .venv/installed ## let ruff fix and format
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

requirements: $(UV) ## export requirements.txt from uv.lock
	@# pip honours tensorflow-data-validation's cap on pyfarmhash, which the lock overrides for the wheels.
	$(UV) export --frozen --no-hashes --no-emit-project --no-header --no-annotate 2>/dev/null \
	  | sed 's/^pyfarmhash==[^ ]*/pyfarmhash==0.3.2/' > requirements.txt

clean: ## remove the environment and every run
	rm -rf .venv .uv runs

.uv/bin/uv:
	@test -n "$(PYTHON)" || { echo "lcron needs Python 3.10 or 3.11 on PATH (python3.11, python3.10 or python3)." >&2; exit 2; }
	$(PYTHON) -m venv .uv
	.uv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9'

.venv/installed: uv.lock pyproject.toml | $(UV)
	@test -n "$(PYTHON)" || { echo "lcron needs Python 3.10 or 3.11 on PATH (python3.11, python3.10 or python3)." >&2; exit 2; }
	$(UV) sync --frozen --extra dev --python $(PYTHON)
	@touch $@
