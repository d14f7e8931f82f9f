# Every gate of CONTRIBUTING.md is a target here; .ci/run calls them in order.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help setup setup-test pins

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(BIN)/.run: requirements/run.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/run.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e ./protos -e ./sdk -e ./services
	@touch $@

$(BIN)/.test: $(BIN)/.run requirements/test.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/test.txt
	@touch $@

setup: $(BIN)/.run  ## make .venv with what the platform needs

setup-test: $(BIN)/.test  ## the same with the test tools

pins: setup  ## compile requirements/*.in to pins with hashes
	@for f in run test generate shim cluster; do $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/$$f.in -o requirements/$$f.txt; done
	@for f in imports-old imports-new; do $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements/$$f.in -o requirements/$$f.txt; done
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements/imports-kfp.in --override requirements/kfp-peer.override -o requirements/imports-kfp.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements/kfp-peer.in --override requirements/kfp-peer.override -o requirements/kfp-peer.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements/bench-prefect.in --override requirements/bench-prefect.override -o requirements/bench-prefect.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements/mlmd-peer.in -o requirements/mlmd-peer.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements/vertex-peer.in -o requirements/vertex-peer.txt
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements/bench-dbos.in -o requirements/bench-dbos.txt
	@for f in build apiserver scheduler persistence cache companion; do $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/image-$$f.in -o requirements/image-$$f.txt; done

.venv-generate/.done: requirements/generate.txt
	@test -x .venv-generate/bin/python || $(PYTHON) -m venv .venv-generate
	.venv-generate/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/generate.txt
	@touch $@

.PHONY: generate verify
generate: .venv-generate/.done $(BIN)/.run  ## generate what is committed: protobuf code, the state diagram, the page of differences, the IR's fields, the blocking client, the table of metrics
	PATH="$(CURDIR)/.venv-generate/bin:$$PATH" .venv-generate/bin/python tools/gen_protos.py
	$(BIN)/python tools/gen_state_diagram.py
	$(BIN)/python tools/gen_differences.py
	$(BIN)/python tools/gen_ir_fields.py
	$(BIN)/python tools/gen_blocking.py
	$(BIN)/python tools/gen_metrics.py

verify: .venv-generate/.done $(BIN)/.run  ## prove that what is generated is current
	PATH="$(CURDIR)/.venv-generate/bin:$$PATH" .venv-generate/bin/python tools/gen_protos.py --check
	$(BIN)/python tools/gen_state_diagram.py --check
	$(BIN)/python tools/gen_differences.py --check
	$(BIN)/python tools/gen_ir_fields.py --check
	$(BIN)/python tools/gen_blocking.py --check
	$(BIN)/python tools/gen_metrics.py --check

.PHONY: run lint types check test fuzz bench
run: $(BIN)/.run  ## the main job: train on iris on an embedded platform of this clone's own (.headrace/)
	@env -u HEADRACE_ENDPOINT -u HEADRACE_GRPC_ENDPOINT HEADRACE_HOME="$(CURDIR)/.headrace" $(BIN)/headrace run examples/iris/pipeline.py

lint: $(BIN)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(BIN)/.test
	$(BIN)/mypy protos sdk services tools bench

check: lint types verify  ## lint, types, import contracts, generated code current

# Slowest first: files are dealt out to lanes, each with platforms of its own. Tests wait for as long as they compute.
TIERS := tests/differential tests/robustness tests/peers tests/sdk_corpus tests/acceptance tests/gaps tests/integration tests/ports tests/corpus tests/typing tests/unit
LANES ?= 3
test: $(BIN)/.test .venv-kfp/.done .venv-mlmd/.done shim  ## unit, typing, ports, integration, acceptance, gaps, differential, the SDK corpus, peers, robustness (LANES=1: one file after the other)
	$(BIN)/python -m pytest -q -n $(LANES) --dist loadfile --no-loadscope-reorder $(TIERS)

# A real Kubernetes on this machine, as root; the first time its programs are built from Go modules (about 8 minutes).
CLUSTER := PYTHONPATH=tests $(BIN)/python -m cluster.bringup
.PHONY: cluster-up cluster-down cluster-prepared test-cluster
cluster-up: $(BIN)/.cluster  ## start a Kubernetes of two nodes with stand-in GPUs on this machine, as root (tests/cluster/README.md)
	$(CLUSTER) up

cluster-down: $(BIN)/.test  ## stop it, and remove what it left
	$(CLUSTER) down

cluster-prepared: $(BIN)/.cluster shim  ## make what the cluster and its tests take minutes for the first time, as root; starts nothing
	$(CLUSTER) prepare

test-cluster: $(BIN)/.cluster  ## the tests on that cluster, which is started where it is down, as root (ONLY=file or -k expression)
	CI=true $(CLUSTER) test $(ONLY)

$(BIN)/.cluster: $(BIN)/.test requirements/cluster.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/cluster.txt
	@touch $@

.PHONY: test-as-root test-python test-postgres
test-postgres: $(BIN)/.test  ## the stores on the Postgres that HEADRACE_TEST_DATABASE_URL names (.ci/with-postgres 15 make test-postgres)
	CI=true $(BIN)/python -m pytest -q tests/integration/persistence tests/integration/cache tests/integration/scheduler

