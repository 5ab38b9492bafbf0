# Every target does its own set-up; the only needs are Python 3.11 or newer and a package index.
PYTHON ?= python3
BIN := .venv/bin
LOCK := requirements
UV_FLAGS := --quiet --universal --generate-hashes --no-header --python-version 3.11

.PHONY: demo test faults contract check audit serve studio evals benchmarks lock clean help

help:
	@echo "make demo    one campaign from brief to package, offline"
	@echo "make test    set up and run the tests"
	@echo "make faults  the long suite: servers killed under load, thousands of threads"
	@echo "make contract  the REST contract tried out by Schemathesis, from the service's own OpenAPI"
	@echo "make check   what CI checks besides the tests: types, lint, layers, docs"
	@echo "make audit   look the locked packages up among known vulnerabilities (needs the network)"
	@echo "make serve   the service and its review pages on http://127.0.0.1:8000"
	@echo "make studio  the graph in LangGraph Studio's development server"
	@echo "make evals   score the agents on the evaluation cases"
	@echo "make benchmarks  what a checkpoint costs, beside three other savers"
	@echo "make lock    resolve the dependencies again (needs uv)"

.venv/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Fanfare needs Python 3.11 or newer; try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv

.venv/runtime: .venv/pyvenv.cfg $(LOCK)/runtime.txt pyproject.toml
	@echo "Installing Fanfare into .venv; the first time takes a minute or two."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch .venv/runtime

.venv/dev: .venv/runtime $(LOCK)/dev.txt
	@echo "Installing the development tools into .venv."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)/dev.txt
	@touch .venv/dev

demo: .venv/runtime
	@$(BIN)/fanfare run examples/aurora.json --yes --output build/demo

# Most tests wait for servers of their own, so even two cores gain from running them side by side.
test: .venv/dev
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist worksteal

faults: .venv/dev
	$(BIN)/python -m pytest -m faults --timeout 900 tests/faults tests/stories

contract: .venv/dev build/contract/ready
	$(BIN)/python -m pytest -m contract --timeout 1200 tests/contracts/test_openapi.py

# In an environment of its own: Schemathesis and LangGraph's development server want different jsonschema-rs.
build/contract/ready: $(LOCK)/contract.txt
	$(PYTHON) -m venv build/contract
	build/contract/bin/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)/contract.txt
	@touch build/contract/ready

check: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/pyright
	$(BIN)/python -m graph.picture --check docs/architecture.md
	$(BIN)/python -m tools.reference --check docs

# In an environment of its own. Where the service that knows the vulnerabilities is not to be had, a line says so;
# a vulnerability fails.
audit: build/audit/ready
	@for name in runtime dev; do \
	  build/audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off --timeout 30 \
	    --requirement $(LOCK)/$$name.txt 2>build/audit/errors && continue; \
	  if grep -qiE 'connection|timed? ?out|resolve|not found on PyPI' build/audit/errors; \
	  then echo "$$name.txt was NOT audited: the vulnerability service cannot be reached."; \
	  else cat build/audit/errors; exit 1; fi; \
	done

build/audit/ready: $(LOCK)/audit.txt
	$(PYTHON) -m venv build/audit
	build/audit/bin/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)/audit.txt
	@touch build/audit/ready

serve: .venv/runtime
	@$(BIN)/fanfare serve

studio: .venv/dev
	@$(BIN)/langgraph dev --no-browser

# In an environment of its own: what it compares with needs other versions than the development tools do.
benchmarks: build/benchmarks/ready
	@build/benchmarks/bin/python -m evals.benchmarks.checkpoints

build/benchmarks/ready: $(LOCK)/benchmarks.txt
	$(PYTHON) -m venv build/benchmarks
	build/benchmarks/bin/python -m pip install --quiet --disable-pip-version-check -r $(LOCK)/benchmarks.txt
	@touch build/benchmarks/ready

evals: .venv/dev
	@$(BIN)/python -m evals

lock:
	uv pip compile $(UV_FLAGS) pyproject.toml $(LOCK)/build.in --extra dev -o $(LOCK)/dev.txt
	uv pip compile $(UV_FLAGS) pyproject.toml $(LOCK)/build.in -c $(LOCK)/dev.txt -o $(LOCK)/runtime.txt
	uv pip compile $(UV_FLAGS) pyproject.toml --extra benchmarks -o $(LOCK)/benchmarks.txt
	uv pip compile $(UV_FLAGS) $(LOCK)/audit.in -o $(LOCK)/audit.txt
	uv pip compile $(UV_FLAGS) $(LOCK)/contract.in -o $(LOCK)/contract.txt

clean:
	rm -rf .venv build
