# The two commands are `make demo` and `make test`; the rest are their parts. `make help` lists them.

VENV   := .venv
PYTHON := $(VENV)/bin/python
NAME     ?= demo
# An existing cluster instead, by its context in the kubeconfig, and the registry that it pulls from.
CONTEXT  ?=
REGISTRY ?=
PIN  := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --no-annotate --no-header
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help
help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 15

.PHONY: demo
demo: $(VENV) ## From nothing to a served model, then a new version under load
	$(PYTHON) -m samples.demo $(if $(CONTEXT),--context "$(CONTEXT)" --registry "$(REGISTRY)",--name $(NAME))

.PHONY: demo-regions
demo-regions: $(VENV) ## From nothing to three clusters, then a new version in waves, and one that ends in the first
	$(PYTHON) -m samples.demo_regions

.PHONY: demo-clean
demo-clean: $(if $(CONTEXT),$(VENV)) ## Remove the demos' clusters, or from CONTEXT what the demo made
	$(if $(CONTEXT),$(PYTHON) -m samples.demo --context "$(CONTEXT)" --clean,\
		for name in $(NAME) demo-hub demo-west demo-north; do python3 -m local down $$name || exit; done)

.PHONY: test
test: check ## Everything: checks, unit, golden, integration and end-to-end tests
	python3 -m local build
	python3 -m local images
	$(PYTHON) -m pytest --numprocesses=2 --durations=15

.PHONY: check
check: $(VENV) ## Layout, lint, types, layers
	ruff check
	ruff format --check
	mypy
	lint-imports --no-cache
	hadolint Dockerfile.operator Dockerfile.server

.PHONY: format
format: $(VENV) ## Format the sources and regenerate what is generated
	ruff check --fix --unsafe-fixes
	ruff format
	$(PYTHON) -m crds.generate

.PHONY: proto
proto: $(VENV) ## Generate the messages of gRPC from their definitions
	$(PYTHON) -m grpc_tools.protoc -I server --python_out server --pyi_out server server/modelserver/grpc/*.proto

.PHONY: unit
unit: $(VENV) ## The tests that need no cluster
	$(PYTHON) -m pytest --numprocesses=2 tests/layout tests/unit tests/golden

.PHONY: images
images: $(VENV) ## Build both images and say how large they are
	python3 -m local images

.PHONY: bench
bench: $(VENV) ## Measure the operator with 1,000 ModelDeployments
	$(PYTHON) -m bench.operator

.PHONY: bench-fetch
bench-fetch: $(VENV) ## Measure the fetcher with a model of 1 GB, beside a plain download
	$(PYTHON) -m bench.fetch

.PHONY: bench-shadow
bench-shadow: $(VENV) ## Measure what mirroring requests costs those whose requests they are
	$(PYTHON) -m bench.shadow

.PHONY: bench-members
bench-members: $(VENV) ## Measure what fifty member clusters cost a hub; takes 16 GiB of memory
	$(PYTHON) -m bench.members

.PHONY: bench-serving
bench-serving: $(VENV) ## Measure the scoring server beside its peers; takes wrk, a quiet machine, hours
	$(PYTHON) -m bench.serving

.PHONY: lock
lock: $(VENV) ## Pin the newest allowed dependencies, with hashes
	$(PIN) --extra server pyproject.toml -o requirements/server.txt
	$(PIN) --extra operator -c requirements/server.txt pyproject.toml -o requirements/operator.txt
	$(PIN) --all-extras --group dev -c requirements/operator.txt -c requirements/server.txt \
		pyproject.toml -o requirements/dev.txt

.PHONY: lock-peers
lock-peers: $(VENV) ## Pin the newest servers, clients and Gateway that ours are measured beside and tested with
	for peer in bench/serving/peers/*.in tests/clients/*.in local/gateway-api/*.in; do $(PIN) $$peer -o $${peer%.in}.txt || exit; done

$(VENV): requirements/dev.txt
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(VENV)
