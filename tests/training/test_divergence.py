"""Divergence: noticed, named, undone, and given up on."""

import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf import train
from lebm_tf.configuration.run import DivergenceConfig, RunConfig
from lebm_tf.errors import DivergedError, NonFiniteError
from lebm_tf.models import OptimizerConfig, learning_rate, statistics
from lebm_tf.training.divergence import MARGIN, Rollbacks, describe, excesses
from tests.commands.conftest import call

# The energy passes 0.4 nats at step 3, with half the rate not before 10.
LIVELY = ("--flagfile=configs/smoke/image.cfg", "--prior_num_steps=10",
          "--prior_step_size=0.5", "--energy_optimizer_learning_rate=0.3",
          "--posterior_start=bank", "--batch_size=500", "--seed=2")
LOGS = {"positive/energy": 3.0, "negative/energy": -4.0,
        "negative/displacement": 5.0, "gradient_norm/energy": 6.0,
        "loss/generator": 1e9}


@pytest.mark.parametrize("changes, bounds, found", [
    ({}, {}, []),
    ({"loss/generator": float("nan")}, {}, ["loss/generator not finite"]),
    ({"negative/energy": float("-inf"), "gradient_norm/energy": float("nan")},
     {}, ["negative/energy, gradient_norm/energy not finite"]),
    ({}, {"max_energy": 3.5}, ["negative/energy -4 beyond max_energy 3.5"]),
    ({}, {"max_energy_gap": 6.5},
     ["positive/energy - negative/energy 7 beyond max_energy_gap 6.5"]),
    ({}, {"max_displacement": 4.0},
     ["negative/displacement 5 beyond max_displacement 4"]),
    ({}, {"max_gradient_norm": 5.0},
     ["gradient_norm/energy 6 beyond max_gradient_norm 5"]),
    ({"positive/energy": 1e30}, {"max_energy": 0.0, "max_energy_gap": 0.0},
     [])])
def test_what_is_beyond_a_bound_is_named(changes, bounds, found):
    assert excesses(
        {**LOGS, **changes}, DivergenceConfig(**bounds)) == found


def lively(**networks):
    _, config, _ = lebm_tf.from_flagfile(LIVELY[0].split("=")[1], *LIVELY[1:])
    data = lebm_tf.load_dataset("digits")
    return lebm_tf.build("image", config, data, batch_size=500, seed=2,
                         **networks), data


def fit(model, data, steps, workdir="", **bounds):
    return lebm_tf.fit(model, data, RunConfig(
        train_steps=steps, log_every=1, checkpoint_every=5, workdir=workdir,
        divergence=DivergenceConfig(**{"max_energy": 0.4, **bounds})),
        verbose=False)


def test_a_run_that_diverges_goes_back_and_comes_to_its_end(
        monkeypatch, caplog):
    """With one trace, other noise and half the learning rate; and there is
    no checkpoint but the first."""
    model, data = lively()
    traces, real = [], statistics.of_roles

    def of_roles(model, draws):
        traces.append(1)
        return real(model, draws)
    monkeypatch.setattr(statistics, "of_roles", of_roles)
    untouched, _ = lively()
    fit(untouched, data, 2)
    per_trace = len(traces)
    rows = fit(model, data, 6)
    assert len(traces) == 2 * per_trace
    assert int(model.step) == 6 and int(model.rollbacks) == 1
    assert [row["step"] for row in rows] == [1, 2, 3, 4, 5, 6]
    assert all(row["rollbacks"] == 1 for row in rows)
    assert rows[0]["learning_rate/energy"] == pytest.approx(0.15)
    assert rows[0]["learning_rate/generator"] == pytest.approx(1e-4)
    assert untouched.rows[0]["learning_rate/energy"] == pytest.approx(0.3)
    first = untouched.rows[0]["negative/displacement"]
    assert abs(rows[0]["negative/displacement"] - first) > 1e-3
    line, = [record.message for record in caplog.records
             if "rollback 1" in record.message]
    assert "from step 3 to 0: positive/energy 0.44" in line


def test_a_run_that_goes_on_diverging_is_given_up(tmp_path):
    model, data = lively()
    with pytest.raises(DivergedError, match="gave up after 2 rollbacks .*"
                       r"diverged at step \d+: negative/energy .* chains: "):
        fit(model, data, 9, max_energy=1e-3, max_rollbacks=2,
            workdir=str(tmp_path))
    assert int(model.rollbacks) == 2
    assert [path.name for path in (tmp_path / "checkpoints").glob("*.index")
            ] == ["ckpt-0.index"]


