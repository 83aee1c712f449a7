"""A ladder of noise through every command."""

import json

from PIL import Image
import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf import export, sample, train
from tests.commands.conftest import QUICK_EXPORT, call
from tests.oracles import assert_nests_equal

SMOKE = ["--flagfile=configs/smoke/recovery_likelihood.cfg",
         "--evaluators=levels,pictures", "--evaluation_levels_num_examples=4",
         "--evaluation_levels_num_annealing_steps=2",
         "--evaluation_levels_num_annealing_chains=2",
         "--evaluation_levels_num_steps=10",
         "--evaluation_levels_num_chains=2"]


@pytest.mark.long  # As in the contract of families, but by commands.
def test_a_stopped_ladder_goes_on_as_if_it_had_not_stopped(tmp_path):
    path, whole = tmp_path / "run", tmp_path / "whole"
    flags = [SMOKE[0], "--evaluators=pictures"]
    assert call(train, *flags, "--train_steps=1", f"--workdir={path}") == 0
    assert call(train, *flags, f"--workdir={path}") == 0
    assert call(train, *flags, f"--workdir={whole}") == 0
    resumed, other = (lebm_tf.load(str(p)) for p in (path, whole))
    assert_nests_equal(resumed.sample(3, 1), other.sample(3, 1))


def test_a_ladder_is_trained_measured_sampled_and_served(tmp_path):
    path = tmp_path / "run"
    assert call(train, *SMOKE, f"--workdir={path}") == 0
    metrics = json.loads((path / "metrics.json").read_text())
    assert metrics["run/step"] == 2
    assert np.isfinite(metrics["levels/bits_per_dim"])
    assert (path / "pictures" / "inpainting.png").is_file()
    assert (path / "pictures" / "samples.png").is_file()
    picture = tmp_path / "samples.png"
    assert call(sample, f"--workdir={path}", "--num_samples=4",
                "--num_steps=2", f"--output={picture}") == 0
    assert np.asarray(Image.open(picture)).ndim == 3
    assert call(export, f"--workdir={path}", f"--output={tmp_path / 'out'}",
                *QUICK_EXPORT, "--exposed=num_steps") == 0
    served = tf.saved_model.load(str(tmp_path / "out" / "1"))
    drawn = served.signatures["sample"](
        seed=tf.constant([1], tf.int64), num_steps=tf.constant([4]))
    assert drawn["x"].shape == (1, 8, 8, 1)


@pytest.mark.parametrize("flags, message", [
    (["--num_steps=0"], "--num_steps must be >= 1, got 0"),
    (["--schedule=given", "--num_levels=6", "--noise_scales=0.3,0.2,0.5"],
     "noise_scales must increase, got 0.2 at level 1 after 0.3"),
    (["--schedule=given", "--num_levels=6", "--noise_scales=0.3,0,0.5"],
     "noise_scales must lie in (0, 1], got 0 at level 1"),
    (["--evaluators=reconstruction"],
     "evaluator reconstruction needs a model that infers latents")])
def test_bad_input_ends_in_one_line(flags, message, tmp_path, refused):
    assert message in refused(
        train, *SMOKE[:1], *flags, f"--workdir={tmp_path}/run")
