# `make demo` and `make test` each set up everything they need, from a fresh clone.
# What that is and how it gets there: tools/bootstrap.py.

# Any Python from 3.11 on that has its whole standard library; Debian's own first.
PYTHON = $(shell for candidate in /usr/bin/python3.11 python3.11 python3 python3.12 python3.13; do \
	"$$candidate" -c 'import sys, ctypes, venv; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && echo "$$candidate" && break; done)
NO_PYTHON = Python 3.11 or newer is needed, whole (Debian: apt-get install python3)
BOOTSTRAP = "$(or $(PYTHON),$(error $(NO_PYTHON)))" -B -m tools.bootstrap
# Where .venv really is: elsewhere, if this folder's path has a space.
BIN = "$$(readlink -f .venv)/bin"

COMPILE = $(BIN)/pip-compile --quiet --upgrade --generate-hashes --allow-unsafe --strip-extras \
	--no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links

# Kernel tests mostly wait for programs, so more of them than there are cores is faster.
# Those that take long begin first (tests/conftest.py); who is done takes from the others.
WORKERS ?= 5
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
# Tests start some thousand Pythons: what they import is compiled once, whatever is usual here.
export PYTHONDONTWRITEBYTECODE =

# Root's shell does not always look where ip, nft and iptables are.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin:/sbin

.DEFAULT_GOAL := help
.PHONY: help demo test check lint suite explore bench measure format lock messages pages clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(firstword $(MAKEFILE_LIST)) | sed 's/:.*## /\t/' | expand -t 10

demo: ## three nodes and six pods on this machine: IPv4, then both families
	@$(BOOTSTRAP) demo
	@$(BIN)/dari lab demo
	@$(BIN)/dari lab demo --ipv6

test: ## every check and every test (root)
	@$(BOOTSTRAP) test
	@$(MAKE) --no-print-directory -j 2 lint suite

check: ## what needs no root: lint, types, layers and the pure tests
	@$(BOOTSTRAP) check
	@$(MAKE) --no-print-directory lint
	$(PYTEST) tests/unit

explore: ## every test again, with random examples that nobody has tried yet (root)
	@$(BOOTSTRAP) test
	DARI_TEST_EXPLORE=1 $(PYTEST)

suite:
	$(PYTEST)

# Beside the tests, since mypy keeps one core busy for a while where it has no cache yet.
lint:
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy
	$(BIN)/lint-imports --no-cache

bench: ## measure against the reference plugins and put tables and plot into the README (root)
	@$(BOOTSTRAP) bench
	@$(BIN)/python -m bench

measure: ## break labs in every way, and see what the doctor and explain make of it (root; an hour)
	@$(BOOTSTRAP) bench
	@$(BIN)/python -m bench.faults

format: ## rewrite the code in the project's form
	@$(BOOTSTRAP) check
	$(BIN)/python -m ruff format .
	$(BIN)/python -m ruff check --fix .

lock: ## pin the newest versions of what pyproject.toml names
	@$(BOOTSTRAP) check
	$(COMPILE) --output-file requirements.lock pyproject.toml
	$(COMPILE) --extra dev --output-file requirements-dev.lock pyproject.toml

messages: ## gather what is said to people into src/dari/locale, and compile it
	@$(BOOTSTRAP) check
	$(BIN)/python -m tools.messages

pages: ## write docs/causes anew from the catalogue of causes
	@$(BOOTSTRAP) check
	$(BIN)/python -m tools.pages

clean: ## remove what the other targets made in this folder
	rm -rf "$$(readlink -f .venv)" .venv build dist src/*.egg-info .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
