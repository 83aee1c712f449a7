"""Which blocks are chosen, and rows of real models in batches of any size."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf import processor
from lebm_tf.serving import blocks, trial

MODELS = {"image", "exposed", "sequence", "symbol", "trajectory", "in Python"}
SOME = MODELS - {"exposed", "symbol"}  # These are of the layers of images.
ROWS = {"f": {"x": np.arange(4, dtype=np.float32)}}


def answering(variable, wrong):
    """A function whose last row is off in blocks of some sizes."""
    def compute(x):
        size = tf.shape(x)[0]
        off = sum(tf.cast(size == bad, tf.float32) for bad in wrong)
        return {"y": x + off * tf.cast(
            tf.range(size) == size - 1, tf.float32)}
    return tf.function(lambda x: blocks.in_blocks(
        compute, {"x": x}, {"x": 0.0},
        {"y": tf.TensorSpec([None], tf.float32)}, variable))


def sizes():
    return tf.Variable([16], dtype=tf.int64, shape=[None])


@pytest.mark.parametrize("wrong, smallest", [
    ([], 16), ([16], 32), ([16, 32, 48, 64], 96),
    ([16, 32, 48, 64, 96, 128], 1)])
def test_the_smallest_block_whose_places_are_alike_is_taken(wrong, smallest):
    variable = sizes()
    found = blocks.choose(variable, {"f": answering(variable, wrong)}, ROWS,
                          limit=256, worth=0.0)
    assert found.sizes == (smallest,) == tuple(variable.numpy())
    assert found.refused == dict.fromkeys(wrong, "f")


def test_larger_blocks_must_give_the_same_rows():
    variable = sizes()
    found = blocks.choose(variable, {"f": answering(variable, [64])}, ROWS,
                          limit=200, worth=None)
    assert found.sizes == (16, 48) and found.refused == {64: "f"}

    def compute(x):
        return {"y": x + tf.cast(tf.shape(x)[0] == 48, tf.float32)}
    shifted = tf.function(lambda x: blocks.in_blocks(
        compute, {"x": x}, {"x": 0.0},
        {"y": tf.TensorSpec([None], tf.float32)}, variable))
    found = blocks.choose(variable, {"f": shifted}, ROWS, limit=300,
                          worth=None)
    assert found.sizes == (16, 64, 256) and found.refused == {48: "f"}


def test_a_block_that_no_call_fills_is_tried_as_far_as_calls_go():
    variable = sizes()
    found = blocks.choose(variable, {"f": answering(variable, [16])}, ROWS,
                          limit=9)
    assert found.sizes == (16,)


def test_a_trial_that_fails_says_why(tmp_path):
    with pytest.raises(RuntimeError, match="SavedModel file does not exist"):
        trial.run(str(tmp_path), ROWS, 16, (16,), str(tmp_path))


@pytest.mark.slow
@pytest.mark.parametrize("kernels, sizes, models", [
    ("here", "some", SOME), ("avx2", "some", {"image"}),
    pytest.param("here", "every", MODELS, marks=pytest.mark.long),
    pytest.param("avx2", "every", MODELS, marks=pytest.mark.long)])
def test_rows_are_equal_bit_for_bit_in_batches_of_any_size(
        kernels, sizes, models):
    """In a process with all its threads; `avx2` is how TensorFlow computes
    by itself on a processor with nothing more."""
    settings = {} if kernels == "here" else {
        "ONEDNN_MAX_CPU_ISA": "AVX2", processor.ONEDNN: "0"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.serving.every_size", sizes,
         *sorted(models)], timeout=1_200, capture_output=True, text=True,
        env={**os.environ, **settings})
    assert done.returncode == 0, done.stderr[-3_000:]
    report = json.loads(done.stdout.splitlines()[-1])
    assert set(report) == models
    for name, found in report.items():
        assert found["differing"] == {}, name
        assert found["sizes"] == (256 if name == "image" else 64)
