# Copyright 2026 The wm_ros authors
# SPDX-License-Identifier: Apache-2.0
#
# make help lists the targets. On a fresh machine `make demo` and `make test` do the set-up too.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The Python of the virtual environment; chosen by scripts/setup.sh when empty.
export PYTHON ?=
# An extra package index that has torch's CPU build, if pip's own configuration knows none.
export TORCH_INDEX ?=
DEMO_ARGS ?=
TEST_ARGS ?=
BENCH_ARGS ?=
# Names of single mutants, as mutmut prints them; all when empty.
MUTANTS ?=

VENV := .venv
DEMO_STAMP := $(VENV)/.stamp-demo
TEST_STAMP := $(VENV)/.stamp-test
BUILD_STAMP := install/.stamp
PINS := scripts/setup.sh scripts/fix_wheel_paths.py $(wildcard requirements/*.txt)
INTERFACES := package.xml CMakeLists.txt $(wildcard msg/*.msg srv/*.srv scripts/*)
# The list of files, not their content: symlinks keep the content live.
FILE_LIST := build/.files

.PHONY: help setup build demo test test-tensorrt lint benchmark mutation clean FORCE

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 22

setup: build  ## install everything the demo needs, and build the package

$(DEMO_STAMP): $(PINS)
	@scripts/setup.sh demo
	@touch $@

$(TEST_STAMP): $(PINS) $(DEMO_STAMP)
	@scripts/setup.sh test
	@touch $@

$(FILE_LIST): FORCE
	@mkdir -p $(@D)
	@find $(wildcard wm_ros launch config models) -type f -not -name '*.pyc' | LC_ALL=C sort > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(BUILD_STAMP): $(DEMO_STAMP) $(INTERFACES) $(FILE_LIST)
	@scripts/build.sh
	@touch $@

build: $(BUILD_STAMP)  ## build the messages and install the package into install/

demo: build  ## run the demo: ungated against gated, and the table (DEMO_ARGS='--headless ...')
	@source ./env.sh && exec wm-ros demo $(DEMO_ARGS)

test: build $(TEST_STAMP)  ## lint, then all tests (TEST_ARGS='test/unit -k gate')
	@status=0; $(MAKE) --no-print-directory lint || status=$$?; \
	source ./env.sh; python -m pytest $(TEST_ARGS) || status=$$?; \
	exit $$status

test-tensorrt: $(TEST_STAMP)  ## build all graphs with TensorRT, which needs no GPU for it
	@scripts/setup.sh tensorrt
	@$(VENV)/bin/python -m pytest test/unit/test_tensorrt_rtx.py $(TEST_ARGS)

lint: $(TEST_STAMP)  ## ruff and mypy
	@$(VENV)/bin/ruff check .
	@$(VENV)/bin/mypy

benchmark: build $(TEST_STAMP)  ## measure this machine (BENCH_ARGS='--peers --json out.json')
	@source ./env.sh && exec wm-ros benchmark $(BENCH_ARGS)

# mutmut writes beside what it mutates, so it works on a copy.
MUTATION := build/mutation
$(MUTATION)/venv/.stamp: requirements/mutation.txt requirements/constraints.txt
	@python3 -m venv $(MUTATION)/venv
	@$(MUTATION)/venv/bin/pip install -q -c requirements/constraints.txt -r requirements/mutation.txt
	@touch $@

mutation: $(MUTATION)/venv/.stamp  ## change the gate's code bit by bit, and see which tests notice
	@rm -rf $(MUTATION)/tree && mkdir -p $(MUTATION)/tree
	@cp -r wm_ros test config msg srv launch models pyproject.toml $(MUTATION)/tree
	@cd $(MUTATION)/tree && ../venv/bin/mutmut run $(MUTANTS) && ../venv/bin/mutmut results | sed '/not checked/d'

clean:  ## remove what was built, installed and cached here, .venv too
	rm -rf build install log demo_output benchmark_output .stamps $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
