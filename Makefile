# Two commands for a newcomer: `make demo` and `make test`. Both make the environment first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
endif
READY := $(VENV)/.ready
READY_DEMO := $(VENV)/.ready-demo
# Tests that need torch have an environment of their own: a CPU build, where pip finds one under this name.
TORCH ?= torch==2.13.0
TORCH_VENV ?= .venv-torch
TORCH_BIN := $(TORCH_VENV)/$(notdir $(BIN))
READY_TORCH := $(TORCH_VENV)/.ready

.PHONY: help demo test test-slow test-torch test-browser check format docs bench clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

$(VENV)/pyvenv.cfg:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "lookalike needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(READY_DEMO): $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]'
	@touch $@

$(READY): $(VENV)/pyvenv.cfg pyproject.toml constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(READY_DEMO)

demo: $(READY_DEMO) ## Index and search real images, draw the result: make demo [IMAGES=~/Pictures]
	$(BIN)/python demo/demo.py $(if $(IMAGES),--images "$(IMAGES)")

test: $(READY) ## Lint, types and the everyday tests (under 10 minutes)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell src tests benchmarks demo docs *.md
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n auto -m "not slow and not torch and not browser"

test-slow: $(READY) ## The long suites: the kill test, long fuzzing
	$(BIN)/python -m pytest -q -m "slow and not torch and not browser"

# torchvision, timm and open_clip are taken without their requirements, which may ask for another build of torch.
$(READY_TORCH): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(TORCH_VENV)
	$(TORCH_BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt '$(TORCH)' -e '.[dev,peers]'
	$(TORCH_BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps \
	  timm open_clip_torch torchvision open-metric-learning
	@touch $@

test-torch: $(READY_TORCH) ## Tests beside torch, transformers, timm, open_clip, PML and OML
	$(TORCH_BIN)/python -m pytest -q -m torch

test-browser: $(READY) ## The web page in real Chromium, which must be installed (Debian: apt-get install chromium)
	$(BIN)/python -m pytest -q -n auto -m browser

check: test test-slow test-torch test-browser ## Everything that CI runs

format: $(READY) ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) ## Write again what is generated: docs/cli.md and the figures of README
	$(BIN)/python docs/generate.py

bench: $(READY) ## Measure every claim of README; writes benchmarks/results/*.json (about an hour)
	$(BIN)/python benchmarks/run.py

clean: ## Remove the environment and what was made
	rm -rf $(VENV) demo-output build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
