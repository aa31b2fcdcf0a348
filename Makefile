# Every target works as the first command on a fresh clone with Python 3.11 or later; repeated calls are quick.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.ready
PEERS := .venv-peers/.ready
SEEDS ?= 1
# What was read anew for its asserts is kept for the next run, also where the environment says that Python keeps nothing.
TESTS := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup run test check contract bench chaos chaos-test lock clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make the environment in .venv from the locked requirements

$(STAMP): requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Sluice needs Python 3.11 or later; $(PYTHON) is $$($(PYTHON) --version 2>&1). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 2; }
	@echo "Setting up .venv (once, one to three minutes) ..."
	@$(PYTHON) -m venv --clear .venv || { echo "Python's venv module did not work; on Debian or Ubuntu: apt-get install python3-venv"; exit 2; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

run: $(STAMP) ## start everything here, send the sample deliveries, show what happens (ONCE=1: exit after the samples)
	@$(BIN)/sluice dev $(if $(ONCE),--once)

# Three at a time for two cores: a test that waits for the processes that it started leaves its core to another one.
test: $(STAMP) ## run the tests, with coverage (all but those of chaos-test)
	@$(TESTS) -n 3 -m "not chaos" --cov --cov-report=term $(ARGS)

check: $(STAMP) ## format, lint, types, rules and their tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/sluice rules lint rules
	@$(BIN)/sluice rules test rules --strict

contract: $(STAMP) ## hold Sakari to what Sluice assumes (SAKARI_URL=… CAMPAIGN=… WRITE=1 CONTACT=+…; see docs/sakari.md)
	@$(BIN)/python -m pytest tests/contract -q -rs $(ARGS)

bench: $(STAMP) $(PEERS) ## measure the hot paths beside their yardsticks, for a quarter of an hour (ARGS=--quick: see that it works)
	@$(BIN)/python -m tests.bench $(ARGS)

# What Sluice is measured beside has an environment of its own. Without it, the bench measures the rest and says so.
$(PEERS): tests/bench/peers/requirements.txt
	@echo "Setting up .venv-peers (once, half a minute) ..."
	@$(PYTHON) -m venv --clear .venv-peers && .venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $< && touch $@ || rm -rf .venv-peers

chaos: $(STAMP) ## kill every process again and again under load, check every promise (SEEDS="1 2 3", ARGS=--short)
	@for seed in $(SEEDS); do $(BIN)/python -m tests.chaos --seed $$seed $(ARGS) || exit 1; done

chaos-test: $(STAMP) ## short chaos runs, and the faults that they must find (three minutes)
	@$(TESTS) -n 2 -m chaos $(ARGS)

lock: ## renew the locked requirements (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" --extra traces -o requirements.txt pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" --extra dev --extra traces -c requirements.txt -o requirements-dev.txt pyproject.toml
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" -o tests/bench/peers/requirements.txt tests/bench/peers/requirements.in
	echo hatchling | uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" -c requirements-dev.txt -o requirements-build.txt -

clean: ## remove the environment and every cache
	rm -rf .venv .venv-peers .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.* htmlcov var
	find service tests -name __pycache__ -prune -exec rm -rf {} +
