# Everything on a fresh machine with Python 3.11 and make. `make demo` and `make test` are the contract.
PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
DEMO   ?= demo
# An index of CPU wheels for torch, e.g. the PyTorch project's own; without it pip takes what its own index offers.
TORCH_INDEX_URL ?=

.PHONY: help setup demo test servers lint docs clean
help:            ## what can be made
	@grep -E '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX_URL),--index-url $(TORCH_INDEX_URL)) -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --progress-bar off -c constraints.txt -e '.[dev]'
	@touch $@

setup: $(VENV)/.ready  ## the virtual environment in .venv/

demo: $(VENV)/.ready   ## the whole road on a simulated ward
	$(BIN)/clinical-jepa demo --dir $(DEMO)

test: $(VENV)/.ready   ## lint, types, layers and every test
	$(MAKE) --no-print-directory lint
	$(BIN)/python -m pytest -n 2 --dist loadgroup -q --junitxml=build/junit.xml
	$(BIN)/python compliance/generate.py build/junit.xml build/compliance
	$(BIN)/python compliance/fault_matrix.py build/junit.xml build/compliance/fault-matrix.md

lint: $(VENV)/.ready   ## ruff, mypy, import-linter
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --quiet --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

servers:         ## Debian packages that some tests need (root)
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium libgomp1 fonts-dejavu-core orthanc orthanc-dicomweb

clean:           ## forget everything that make made
	rm -rf $(VENV) $(DEMO) build *.egg-info
