# make train   builds .venv, trains on real digits, leaves figures and pictures
# make test    builds .venv, runs the whole test suite, but what repeats another
#              test: make test-long
# make bench   measures speed beside PyTorch, see docs/speed.md
#
# Any of Python 3.11, 3.12 and 3.13 will do: make train PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
BENCH_VENV := .venv-bench
# A Python with torch; none leaves PyTorch out.
PEER_PYTHON ?= $(BENCH_VENV)/bin/python
# Further flags, as BENCH="--cases=train/mnist --rounds=3".
BENCH ?=
# Files in the order of tests/conftest.py: the longest first.
TWO_PROCESSES := -n 2 --dist=loadfile --no-loadscope-reorder
AVX2_TESTS := tests/networks/test_deconvolution.py \
	tests/models/test_replication.py tests/models/test_precision.py

.PHONY: train test test-avx2 test-fast test-long lint types flags bench bench-quickstart zoo docs dist lock clean

train: $(VENV)/.installed
	@echo "== Training a learned prior on real handwritten digits (a few minutes on 2 cores)"
	$(RUN) -m lebm_tf.train --flagfile=configs/quickstart.cfg

# In two parts, each with processes of its own: TensorFlow keeps what it has
# compiled until its process ends.
test: $(VENV)/.installed
	@echo "== Running the whole test suite (LEBM_DATA_DIR=$(LEBM_DATA_DIR))"
	@status=0; \
	for part in "tests/commands" "tests --ignore=tests/commands"; do \
		echo "== $$part"; \
		$(RUN) -m pytest -q $(TWO_PROCESSES) --durations=12 --durations-min=15 -m "not long" $$part || status=1; \
	done; \
	$(MAKE) --no-print-directory test-avx2 || status=1; \
	exit $$status

# What is computed in float32 or less once more, as TensorFlow does by itself on
# a CPU with AVX2 and nothing newer, so that no machine hides what others do. (In
# float64, as in tests/golden, both give the same bits.)
test-avx2: $(VENV)/.installed
	@if grep -q avx512f /proc/cpuinfo 2>/dev/null; then \
		echo "== As on a CPU with AVX2 alone: $(AVX2_TESTS)"; \
		ONEDNN_MAX_CPU_ISA=AVX2 TF_ENABLE_ONEDNN_OPTS=0 \
			$(RUN) -m pytest -q $(TWO_PROCESSES) -m "not long" \
			-k "not test_replication or two_replicas and (compiled or persistent)" \
			$(AVX2_TESTS); \
	else \
		echo "== No AVX-512 here: the other tests computed as on AVX2 alone"; \
	fi

test-fast: $(VENV)/.installed
	$(RUN) -m pytest -q -m "not slow and not long"

# What repeats much of another test.
test-long: $(VENV)/.installed
	$(RUN) -m pytest -q -m long

lint: types
	$(RUN) -m flake8 lebm_tf tests benchmarks export
	$(RUN) -m isort --check-only lebm_tf tests benchmarks export

# The annotations of the package, by mypy; settings in setup.cfg.
types: $(VENV)/.installed
	$(RUN) -m mypy

# The list by which commands check their flags, after a configuration changed.
flags: $(VENV)/.installed
	$(RUN) -m lebm_tf.list_flags

# Speed, in turns with PyTorch; writes benchmarks/results/speed.md.
bench: $(VENV)/.installed $(if $(filter $(BENCH_VENV)/%,$(PEER_PYTHON)),$(BENCH_VENV)/.installed)
	$(RUN) -m benchmarks.speed --peer_python=$(PEER_PYTHON) $(BENCH)

# PyTorch has an environment of its own: it must not share a process with
# TensorFlow, and nobody else needs it.
$(BENCH_VENV)/.installed: setup.cfg
	@echo "== Building $(BENCH_VENV) with PyTorch, for the benchmark alone (once)"
	$(PYTHON) -m venv --clear $(BENCH_VENV)
	@$(PYTHON) -c 'import configparser as c; s = c.ConfigParser(); s.read("setup.cfg"); print(s["options.extras_require"]["bench"])' > $(BENCH_VENV)/requirements.txt
	@$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r $(BENCH_VENV)/requirements.txt \
		|| { echo "PyTorch must be installable for make bench, got the error above; with one that you have: make bench PEER_PYTHON=/path/to/python; without: make bench PEER_PYTHON=none" >&2; exit 1; }
	@touch $@

# The table of docs/tutorial.md: several seeds, with the baselines beside.
bench-quickstart: $(VENV)/.installed
	$(RUN) -m benchmarks.quickstart

# Trains the models that ship again, and measures them.
zoo: $(VENV)/.installed
	$(RUN) -m benchmarks.zoo

# The site with the API reference; a warning is an error.
docs: $(VENV)/.installed
	$(RUN) -m sphinx -W -q -b html docs build/docs
	@echo "build/docs/index.html"

# The wheel is built from the sdist, so that neither holds what is not tracked
# or a module of an earlier build.
dist: $(VENV)/.installed
	rm -rf dist
	$(RUN) -c 'from setuptools import build_meta; build_meta.build_sdist("dist")' > /dev/null
	$(RUN) -m pip wheel --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --wheel-dir dist dist/*.tar.gz
	@ls dist

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
	$(RUN) -m uv pip compile --universal --python-version 3.11 --no-emit-index-url --no-annotate --no-header --extra dev --extra chains --extra docs --extra molecules --extra serving --extra text setup.cfg -o requirements.lock

clean:
	rm -rf $(VENV) $(BENCH_VENV) build dist *.egg-info
