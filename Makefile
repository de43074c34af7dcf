# `make` prints this help.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed-
# What an installation is made from: the probe is compiled.
MADE_FROM := pyproject.toml setup.py streams/optout_index/probe.py $(shell find streams/optout_index/compiled -name "*.pxd")

help:  ## Show this help
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "hegui needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(INSTALLED)demo: $(MADE_FROM) | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(INSTALLED)dev: $(MADE_FROM) | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,librdkafka,optouts,iscc,seal,demo]'
	@touch $@

demo: $(INSTALLED)demo  ## Run broker, daemon and simulator for a minute (KEEP=1: until Ctrl-C; BROKER=host:port: your Kafka)
	@$(BIN)/hegui demo $(if $(KEEP),--keep) $(if $(BROKER),--broker $(BROKER))

setup: $(INSTALLED)dev  ## Install everything for development into .venv

check: $(INSTALLED)dev  ## Format, lint, types, import directions
	$(BIN)/ruff format --check rules streams tests
	$(BIN)/ruff check rules streams tests
	$(BIN)/mypy
	PYTHONPATH=tests/typing $(BIN)/lint-imports

servers: $(INSTALLED)dev  ## Install what the tests start: Apache Kafka, Prometheus, Alertmanager
	bash tests/servers/install.sh $(BIN)/python

test: check servers  ## Check, then the whole test suite (needs Java 17 and Maven)
	$(BIN)/python -m pytest --cov=hegui.rules --cov=hegui.streams --cov-report=term:skip-covered
	$(BIN)/coverage report --include='*/rules/*' --fail-under=100 --skip-covered

pages: $(INSTALLED)dev  ## Write the pages of the rules and of the settings
	$(BIN)/hegui rules pages rules/pages
	$(BIN)/hegui config keys --format markdown > streams/settings.md

$(INSTALLED)bench: $(MADE_FROM) $(INSTALLED)dev
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev,librdkafka,iscc,seal,demo,bench]'
	test -x .venv-quix/bin/python || $(PYTHON) -m venv .venv-quix
	.venv-quix/bin/pip install --quiet --disable-pip-version-check -e '.[bench-quix]'
	@touch $@

bench: servers $(INSTALLED)bench  ## Measure against the peers on Apache Kafka; writes tests/bench/RESULTS.md and STATE.md
	$(BIN)/python -m tests.bench.run
	$(BIN)/python -m tests.bench.state_path

curves: servers $(INSTALLED)bench  ## Measure costs against what grows, and the delay under load; writes tests/bench/CURVES.md
	$(BIN)/python -m tests.bench.curves

clean:  ## Remove what was installed and built
	rm -rf $(VENV) .venv-quix build dist streams/optout_index/*.so *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage

.PHONY: help demo setup check servers test pages bench curves clean