@pytest.mark.parametrize("settings", [
    {"on_divergence": "stop"}, {"max_rollbacks": 0}])
def test_divergence_stops_a_run_that_shall_not_go_back(settings):
    model, data = lively()
    with pytest.raises(NonFiniteError, match="^diverged at step 3: positive"):
        fit(model, data, 9, **settings)
    assert int(model.rollbacks) == 0


def test_the_command_reports_rollbacks_and_gives_up_with_one_line(
        tmp_path, capfd):
    flags = [*LIVELY, "--log_every=1", "--checkpoint_every=1",
             f"--workdir={tmp_path / 'run'}"]
    assert call(train, *flags, "--train_steps=4", "--max_energy=0.4") == 0
    assert "rollback 1 from step 3 to 0: positive" in capfd.readouterr().out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["training/rollbacks"] == 1
    assert call(train, *flags, "--train_steps=9", "--max_energy=1e-3",
                "--max_rollbacks=1") == 1
    lines = capfd.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and "gave up after 1 rollbacks" in lines[0]


class Kept:
    """Checkpoints that are numbers only."""

    def __init__(self, *known):
        self.known = list(known)

    def steps(self):
        return self.known

    def remove_after(self, step):
        self.known = [s for s in self.known if s <= step]

    def restore(self):
        return self.known[-1]


def test_a_divergence_that_returns_at_once_leads_further_back():
    model = SimpleNamespace(rollbacks=tf.Variable(0, dtype=tf.int64))
    rollbacks = Rollbacks(model, Kept(100, 200, 300), limit=5)
    error = DivergedError(300 + MARGIN - 1, "reason", "message")
    for expected in (200, 100, 100):  # 300 was too near.
        rollbacks.roll_back(error)
        assert rollbacks.records[-1]["to"] == expected
    rollbacks.checkpoints.known = [100, 400]  # It came far beyond.
    rollbacks.roll_back(DivergedError(400 + MARGIN, "reason", "message"))
    assert rollbacks.records[-1]["to"] == 400
    assert describe(rollbacks.records)[3] == (
        "rollback 4 from step 420 to 400: reason")
    assert int(model.rollbacks) == 4


def test_without_an_old_checkpoint_the_oldest_is_taken():
    model = SimpleNamespace(rollbacks=tf.Variable(0, dtype=tf.int64))
    rollbacks = Rollbacks(model, Kept(3, 4, 5), limit=1)
    rollbacks.roll_back(DivergedError(6, "reason", "message"))
    assert rollbacks.records == [{"step": 6, "to": 3, "reason": "reason"}]


@pytest.mark.parametrize("rollbacks", [0, 1, 3])
def test_every_rollback_halves_the_steps_of_the_energy(rollbacks):
    model, _ = lively()
    model.rollbacks.assign(rollbacks)
    moves = {}
    for part in ("energy", "generator"):
        optimizer, variables = model.optimizers[part], model.variables_of(part)
        before = [v.numpy() for v in variables]
        optimizer.apply([tf.ones_like(v) for v in variables], variables)
        moves[part] = max(np.max(b - v.numpy())
                          for b, v in zip(before, variables))
    assert moves["energy"] == pytest.approx(0.3 * 0.5**rollbacks, rel=1e-4)
    assert moves["generator"] == pytest.approx(1e-4, rel=1e-2)


def test_without_an_energy_every_part_slows_down():
    data = lebm_tf.DataSpec((8, 8, 1), 100)
    model = lebm_tf.build("vae", lebm_tf.VAEConfig(
        latent_dim=2, generator=lebm_tf.GeneratorConfig(channels=(4,)),
        encoder=lebm_tf.EncoderConfig((4,))), data, batch_size=10)
    model.rollbacks.assign(1)
    for optimizer in model.optimizers.values():
        assert learning_rate(optimizer) == pytest.approx(5e-5)


def test_a_loss_scale_does_not_hide_the_factor(float64):
    variable = keras.Variable(np.zeros(1))
    optimizer = keras.optimizers.LossScaleOptimizer(
        OptimizerConfig(1.0).make(1), initial_scale=4.0)
    optimizer.build([variable])
    from lebm_tf.models.optimization import slow_down
    slow_down({"energy": optimizer}, tf.Variable(2, dtype=tf.int64))
    optimizer.apply([tf.constant([8.0], tf.float64)], [variable])
    assert variable.numpy()[0] == pytest.approx(-0.25)
