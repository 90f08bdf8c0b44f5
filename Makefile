# `make verify` and `make test` do everything from a fresh clone: they need Python 3.11 or
# newer, make, and a package index the first time.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= 2
SEED ?= 0

.DEFAULT_GOAL := help
.PHONY: help verify test test-slow test-transformer notebooks lock clean

help:
	@echo "make verify      judge every claim (quick profile); make verify ARGS='--html report' adds a page"
	@echo "make test        everything: units, properties, doctests, notebooks, style, types, one fresh seed"
	@echo "make test-slow   evidence that takes minutes"
	@echo "make test-transformer  installs PyTorch, then runs the tests that need it"
	@echo "make notebooks   execute the notebooks at full size and store their outputs"
	@echo "make lock        refresh constraints.txt from the newest compatible releases"

verify: $(VENV)/.installed
	$(BIN)/python -m proofs_check --jobs $(JOBS) --seed $(SEED) $(ARGS)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(ARGS)
	@seed=$$($(BIN)/python -c "import secrets; print(secrets.randbelow(2**31))"); \
	  echo "quick profile at a fresh seed: python -m proofs_check --seed $$seed"; \
	  $(BIN)/python -m proofs_check --jobs $(JOBS) --seed $$seed

test-slow: $(VENV)/.installed-test
	$(BIN)/python -m pytest -m slow $(ARGS)
	$(BIN)/python -m proofs_check --profile full --power --jobs $(JOBS)

test-transformer: $(VENV)/.installed-transformer
	$(BIN)/python -m pytest -m transformer $(ARGS)

notebooks: $(VENV)/.installed-test
	$(BIN)/python notebooks/execute.py $(ARGS)

# A stamp is newer than what it was installed from, so the second run works offline.
$(VENV)/.installed: setup.cfg pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable .
	@touch $@

$(VENV)/.installed-test: setup.cfg pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-transformer: setup.cfg pyproject.toml constraints.txt constraints-transformer.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -c constraints-transformer.txt --editable '.[test,transformer]'
	@touch $@ $(VENV)/.installed-test $(VENV)/.installed

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { echo "cotbounds needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1 || echo missing). Try: make PYTHON=python3.11 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	  || { echo "this Python has no venv module; on Debian and Ubuntu install the package python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

lock:
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/python -m pip install --quiet --editable '.[test,notebooks]'
	build/lock/bin/python -m pip freeze --exclude-editable --exclude cotbounds > constraints.txt
	rm -rf build/lock

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
