# Every target does all of its own set-up; a bare `make` lists them.
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# FOLLOW_UP=file builds the book with a user's follow-up, beside the committed one and apart from it.
ifeq ($(FOLLOW_UP),)
BUILD := _build
unexport SURVAUDIT_FOLLOW_UP
else
BUILD := _build/supplied/_build
OUTPUT := --path-output _build/supplied
export SURVAUDIT_FOLLOW_UP := $(if $(filter /%,$(firstword $(FOLLOW_UP))),,$(CURDIR)/)$(FOLLOW_UP)
CHECK := @$(BIN)/python -m survaudit check-follow-up "$(FOLLOW_UP)"
endif
SITE := $(BUILD)/html

# The kernel and the settings of the project's own environment, whatever the user's home holds.
export JUPYTER_PREFER_ENV_PATH := 1
export IPYTHONDIR := $(CURDIR)/_build/.ipython
export JUPYTER_CONFIG_DIR := $(CURDIR)/_build/.jupyter
export PYDEVD_DISABLE_FILE_VALIDATION := 1
# Set, it would put another year into the copyright line.
unexport SOURCE_DATE_EPOCH

.DEFAULT_GOAL := help
.PHONY: help book test audit versions pdf zip serve follow-up-template data montecarlo synthetic sync lock format lint clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 26

# PYTHON=... chooses another interpreter; otherwise the newest supported one on the path.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
$(READY): requirements.lock
	@found=""; for python in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  if "$$python" -c '$(SUPPORTED)' >/dev/null 2>&1; then found="$$python"; break; fi; done; \
	if [ -z "$$found" ]; then \
	  echo "make: no Python from 3.11 to 3.13 found; install one, or name it: make PYTHON=/path/to/python book" >&2; exit 1; fi; \
	echo "==> 1 of 4: a virtual environment in $(VENV), with $$("$$found" --version)"; \
	rm -rf $(VENV); "$$found" -m venv $(VENV) || { \
	  echo "make: $$found cannot make virtual environments; on Debian or Ubuntu install python3-venv" >&2; exit 1; }
	@echo "==> 2 of 4: the locked packages, each checked against its hash (about a minute)"
	@$(BIN)/python -m pip install --disable-pip-version-check -qq --require-hashes -r requirements.lock
	@echo "==> 3 of 4: survaudit itself"
	@$(BIN)/python -m pip install --disable-pip-version-check -qq --no-deps --no-build-isolation --no-index -e .
	@echo "==> 4 of 4: compiling, so that the first build is quick"
	@$(BIN)/python -m compileall -q -j 0 $(VENV)/lib || true
	@touch $@

book: $(READY)  ## build the book and say where it is; FOLLOW_UP=file builds it with your follow-up
	$(CHECK)
	@rm -rf $(SITE) $(BUILD)/.doctrees $(BUILD)/jupyter_execute
	@$(BIN)/jupyter-book build . -W --keep-going -n $(OUTPUT)
	@echo "The book is built: $(CURDIR)/$(SITE)/index.html"

# Side by side, since most of a test's time is waiting for a browser or a build; a plain `pytest` runs one by one.
SIDE_BY_SIDE := --numprocesses logical --maxprocesses 8 --dist loadscope

test: book  ## build the book and run all tests
	@$(BIN)/python -m pytest $(SIDE_BY_SIDE)

# Everything anew, and every step even after one that failed: the last one tells what went wrong and fails.
audit: $(READY)  ## rebuild from the raw bytes, twice, run all tests, and certify: _build/audit/certificate.html
	@if [ -n "$(FOLLOW_UP)" ]; then echo "make: an audit is of the published edition; leave FOLLOW_UP out" >&2; exit 2; fi
	@rm -rf _build/audit _build/.jupyter_cache $(SITE)
	@mkdir -p _build/audit
	-@$(MAKE) --no-print-directory book
	-@$(BIN)/python book/_tools/rebuild.py
	-@$(BIN)/python book/_tools/run_tests.py $(SIDE_BY_SIDE)
	@$(BIN)/python -m survaudit audit

versions: book  ## build it under every other supported Python that is installed, and compare the sites
	@$(BIN)/python book/_tools/versions.py

pdf: book  ## print the whole book as one PDF (needs Chromium)
	@$(BIN)/python book/_tools/print_book.py $(SITE) $(BUILD)/survaudit.pdf

zip: book  ## pack the site to read offline
	@$(BIN)/python book/_tools/pack.py $(SITE) $(BUILD)/survaudit-offline.zip

serve: book  ## build the book and serve it on this machine at http://localhost:8000
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(SITE) 8000

follow-up-template: $(READY)  ## write the table of follow-up to fill in: follow-up-template.csv, or OUT=file
	@$(BIN)/python -m survaudit follow-up-template "$(or $(OUT),follow-up-template.csv)"

data: $(READY)  ## write data/tidy from data/raw
	@$(BIN)/python -m survaudit data

montecarlo: $(READY)  ## compute data/montecarlo and data/no_effect anew (some minutes)
	@$(BIN)/python -m studies.cutpoint
	@$(BIN)/python -m studies.no_effect

synthetic: $(READY)  ## write the follow-ups in data/synthetic anew
	@$(BIN)/python -m studies.worked_examples

sync: $(READY)  ## write each notebook's .ipynb from its .md
	@$(BIN)/jupytext --quiet --to ipynb --update notebooks/*.md

lock: $(READY)  ## resolve requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile pyproject.toml --all-extras --universal --fork-strategy fewest --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --upgrade --quiet -o requirements.lock

format: $(READY)  ## format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

lint: $(READY)  ## check style and types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

clean:  ## remove the built book and every cache; the environment stays
	@rm -rf _build .pytest_cache .mypy_cache .ruff_cache .hypothesis
