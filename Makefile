# The commands of this project. `make help` lists them.
#
# Everything made at run time lies in RETENTION_HOME (usually var/), everything installed in .venvs/.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
.PHONY: help demo up stop status logs passwords clean test lint docs venvs venv-pipeline venv-bi venv-dev locks prerequisites

export RETENTION_HOME ?= $(CURDIR)/var
# Bytecode is kept: without it Airflow and Superset compile themselves anew at every start.
unexport PYTHONDONTWRITEBYTECODE PYTHONPATH PYTHONHOME VIRTUAL_ENV

VENVS := .venvs
PIPELINE := $(VENVS)/pipeline
BI := $(VENVS)/bi
PYTHON ?= $(shell for name in python3 python3.12 python3.11; do \
	"$$name" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null && { echo "$$name"; break; }; done)
# Size of the demo company; only counts the first time.
CLIENTS ?=

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## from nothing to a dashboard: installs, makes the demo company, runs the pipeline, leaves both web pages up
	@$(MAKE) -j2 venvs
	@$(PIPELINE)/bin/python -m local demo $(if $(CLIENTS),--clients $(CLIENTS))

up: ## start PostgreSQL, Airflow and Superset with your own settings (.env)
	@$(MAKE) -j2 venvs
	@$(PIPELINE)/bin/python -m local up

# These need nothing that is not there already: without a virtualenv nothing can be running.
stop status logs passwords clean:
	@if [ -x $(PIPELINE)/bin/python ]; then $(PIPELINE)/bin/python -m local $@; else echo "nothing is installed here yet: make demo"; fi
stop: ## stop what was started, and nothing else
status: ## what runs, and which build is published
logs: ## the end of every log
passwords: ## how to log in to Airflow and Superset
clean: ## stop, and delete the run-time folder (not the virtualenvs)

test: ## all checks and tests, as in CI
	@$(MAKE) -j2 venv-dev venv-bi
	@$(MAKE) lint
	$(PIPELINE)/bin/python -m pytest --durations=25

lint: venv-dev ## style of Python and SQL
	$(PIPELINE)/bin/ruff check .
	$(PIPELINE)/bin/ruff format --check .
	$(PIPELINE)/bin/sqlfluff lint --disable-progress-bar --processes 2 dbt_project

docs: venv-pipeline ## docs/metrics.md, and a page with every model, column and its lineage in the run-time folder
	@$(PIPELINE)/bin/python -m retention.docs page
	@$(PIPELINE)/bin/python -m retention.docs site

venvs: venv-pipeline venv-bi ## install both virtualenvs from the lock files
venv-pipeline: $(PIPELINE)/.installed
venv-bi: $(BI)/.installed
venv-dev: $(PIPELINE)/.installed-dev

# A stamp is as new as the lock files it was installed from; an interrupted installation leaves none and is begun again.
$(PIPELINE)/.installed: requirements/bootstrap.txt requirements/pipeline.txt pyproject.toml | prerequisites
	@$(call make-venv,$(PIPELINE),pipeline.txt)
	@$(PIPELINE)/bin/uv pip install --quiet --python $(PIPELINE)/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

$(PIPELINE)/.installed-dev: requirements/dev.txt $(PIPELINE)/.installed
	@echo "installing the tools for tests"
	@$(PIPELINE)/bin/uv pip install --quiet --python $(PIPELINE)/bin/python --require-hashes -r requirements/dev.txt
	@touch $@

$(BI)/.installed: requirements/bootstrap.txt requirements/bi.txt | prerequisites
	@$(call make-venv,$(BI),bi.txt)
	@touch $@

# $(call make-venv,folder,lock file): a folder whose Python is gone or of another version is made anew
define make-venv
	echo "installing $(1) (several minutes the first time)"; \
	begin=$$SECONDS; \
	"$(1)/bin/python" -c 'import sys, pip; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null \
		|| "$(PYTHON)" -m venv --clear "$(1)"; \
	"$(1)/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt; \
	"$(1)/bin/uv" pip install --quiet --python "$(1)/bin/python" --require-hashes -r requirements/$(2); \
	echo "installed $(1) in $$((SECONDS - begin)) s"
endef

prerequisites:
	@[ -n "$(PYTHON)" ] || { echo "error: Python 3.11 or 3.12 is needed and none was found. Install it (Debian, Ubuntu: apt install python3 python3-venv)," \
		"or name it: make PYTHON=/path/to/python3.12 demo" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info[:2] not in ((3, 11), (3, 12)))' 2>/dev/null \
		|| { echo "error: $(PYTHON) is not Python 3.11 or 3.12. Name one that is: make PYTHON=/path/to/python3.12 demo" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null \
		|| { echo "error: $(PYTHON) cannot make virtualenvs. Install its venv module (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }
	@mkdir -p $(VENVS)
	@[ -e $(PIPELINE)/.installed ] && [ -e $(BI)/.installed ] || [ "$$(df -Pk $(VENVS) | awk 'NR == 2 {print $$4}')" -gt 5000000 ] \
		|| { echo "error: less than 5 GB are free on the disk of $(CURDIR); the virtualenvs need them. Make room and try again" >&2; exit 1; }

locks: ## compile requirements/*.in into the hashed lock files
	cd requirements && for name in bootstrap pipeline dev celery bi; do \
		../$(PIPELINE)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header $$name.in -o $$name.txt; done