OTHER = .venv-$(shell $(PYTHON) -c 'import platform; print(platform.python_version())')
test-python:  ## unit and port tests in an environment of another interpreter (PYTHON=python3.13)
	rm -rf $(OTHER) && $(PYTHON) -m venv $(OTHER)
	$(OTHER)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/test.txt
	$(OTHER)/bin/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e ./protos -e ./sdk -e ./services
	CI=true $(OTHER)/bin/python -m pytest -q tests/unit tests/ports tests/integration/scheduler

test-as-root: $(BIN)/.test shim  ## what only root can show: Postgres drops to another user, a disk is full, the shim is a container's first process
	CI=true $(BIN)/python -m pytest -q tests/integration/servicekit/test_bundled_postgres.py tests/robustness/test_full_disk.py tests/integration/shim

.PHONY: test-imports
test-imports: $(BIN)/.test  ## wheels of headrace beside kfp, numpy, pandas, protobuf 5 and 6, pydantic 1 and 2, on Python 3.11 to 3.13
	$(BIN)/python tools/import_matrix.py $(PYTHONS)

fuzz: $(BIN)/.test  ## property-based tests of the engine with 10,000 random pipelines, new ones each time (FUZZ=…)
	FUZZ=$(or $(FUZZ),10000) $(BIN)/python -m pytest -q --timeout=1800 tests/unit/engine -k 'property or fuzz'

bench: $(BIN)/.test .venv-kfp/.done .venv-prefect/.done .venv-dbos/.done  ## benchmarks beside their opponents, one table; raw figures in bench/results/
	$(BIN)/python -m bench $(ONLY)

# Opponents of the benchmarks, each in an environment of its own, whole in its pins (Prefect's certifi is overridden).
.venv-prefect/.done .venv-dbos/.done: .venv-%/.done: requirements/bench-%.txt
	@test -x .venv-$*/bin/python || $(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/bench-$*.txt
	@touch $@

# The official KFP SDK and client, which tests and `make examples` drive as a program of its own.
.venv-kfp/.done: requirements/kfp-peer.txt
	@test -x .venv-kfp/bin/python || $(PYTHON) -m venv .venv-kfp
	.venv-kfp/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/kfp-peer.txt
	@touch $@

# The official ML Metadata client and its in-process store, which tests drive as a program of its own.
.venv-mlmd/.done: requirements/mlmd-peer.txt
	@test -x .venv-mlmd/bin/python || $(PYTHON) -m venv .venv-mlmd
	.venv-mlmd/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/mlmd-peer.txt
	@touch $@

# The shim of task containers, a static program for both architectures; zig is the compiler that crosses.
.venv-shim/.done: requirements/shim.txt
	@test -x .venv-shim/bin/python || $(PYTHON) -m venv .venv-shim
	.venv-shim/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/shim.txt
	@touch $@

SHIM := services/companion/shim
build/shim/%/shim: $(wildcard $(SHIM)/*.c $(SHIM)/*.h) .venv-shim/.done
	@mkdir -p $(@D)
	.venv-shim/bin/python -m ziglang cc -target $(if $(filter amd64,$*),x86_64,aarch64)-linux-musl -D_GNU_SOURCE -std=c11 -Os -Wall -Wextra -Werror -static -s $(filter %.c,$^) -o $@.new
	@mv $@.new $@

.PHONY: shim
shim: build/shim/amd64/shim build/shim/arm64/shim  ## cross-compile the shim of task containers into build/shim/{amd64,arm64}

.PHONY: kfp-peer mlmd-peer examples gaps
kfp-peer: .venv-kfp/.done  ## make .venv-kfp: the official KFP SDK in an environment of its own

mlmd-peer: .venv-mlmd/.done  ## make .venv-mlmd: the official ML Metadata client in an environment of its own

# Google's client for Vertex AI Pipelines (164 MB), which takes what we compile; not part of `make test`.
.venv-vertex/.done: requirements/vertex-peer.txt
	@test -x .venv-vertex/bin/python || $(PYTHON) -m venv .venv-vertex
	.venv-vertex/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/vertex-peer.txt
	@touch $@

.PHONY: vertex-peer test-vertex
vertex-peer: .venv-vertex/.done  ## make .venv-vertex: Google's client for Vertex AI Pipelines in an environment of its own

test-vertex: $(BIN)/.test .venv-vertex/.done  ## that client takes every pipeline of the corpus, as far as it checks offline
	CI=true $(BIN)/python -m pytest -q tests/vertex

.PHONY: conformance
CORPUS ?= ../shared/kfp-ir
conformance: $(BIN)/.test .venv-kfp/.done  ## run a folder of compiled pipelines here and on kfp.local, and compare (CORPUS=folder)
	PYTHONPATH=tests $(BIN)/python -m corpus.conformance $(CORPUS) $(if $(ONLY),--only '$(ONLY)') $(if $(TABLE),--table $(TABLE))

examples: .venv-kfp/.done  ## compile the examples that are KFP's files with the official KFP SDK
	.venv-kfp/bin/python tools/compile_pipelines.py examples

gaps: .venv-kfp/.done  ## compile tests/*/pipelines/*.py with the official KFP SDK
	.venv-kfp/bin/python tools/compile_pipelines.py tested

.PHONY: images
images: shim  ## build the five images with docker, podman or buildah (SERVICE=, TAG=, PREFIX=, BASE=, PLATFORM=)
	$(PYTHON) tools/build_images.py $(if $(SERVICE),--service $(SERVICE)) $(if $(TAG),--tag $(TAG)) $(if $(PREFIX),--prefix $(PREFIX)) $(if $(BASE),--base $(BASE)) $(if $(PLATFORM),--platform $(PLATFORM))
