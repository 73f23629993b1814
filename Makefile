# make demo    from a clean machine to a pushed specialist
# make test    the fast tests      make test-all   with the slow ones
# make lint    the static checks   make setup      only the environment
# make coverage       the fast tests, and which lines and branches they run
# make docs           docs/configuration.md and the JSON Schema of the configuration, from the code
# make constraints    renew the pinned versions

LANE   := tfx-1.16
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed-$(LANE)
PYTHON ?=

export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test test-all coverage lint docs setup constraints clean

demo: setup
	$(BIN)/specialist run pipeline/configs/demo.yaml

test: setup
	$(BIN)/python -m pytest -m "not slow"

test-all: setup
	$(BIN)/python -m pytest

coverage: setup
	$(BIN)/python -m pytest -m "not slow" --cov --cov-report=term

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/mypy

docs: setup
	$(BIN)/python -m pipeline.config.reference

setup: $(STAMP)

$(STAMP): constraints/$(LANE).txt setup.py | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --requirement constraints/$(LANE).txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

$(BIN)/uv:
	@PYTHON="$(PYTHON)" sh constraints/make_venv.sh $(VENV)

constraints: | $(BIN)/uv
	$(BIN)/uv pip compile --quiet --upgrade --python-version 3.10 --no-emit-index-url --custom-compile-command "make constraints" \
	  --extra demo --extra emd --extra figures --extra test setup.py constraints/$(LANE).in --output-file constraints/$(LANE).txt

clean:
	rm -rf $(VENV) build *.egg-info
