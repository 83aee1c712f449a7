# make train   builds .venv, trains on real digits, leaves figures and pictures
# make test    builds .venv, runs the whole test suite
#
# Any of Python 3.11, 3.12 and 3.13 will do: make train PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python

.PHONY: train test test-fast lint bench-quickstart lock clean

train: $(VENV)/.installed
	@echo "== Training a learned prior on real handwritten digits (about 3 minutes on 2 cores)"
	$(RUN) -m lebm_tf.train --flagfile=configs/quickstart.cfg

test: $(VENV)/.installed
	@echo "== Running the whole test suite (LEBM_DATA_DIR=$(LEBM_DATA_DIR))"
	$(RUN) -m pytest -q -n 2 --dist=loadfile

test-fast: $(VENV)/.installed
	$(RUN) -m pytest -q -m "not slow"

lint: $(VENV)/.installed
	$(RUN) -m flake8 lebm_tf tests benchmarks export
	$(RUN) -m isort --check-only lebm_tf tests benchmarks export

# The table of README: several seeds, with the baseline beside.
bench-quickstart: $(VENV)/.installed
	$(RUN) -m benchmarks.quickstart

# Rebuilt when a dependency changes; otherwise a run starts at once.
$(VENV)/.installed: requirements.lock setup.cfg pyproject.toml
	@echo "== Building $(VENV) from requirements.lock (about 2 GB, once)"
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v <= (3, 13) else "Python 3.11, 3.12 or 3.13 is needed, got %d.%d; try: make PYTHON=python3.12" % v)'
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(RUN) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Pins all that setup.cfg asks for, for every supported Python at once.
lock: $(VENV)/.installed
	$(RUN) -m pip install --quiet uv
	$(RUN) -m uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header --extra dev --extra serving --extra text setup.cfg -o requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info
