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
	@for f in run test generate; do $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header requirements/$$f.in -o requirements/$$f.txt; done
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header requirements/kfp-peer.in --override requirements/kfp-peer.override -o requirements/kfp-peer.txt

.venv-generate/.done: requirements/generate.txt
	@test -x .venv-generate/bin/python || $(PYTHON) -m venv .venv-generate
	.venv-generate/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements/generate.txt
	@touch $@

.PHONY: generate verify
generate: .venv-generate/.done  ## generate the code that is committed (protos)
	PATH="$(CURDIR)/.venv-generate/bin:$$PATH" .venv-generate/bin/python tools/gen_protos.py

verify: .venv-generate/.done  ## prove that the generated code is current
	PATH="$(CURDIR)/.venv-generate/bin:$$PATH" .venv-generate/bin/python tools/gen_protos.py --check

# The official KFP SDK and client, which tests and `make examples` drive as a program of its own.
.venv-kfp/.done: requirements/kfp-peer.txt
	@test -x .venv-kfp/bin/python || $(PYTHON) -m venv .venv-kfp
	.venv-kfp/bin/python -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r requirements/kfp-peer.txt
	@touch $@

.PHONY: kfp-peer examples
kfp-peer: .venv-kfp/.done  ## make .venv-kfp: the official KFP SDK in an environment of its own

.PHONY: conformance
CORPUS ?= ../shared/kfp-ir
conformance: $(BIN)/.test .venv-kfp/.done  ## run a folder of compiled pipelines here and on kfp.local, and compare (CORPUS=folder)
	PYTHONPATH=tests $(BIN)/python -m corpus.conformance $(CORPUS) $(if $(ONLY),--only '$(ONLY)')

examples: .venv-kfp/.done  ## compile examples/*/pipeline.py with the official KFP SDK
	.venv-kfp/bin/python tools/compile_examples.py
