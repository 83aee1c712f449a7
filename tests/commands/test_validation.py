"""Measuring, choosing and stopping during training; averaged weights."""

import json

import numpy as np
import pytest

import lebm_tf
from lebm_tf import evaluate, sample, train
from lebm_tf.datasets.validation_split import validation_view
from lebm_tf.errors import InputError
from lebm_tf.evaluation import Better
from lebm_tf.evaluation.selection import improvements
from lebm_tf.training import validation
from tests.commands.conftest import call
from tests.oracles import raises

SMOKE = "--flagfile=configs/smoke/image.cfg"
CHOOSE = ("--validation_fraction=0.1", "--evaluate_every=2",
          "--early_stop=reconstruction/mse")


def rows(path):
    return json.loads((path / "validation.json").read_text())


def scripted(monkeypatch, *values):
    """Measurements that come out as told, by step."""
    def evaluate(model, context, names):
        row = min(int(model.step) // 2, len(values)) - 1
        return {"reconstruction/mse": values[row]}
    monkeypatch.setattr(validation, "evaluate", evaluate)


def test_the_split_takes_rows_out_of_training_and_leaves_the_test_data():
    data = lebm_tf.load_dataset("digits")
    split = lebm_tf.validation_split(data, 0.1)
    assert len(split.x_validation) == 135 and len(split.x_train) == 1212
    assert split.x_test is data.x_test
    together = np.concatenate([split.x_train, split.x_validation])
    assert np.array_equal(np.sort(together.reshape(1347, -1), 0),
                          np.sort(data.x_train.reshape(1347, -1), 0))
    labels = np.concatenate([split.y_train, split.y_validation])
    assert np.array_equal(np.bincount(labels), np.bincount(data.y_train))
    again = lebm_tf.validation_split(data, 0.1)
    np.testing.assert_array_equal(split.x_validation, again.x_validation)
    view = validation_view(split)
    assert view.x_test is split.x_validation and view.x_train is split.x_train


def test_improvements_are_strict_finite_and_in_the_direction_of_the_metric():
    values = [3.0, 2.0, 2.0, float("nan"), 4.0, 1.0]
    rows = [{"step": i, "x": value} for i, value in enumerate(values, 1)]
    assert improvements(rows, "x", Better.LOWER) == [1, 2, 6]
    assert improvements(rows, "x", Better.HIGHER) == [1, 5]
    with raises(InputError, "--early_stop must be a metric of this model and "
                "these data, x, got 'y'."):
        improvements(rows, "y", Better.LOWER)


def test_the_best_checkpoint_is_kept_and_measured(tmp_path, monkeypatch):
    scripted(monkeypatch, 3.0, 1.0, 2.0, 5.0, 0.0)
    path = tmp_path / "run"
    assert call(train, SMOKE, *CHOOSE, "--patience=2", "--train_steps=20",
                f"--workdir={path}") == 0
    assert [row["step"] for row in rows(path)] == [2, 4, 6, 8]
    metrics = json.loads((path / "metrics.json").read_text())
    assert metrics["run/step"] == 4 and metrics["training/steps"] == 8
    assert metrics["reconstruction/num_images"] == 450  # The test data.
    for checkpoint, step in (("", 4), ("best", 4), ("last", 8)):
        assert int(lebm_tf.load(str(path), checkpoint).step) == step
    drawn = {}
    for checkpoint in ("best", "last"):
        output = tmp_path / f"{checkpoint}.npz"
        assert call(sample, f"--workdir={path}", f"--output={output}",
                    f"--checkpoint={checkpoint}") == 0
        drawn[checkpoint] = np.load(output)["x"]
    assert np.any(drawn["best"] != drawn["last"])
    # The same command again trains no step more; more patience does.
    flags = (SMOKE, *CHOOSE, "--train_steps=20", f"--workdir={path}")
    assert call(train, *flags, "--patience=2") == 0
    assert rows(path)[-1]["step"] == 8
    assert call(train, *flags, "--patience=3") == 0
    assert int(lebm_tf.load(str(path)).step) == 10


@pytest.mark.usefixtures("unmeasured")
def test_a_stopped_run_measures_and_chooses_as_if_it_had_not_stopped(
        tmp_path):
    flags = (SMOKE, *CHOOSE, "--checkpoint_every=3", "--log_every=3",
             "--generator_optimizer_average_decay=0.5")
    for name, stops in (("whole", [9]), ("parts", [5, 9])):
        for stop in stops:
            assert call(train, *flags, f"--train_steps={stop}",
                        f"--workdir={tmp_path / name}") == 0
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert rows(whole) == rows(parts) and len(rows(whole)) == 4
    for checkpoint in ("best", "last"):
        first, second = (lebm_tf.load(str(path), checkpoint)
                         for path in (whole, parts))
        for part in first.parts:
            for a, b in zip(first.variables_of(part),
                            second.variables_of(part)):
                np.testing.assert_array_equal(a, b)


@pytest.mark.usefixtures("unmeasured")
def test_what_a_killed_run_had_measured_too_early_is_measured_again(
        tmp_path, monkeypatch):
    """Killed after step 6, it goes on from 3, where the best was that of 2;
    its better one of step 4 is made again."""
    scripted(monkeypatch, 3.0, 1.0, 2.0)
    path = tmp_path / "run"
    flags = (SMOKE, *CHOOSE, "--checkpoint_every=3", "--log_every=3",
             f"--workdir={path}")
    assert call(train, *flags, "--train_steps=5") == 0
    assert sorted(p.name for p in (path / "best").glob("*.index")) == [
        "ckpt-2.index", "ckpt-4.index"]
    for file in (path / "checkpoints").glob("ckpt-5.*"):
        file.unlink()
    scripted(monkeypatch, 3.0, 4.0, 5.0)
    assert call(train, *flags, "--train_steps=6") == 0
    assert [row["reconstruction/mse"] for row in rows(path)] == [3, 4, 5]
    assert int(lebm_tf.load(str(path)).step) == 2


@pytest.mark.usefixtures("unmeasured")
def test_averages_are_what_is_used_and_weights_are_what_is_trained(tmp_path):
    flags = (SMOKE, "--generator_optimizer_average_decay=0.9",
             "--generator_optimizer_learning_rate=0.1")
    for name, more in (("averaged", flags), ("plain", (SMOKE, flags[2]))):
        assert call(train, *more, "--train_steps=4",
                    f"--workdir={tmp_path / name}") == 0
    averaged, plain = (lebm_tf.load(str(tmp_path / name))
                       for name in ("averaged", "plain"))
    optimizer = averaged.optimizers["generator"]
    for variable, average in zip(averaged.variables_of("generator"),
                                 optimizer._model_variables_moving_average):
        np.testing.assert_array_equal(variable, average)
    lebm_tf.models.averaging.remove(averaged)
    for a, b in zip(averaged.variables_of("generator"),
                    plain.variables_of("generator")):
        np.testing.assert_array_equal(a, b)
    lebm_tf.models.averaging.install(averaged)
    lebm_tf.models.averaging.install(averaged)  # Twice is once.
    assert np.any(averaged.sample(3).x != plain.sample(3).x)


@pytest.mark.parametrize("flags, needed", [
    (["--evaluate_every=-1"], "--evaluate_every must be >= 0, got -1"),
    (["--evaluate_every=5"], "must be 0 without a validation part"),
    (["--validation_fraction=1"], "must lie in [0, 1), got 1"),
    (["--validation_fraction=1e-9"], "must leave examples in both parts"),
    (["--early_stop=reconstruction/mse"], "left out without evaluate_every"),
    (["--patience=2"], "left out without early_stop"),
    (["--patience=-2"], "--patience must be >= 0"),
    (["--validation_evaluators=frechet"], "left out without evaluate_every"),
    ([*CHOOSE, "--validation_evaluators=fretchet"],
     "--validation_evaluators must be among"),
    ([*CHOOSE, "--validation_evaluators=codes"], "must include reconstruction"),
    ([*CHOOSE[:2], "--early_stop=reconstruction/msee"],
     "--early_stop must be a metric of an evaluator, as frechet/samples, got "
     "'reconstruction/msee' (nearest: reconstruction/mse"),
    ([*CHOOSE[:2], "--early_stop=reconstruction/num_images"],
     "must be a metric that is better lower or higher, got 'reconst"),
    ([*CHOOSE[:2], "--early_stop=anomaly/auprc"], "needs an anomaly label"),
    ([*CHOOSE, "--evaluate_every=9"], "at most train_steps")])
def test_what_cannot_be_measured_is_refused(refused, tmp_path, flags, needed):
    path = tmp_path / "run"
    assert needed in refused(train, SMOKE, *flags, f"--workdir={path}")
    assert not path.exists()


def test_a_run_without_a_best_checkpoint_has_only_the_last(refused, workdir):
    for name, needed in (("best", "must be last for a run without"),
                         ("newest", "must be best or last, got 'newest'")):
        for module, more in ((sample, "--output=x.png"),
                             (evaluate, "--evaluators=reconstruction")):
            assert needed in refused(module, f"--workdir={workdir}", more,
                                     f"--checkpoint={name}")
