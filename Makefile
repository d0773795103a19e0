# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: Contributors to the crossregion.s3_dr project
#
# Needs: make, git, Python 3.11 or newer. Everything else is installed below .cache.

PYTHON ?= python3
ARGS ?=

DEV := .cache/venv/dev/bin/python
CHECKS = $(DEV) tests/dev/checks.py
LOCK = UV_CACHE_DIR=.cache/uv $(DEV) -m uv pip compile --quiet --upgrade --universal --generate-hashes \
	--python-version 3.11 --no-emit-index-url --custom-compile-command 'make lock'

# A git hook sets these, and git would then look at the wrong repository.
unexport GIT_DIR GIT_INDEX_FILE GIT_WORK_TREE

.PHONY: help env demo test quick lint unit contract eda ruff mypy ansible-lint hygiene sanity docs build integration integration-recovery integration-moto molecule benchmark lock clean

help:
	@echo 'make demo         try the collection on a local AWS: needs no account and touches nothing outside .cache'
	@echo 'make test         all checks'
	@echo 'make quick        the checks that take seconds: unit, mypy, ruff, hygiene'
	@echo 'make unit         unit tests; ARGS="-k plan -x" goes to pytest'
	@echo 'make contract     tests of the local AWS itself'
	@echo 'make eda          the rulebook of Event-Driven Ansible, on a local AWS'
	@echo 'make lint         ruff, mypy, ansible-lint, hygiene'
	@echo 'make sanity       ansible-test sanity'
	@echo 'make docs         documentation and changelog'
	@echo 'make build        the collection archive, in .cache/dist'
	@echo 'make integration  one target per module, on a local AWS; ARGS="s3_dr_verify" runs that target'
	@echo 'make integration-recovery  the targets of backfill, drill, failover, failback and teardown'
	@echo 'make integration-moto  the targets that a second emulator, moto, can stand under'
	@echo 'make molecule     one scenario per journey, on a local AWS; ARGS="-s failover" runs that scenario'
	@echo 'make benchmark    memory and requests of a verify, and the deletion of 100,000 versions, of buckets that are computed; takes minutes'
	@echo 'make env          only install the tools; PYTHON=python3.12 chooses the Python'
	@echo 'make lock         fix the versions of the tools anew, from requirements/*.in'
	@echo 'make clean        remove .cache'

env:
	@command -v '$(PYTHON)' >/dev/null 2>&1 || { echo 'make: $(PYTHON) is missing: install Python 3.11 or newer, or name one with PYTHON=...' >&2; exit 1; }
	@'$(PYTHON)' tests/dev/preflight.py
	@'$(PYTHON)' tests/dev/environment.py

demo: env
	@$(DEV) tests/dev/demo.py

test: env
	@$(CHECKS)

quick: env
	@$(CHECKS) unit mypy ruff hygiene

lint: env
	@$(CHECKS) ruff mypy ansible-lint hygiene

unit contract eda ruff mypy ansible-lint hygiene sanity docs build integration integration-recovery integration-moto molecule: env
	@$(CHECKS) $@ -- $(ARGS)

benchmark: env
	@$(DEV) -m benchmarks.verify_memory $(ARGS)
	@$(DEV) -m benchmarks.delete_versions

lock: env
	@$(LOCK) requirements/dev.in --output-file requirements/dev.txt
	@$(LOCK) requirements/local-aws.in --output-file requirements/local-aws.txt
	@$(LOCK) requirements/moto.in --output-file requirements/moto.txt
	@$(LOCK) requirements/eda.in --output-file requirements/eda.txt
	@$(LOCK) --no-deps requirements/collections.in --output-file requirements/collections.txt

clean:
	rm -rf .cache
