# Everything starts from here: `make help`. Paths are relative, so that a folder's name may have spaces.
.DEFAULT_GOAL := help
.PHONY: help demo rehearse test lint bench lock clean

PYTHON := .venv/bin/python
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock"

help:  ## Show this
	@echo "streamproof: does a streamed answer arrive as it is written?"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "Anything else: .venv/bin/kit --help"

demo:  ## Prove it on this machine: three platforms emulated side by side (no account; ARGS="…" adds options)
	@./bootstrap runtime
	@$(PYTHON) -m kit demo $(ARGS)

rehearse:  ## Deploy with the real gcloud to a Google on this machine (no account; ARGS=shell tries it out)
	@./bootstrap dev
	@$(PYTHON) -m tests.controlplane.rehearse $(ARGS)

test:  ## Run the whole test suite (ARGS="tests/kit -k name" narrows it)
	@./bootstrap dev
	@$(PYTHON) -m pytest --numprocesses auto --dist worksteal $(ARGS)

lint:  ## Check style, formatting and types
	@./bootstrap dev
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy

bench:  ## Measure against peers and print the ratios
	@./bootstrap dev
	@$(PYTHON) -m bench $(ARGS)

lock:  ## Refresh every pinned list of packages
	@./bootstrap dev
	@PATH=".venv/bin:$$PATH"; set -ex; \
	$(COMPILE) --upgrade --generate-hashes --no-header deploy/requirements.in --output-file deploy/requirements.txt; \
	$(COMPILE) --upgrade --constraints deploy/requirements.txt pyproject.toml --output-file locks/runtime.txt; \
	$(COMPILE) --upgrade --constraints locks/runtime.txt pyproject.toml --group dev --output-file locks/dev.txt; \
	$(COMPILE) --upgrade --group tools --output-file locks/tools.txt; \
	$(COMPILE) --upgrade locks/appinfo.in --output-file locks/appinfo.txt

clean:  ## Remove the environment and all that was made
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
