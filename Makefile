# Everything happens in .venv, made by python3's own venv and pip; nothing else has to be installed by hand.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test slow fuzz check format bench clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*##/\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 10

demo: $(VENV)/installed  ## price the MNIST ensemble of Sen et al. (2020) on an RTX 2080 Ti
	$(BIN)/hwsim map --ensemble studies/sen_iclr2020/mnistconv.yaml --hw turing || [ $$? -eq 1 ]  # 1: over the budget

# Side by side: benchmarks are not among them.
PYTEST := $(BIN)/python -m pytest -q -p no:benchmark --numprocesses auto --maxprocesses 8

test: $(VENV)/installed-test  ## every test but the slow ones
	$(PYTEST)

slow: $(VENV)/installed-test  ## the slow tests alone
	$(PYTEST) -m slow

fuzz: $(VENV)/installed-test  ## the oracles on examples drawn anew
	$(PYTEST) --hypothesis-profile fresh tests/oracle

check: $(VENV)/installed-test  ## lint, formatting, types, direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-test  ## what `make check` asks of the layout of the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(VENV)/installed-test  ## speed and memory
	$(PIP) --no-deps torchattacks  # what it depends on, torchvision, is never used here
	$(BIN)/python -m pytest -q benchmarks --benchmark-only --benchmark-columns=min,median,rounds

clean:  ## remove .venv and what the tools left behind
	rm -rf $(VENV) .benchmarks .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("hwsim needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

# The install is editable: these stamps depend on what is installed, not on hwsim's own code.
$(VENV)/installed: pyproject.toml | $(BIN)/python
	$(PIP) --editable .
	touch $@

$(VENV)/installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test]' --constraint constraints.txt
	touch $@ $(VENV)/installed
