"""Strategies from flags, and whole runs on them."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf import precision, processor, train
from lebm_tf.configuration.run import DevicesConfig, RunConfig
from lebm_tf.devices import strategies
from lebm_tf.mcmc import replicas
from lebm_tf.training import workdir as workdirs
from tests.commands.conftest import call

SMOKE = "--flagfile=configs/smoke/image.cfg"


def test_equal_flags_give_the_same_strategy():
    run = RunConfig(devices=DevicesConfig("mirrored", 2))
    strategy = strategies.make(run)
    assert strategies.make(run) is strategy
    assert strategy.num_replicas_in_sync == 2
    assert strategies.make(RunConfig()) is tf.distribute.get_strategy()
    alone = strategies.make(RunConfig(devices=DevicesConfig("mirrored")))
    assert alone.num_replicas_in_sync == 1  # No GPU here: one CPU.


def test_a_fresh_process_splits_its_cpu():
    """This process has done so already, in conftest."""
    result = subprocess.run(
        [sys.executable, "-c", "from lebm_tf.configuration import run; "
         "from lebm_tf.devices import strategies; "
         "run = run.RunConfig(devices=run.DevicesConfig('mirrored', 4));"
         "print(strategies.make(run).num_replicas_in_sync)"],
        capture_output=True, text=True)
    assert result.stdout.strip() == "4", result.stderr


def test_a_second_strategy_of_a_process_is_not_taken_for_the_first():
    """Unlike with TensorFlow's collectives, which number messages by process:
    "Shape mismatch in the collective instance"."""
    for size in (3, 4):
        strategy = strategies.mirrored(2)

        @tf.function
        def run():
            return strategy.run(lambda: replicas.total([tf.ones(size)])[0])
        for total in strategy.experimental_local_results(run()):
            np.testing.assert_array_equal(total, 2 * np.ones(size))


@pytest.mark.slow
def test_a_run_ends_as_on_one_device_also_if_it_changes_over(tmp_path):
    """Two replicas for the second half, then measured; a baseline beside."""
    flags = [SMOKE, "--evaluators=reconstruction", "--checkpoint_every=2",
             "--prior_start=bank", "--prior_bank_size=20"]
    mirrored = ["--strategy=mirrored", "--replicas=2"]
    assert call(train, *flags, f"--workdir={tmp_path / 'one'}",
                "--train_steps=4") == 0
    assert call(train, *flags, f"--workdir={tmp_path / 'two'}",
                "--train_steps=2") == 0
    assert call(train, *flags, f"--workdir={tmp_path / 'two'}",
                "--train_steps=4", "--baseline=configs/smoke/vae.cfg",
                *mirrored) == 0
    one, two = (lebm_tf.load(str(tmp_path / name)) for name in ("one", "two"))
    for part in one.parts:
        for a, b in zip(one.variables_of(part), two.variables_of(part)):
            np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
    metrics = [json.loads((tmp_path / name / "metrics.json").read_text())
               for name in ("one", "two")]
    assert metrics[0]["reconstruction/mse"] == pytest.approx(
        metrics[1]["reconstruction/mse"], rel=1e-4)
    assert metrics[1]["baseline/run/step"] == 4


@pytest.mark.usefixtures("unmeasured")
def test_a_run_that_goes_on_with_other_kernels_is_told(
        tmp_path, monkeypatch, caplog):
    flags = (SMOKE, f"--workdir={tmp_path}/run")
    assert call(train, *flags, "--train_steps=1") == 0
    assert "for bit-for-bit equality" not in caplog.text
    begun = processor.onednn_is_on()
    monkeypatch.setenv(processor.ONEDNN, "0" if begun else "1")
    assert call(train, *flags) == 0
    assert f"set {processor.ONEDNN}={int(begun)} for bit" in caplog.text
    caplog.clear()
    monkeypatch.setenv(processor.ONEDNN, "1" if begun else "0")
    assert call(train, *flags) == 0
    assert "for bit-for-bit equality" not in caplog.text


@pytest.mark.usefixtures("unmeasured")
def test_a_run_goes_on_in_the_precision_that_it_began_with(
        tmp_path, monkeypatch, capfd):
    """Also where auto would choose another one."""
    flags = ("--flagfile=configs/smoke/image.cfg", "--precision=auto",
             f"--workdir={tmp_path}/run")
    monkeypatch.setattr(precision, "bfloat16_speed", lambda: 2.0)
    assert call(train, *flags, "--train_steps=1") == 0
    assert "Precision mixed_bfloat16: bfloat16 is 2.0" in capfd.readouterr().out
    begun = workdirs.read(f"{tmp_path}/run").run
    assert begun.precision == "mixed_bfloat16"
    monkeypatch.setattr(precision, "bfloat16_speed", lambda: 0.5)
    assert call(train, *flags) == 0
    assert "Precision mixed_bfloat16, as in the run" in (
        capfd.readouterr().out)
    assert workdirs.read(f"{tmp_path}/run").run.precision == begun.precision
