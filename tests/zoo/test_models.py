"""The models that ship are what their cards say."""

import dataclasses
import json
import os
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from benchmarks import zoo as zoo_benchmark
import lebm_tf
from lebm_tf import evaluate, files, zoo
from lebm_tf.training import workdir as workdirs
from tests.commands.conftest import call


@pytest.fixture(scope="module", autouse=True)
def points(tmp_path_factory):
    """The points of the pinwheel lie where its configuration says."""
    folder = tmp_path_factory.mktemp("points")
    zoo_benchmark.write_points(str(folder / zoo_benchmark.POINTS))
    before = os.getcwd()
    os.chdir(folder)
    yield
    os.chdir(before)


each_model = pytest.mark.parametrize("name", zoo.names())
_NEEDS = {"mnist": "mnist", "ptb": "ptb", "zara1": "eth_ucy", "zinc": "zinc"}
# Of another processor, which rounds chains differently, and of float16.
_TOLERANCE = 0.05


def folder(name):
    return pathlib.Path(zoo.folder(f"zoo:{name}"))


def test_the_models_are_small():
    sizes = {name: sum(path.stat().st_size for path in folder(name).iterdir())
             for name in zoo.names()}
    assert sizes and max(sizes.values()) <= 2 * 2**20
    assert sum(sizes.values()) <= 12 * 2**20


@each_model
def test_the_card_names_the_file_and_the_metrics(name):
    card = (folder(name) / "MODEL_CARD.md").read_text()
    assert card.startswith(f"# {name}\n")
    assert zoo.checksum(str(folder(name) / "weights.npz")) in card
    assert "**Data.**" in card and "**Limits.**" in card
    metrics = json.loads((folder(name) / "metrics.json").read_text())
    assert set(re.findall(r"^\| `(\S+)` \|", card, re.M)) == {
        key for key, value in metrics.items()
        if not str(value).endswith((".png", ".txt"))}


@each_model
def test_the_flagfile_is_that_of_the_training(name):
    run, model, settings = lebm_tf.from_flagfile(
        str(folder(name) / "train.cfg"))
    kept = workdirs.read(str(folder(name)))
    assert dataclasses.replace(
        run, workdir="", backbone=run.backbone and os.path.basename(
            run.backbone)) == kept.run
    assert model == kept.model
    assert settings.config == kept.evaluation.config
    if run.backbone:
        assert lebm_tf.from_flagfile(run.backbone)


def given(model, num_rows):
    """The condition of paths, of agents that walk straight on."""
    if model.context is None:
        return None
    steps = np.arange(8, dtype=np.float32)[:, None] - 7
    past = np.tile(steps * np.float32([20.0, 1.0]), [num_rows, 1, 1])
    return model.context({"past": tf.constant(past),
                          "group": tf.zeros([num_rows], tf.int64)})


@each_model
def test_samples_are_finite_and_repeatable(name):
    model = lebm_tf.load(f"zoo:{name}")
    assert int(model.step) > 100
    steps = 6 if model.generation.climbs else None  # A step for each level.
    one, two = (model.sample(3, seed=7, num_steps=steps,
                             condition=given(model, 3)) for _ in range(2))
    for a, b in zip(tf.nest.flatten(tuple(one)), tf.nest.flatten(tuple(two))):
        assert np.all(np.isfinite(a))
        np.testing.assert_array_equal(a, b)


@pytest.mark.long
@each_model
def test_the_weights_give_the_metrics_of_the_card(name, tmp_path):
    dataset = workdirs.read(str(folder(name))).run.data.dataset
    needed = _NEEDS.get(dataset)
    if needed and not os.path.isdir(os.path.join(
            os.environ.get("LEBM_DATA_DIR", ""), needed)):
        pytest.skip(f"set LEBM_DATA_DIR to a folder with {needed}")
    assert call(evaluate, f"--model=zoo:{name}", f"--output={tmp_path}") == 0
    stated, found = (files.read_json(str(path / "metrics.json"))
                     for path in (folder(name), tmp_path))
    if name == "pinwheel":
        found |= zoo_benchmark.plane_metrics("zoo:pinwheel")
    assert set(stated) <= set(found)
    for key, value in stated.items():
        if isinstance(value, float):
            assert found[key] == pytest.approx(
                value, rel=_TOLERANCE, abs=_TOLERANCE), key
