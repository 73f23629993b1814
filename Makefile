# make demo    from a clean machine to a pushed specialist
# make test    the fast tests      make test-all   with the slow ones
# make lint    the static checks   make setup      only the environment
# make coverage       the fast tests, and which lines and branches they run
# make test-beam      Beam's jobs on workers outside their process; make test-all runs it, too
# make test-report    the report in Chromium or Chrome (on Debian, apt-get install chromium; CHROME_BIN=... names another),
#                     with screenshots in build/; make test-all, too
# make test-lane      the fast tests with TFX 1.21, in a Debian 13 root; COMMAND="make demo" runs another command
# make test-addons    compares with tensorflow-addons, in an environment of its own
# make image          a container image; TAG, LANE, ACCELERATOR, TARGET=beam-worker, BUILDER=docker|podman|buildah
# make docs           docs/configuration.md and the JSON Schema of the configuration, from the code
# make constraints    renew the pinned versions
# make sbom           build/sbom.json: what is installed, with licences (CycloneDX)
#
# The stack lane follows from the machine: TFX 1.21 with Python 3.11 to 3.13 where glibc is 2.39 or newer, else TFX 1.16
# with Python 3.10. LANE=tfx-1.16|tfx-1.21 and PYTHON=... choose; OFFLINE=1 forbids to download a Python where none is
# there; ACCELERATOR=cuda installs TensorFlow's CUDA libraries.

VENV ?= .venv
BIN  := $(VENV)/bin

# How the environment is made: constraints/setup.sh and choose_lane.sh. Each may be given to any target.
export VENV LANE PYTHON OFFLINE ACCELERATOR COMMAND

# How an image is made: constraints/build_image.sh.
export TAG TARGET BUILDER BUILD_OPTIONS

export TF_CPP_MIN_LOG_LEVEL ?= 2

.PHONY: demo test test-all test-beam test-report test-lane test-addons coverage lint image docs setup sbom constraints clean

demo: setup
	$(BIN)/specialist run pipeline/configs/demo.yaml

test: setup
	$(BIN)/python -m pytest -m "not slow"

test-all: setup
	$(BIN)/python -m pytest

test-beam: setup
	$(BIN)/python -m pytest tests/beam

test-report: setup
	$(BIN)/python -m pytest tests/report_browser

test-lane:
	@sh constraints/test_lane.sh

test-addons: setup
	@sh constraints/test_addons.sh

coverage: setup
	$(BIN)/python -m pytest -m "not slow" --cov --cov-report=term

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/hadolint Dockerfile
	$(BIN)/mypy

image:
	@sh constraints/build_image.sh

docs: setup
	$(BIN)/python -m pipeline.config.reference

setup:
	@sh constraints/setup.sh

sbom: setup
	mkdir -p build
	$(BIN)/uv tool run --from cyclonedx-bom cyclonedx-py environment --gather-license-texts --output-file build/sbom.json $(BIN)/python

constraints: setup
	UV=$(BIN)/uv sh constraints/compile.sh

clean:
	rm -rf $(VENV) .venv-addons build *.egg-info
