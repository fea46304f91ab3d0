# Everything starts from here: `make help`. Paths are relative, so that a folder's name may have spaces.
.DEFAULT_GOAL := help
.PHONY: help demo workshop rehearse test soak lint docs bench lock clean
.PHONY: deploy-all deploy-standard deploy-flex deploy-run deploy-gke compare status destroy-all

# Not called PYTHON: `PYTHON=/path/to/python make demo` is bootstrap's, and make would hide it.
RUN := .venv/bin/python
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --custom-compile-command "make lock"

help:  ## Show this
	@echo "streamproof: does a streamed answer arrive as it is written?"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' Makefile
	@echo
	@echo "deploy-… and what follows it take PROJECT=… REGION=… PUBLIC=1 (and ARGS=\"…\")."
	@echo "PYTHON=/path/to/python make … makes .venv with that Python. Anything else: .venv/bin/kit --help"

demo:  ## Prove it on this machine: four platforms emulated side by side (no account; ARGS="…" adds options)
	@./bootstrap runtime
	@$(RUN) -m kit demo $(ARGS)

workshop:  ## Show it live on a page, side by side, for a room (no account; ARGS="--deployed" shows what you deployed)
	@./bootstrap runtime
	@$(RUN) -m kit workshop $(ARGS)

# The deployment's options travel in the environment: neither make nor a shell expands their values.
# Only `make TARGET NAME=…` counts; a variable that happens to be called PUBLIC opens nothing.
CLOUD := deploy-all deploy-standard deploy-flex deploy-run deploy-gke compare status destroy-all
unexport PROJECT REGION PUBLIC
ifeq ($(origin PROJECT),command line)
$(CLOUD): export KIT_PROJECT := $(value PROJECT)
endif
ifeq ($(origin REGION),command line)
$(CLOUD): export KIT_REGION := $(value REGION)
endif
ifeq ($(origin PUBLIC),command line)
$(CLOUD): export KIT_PUBLIC := $(value PUBLIC)
endif

rehearse:  ## Deploy with the real gcloud to a Google on this machine (no account; ARGS=shell tries it out)
	@./bootstrap dev
	@$(RUN) -m kit rehearse $(ARGS)

deploy-all:  ## Deploy to all (GKE if its cluster is named), measured before they serve (PROJECT=my-project REGION=europe-west1)
	@./bootstrap runtime
	@$(RUN) -m kit deploy --all $(ARGS)

deploy-standard:  ## The same, App Engine Standard only
deploy-flex:  ## The same, App Engine Flexible only: it costs money until it is destroyed
deploy-run:  ## The same, Cloud Run only (PUBLIC=1 makes it public)
deploy-gke:  ## The same, GKE only: it costs money until it is destroyed (ARGS="--gke CLUSTER")
deploy-standard deploy-flex deploy-run deploy-gke:
	@./bootstrap runtime
	@$(RUN) -m kit deploy $(@:deploy-%=%) $(ARGS)

compare:  ## Measure what is deployed, side by side
	@./bootstrap runtime
	@$(RUN) -m kit compare --deployed $(ARGS)

status:  ## Show what is deployed, and what it costs now
	@./bootstrap runtime
	@$(RUN) -m kit status $(ARGS)

destroy-all:  ## Remove all that was deployed, after a list and a question
	@./bootstrap runtime
	@$(RUN) -m kit destroy --all $(ARGS)

# The workers load the same modules: what one has compiled, the others need not.
ifneq ($(filter test,$(MAKECMDGOALS)),)
unexport PYTHONDONTWRITEBYTECODE
endif
test:  ## Run the whole test suite (ARGS="tests/kit -k name" narrows it)
	@./bootstrap dev
	@$(RUN) -m pytest --numprocesses auto --dist worksteal $(ARGS)

soak:  ## Measure again and again on a busy machine, and count what was right (ARGS="--minutes 60 --busy 4")
	@./bootstrap dev
	@$(RUN) -m bench.soak $(ARGS)

lint:  ## Check style, formatting, imports and types
	@./bootstrap dev
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@.venv/bin/lint-imports --no-logo --no-cache
	@$(RUN) -m mypy

docs:  ## Write what is generated: the tables of docs/configuration.md, kit/report/schema.json
	@./bootstrap dev
	@$(RUN) -m docs.generate
	@$(RUN) -m kit.report.wire

bench:  ## Measure against peers and print the ratios
	@./bootstrap dev
	@$(RUN) -m bench $(ARGS)

lock:  ## Refresh every pinned list of packages
	@./bootstrap dev
	@PATH=".venv/bin:$$PATH"; set -ex; \
	$(COMPILE) --upgrade --generate-hashes --no-header deploy/requirements.in --output-file deploy/requirements.txt; \
	$(COMPILE) --upgrade --generate-hashes --no-header --constraints deploy/requirements.txt \
		deploy/requirements-google.in --output-file deploy/requirements-google.txt; \
	$(COMPILE) --upgrade --constraints deploy/requirements.txt pyproject.toml --output-file locks/runtime.txt; \
	$(COMPILE) --upgrade --constraints locks/runtime.txt --constraints deploy/requirements-google.txt \
		pyproject.toml --group dev --output-file locks/dev.txt; \
	$(COMPILE) --upgrade --group tools --output-file locks/tools.txt; \
	$(COMPILE) --upgrade locks/appinfo.in --output-file locks/appinfo.txt

clean:  ## Remove the environment and all that was made
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
