"""What the commands write, and that they go on where they stopped."""

import glob
import json
import os
import re

from PIL import Image
import numpy as np
import pytest
from tensorboard.plugins.hparams import plugin_data_pb2
import tensorflow as tf

import lebm_tf
from lebm_tf import (
    evaluate, export, long_chains, publish, report, sample, shift, train)
from lebm_tf.errors import NonFiniteError
from lebm_tf.training import event_logs, fitting
from tests.commands.conftest import QUICK_EXPORT, call

FLAGFILES = sorted(glob.glob("configs/**/*.cfg", recursive=True))
SMOKE = "--flagfile=configs/smoke/image.cfg"


@pytest.mark.parametrize("path", FLAGFILES)
def test_every_flagfile_resolves_and_opens_with_a_comment(path):
    run, config, _ = lebm_tf.from_flagfile(path)
    assert isinstance(config, lebm_tf.FAMILIES[run.family].Config)
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    assert lines[0].startswith("# ")
    names = [line.split("=")[0] for line in lines if line.startswith("--")]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path, shape, generator, energy", [
    ("image_svhn", (32, 32, 3), 3_447_683, 60_601),
    ("image_svhn_paper", (32, 32, 3), 3_447_683, 60_601),
    ("image_cifar10", (32, 32, 3), 18_883_075, 66_201),
    ("image_celeba64", (64, 64, 3), 12_656_515, 60_601),
    ("image_celeba128", (128, 128, 3), 47_851_395, 1_103_001),
    ("image_mnist", (28, 28, 1), None, 43_801),
    ("image_mnist_wide", (28, 28, 1), None, 42_201)])
def test_published_networks_have_their_published_size(
        path, shape, generator, energy):
    run, config, _ = lebm_tf.from_flagfile(f"configs/{path}.cfg")
    networks = {"generator": config.generator.make(
        config.latent_dim, shape, 0), "energy": config.energy.make(
        config.latent_dim, 0)}
    for name, expected in (("generator", generator), ("energy", energy)):
        if expected:
            assert networks[name].count_params() == expected


def documented_commands():
    """Every `python -m lebm_tf...` line of the documents and docstrings.

    But those with plugins, which are read where plugins are tested.
    """
    found = set()
    for path in ["README.md", *glob.glob("docs/*.md"),
                 *glob.glob("lebm_tf/*.py")]:
        with open(path, encoding="utf-8") as file:
            text = re.sub(r"\\+\n\s*", " ", file.read())
        found |= set(re.findall(
            r"^\s*python -m (lebm_tf\.\w+[^\n\[`]*)", text, re.M))
    return sorted(line for line in found if "--plugins" not in line)


@pytest.mark.parametrize("line", documented_commands())
def test_every_documented_command_parses(line):
    name, *argv = line.split()
    module = {"train": train, "evaluate": evaluate, "sample": sample,
              "export": export, "shift": shift, "report": report,
              "publish": publish, "mcmc": long_chains}[name.split(".")[1]]
    from lebm_tf.configuration import command
    from tests.commands.conftest import fields_of
    argv = [a for a in argv if "{" not in a]  # Parts filled in when printed.
    values = command.parse(fields_of(module), ["", *argv])
    given = [a[2:].split("=")[0] for a in argv if "flagfile" not in a]
    assert all(values[name].present for name in given)
    if module is train:
        train.resolve(values)


def test_tensorboard_gets_pictures_and_hyper_parameters(workdir):
    found = {}
    for path in (workdir / "logs").glob("events.*"):
        for record in event_logs.records(str(path)):
            for value in tf.compat.v1.Event.FromString(record).summary.value:
                found[value.tag] = value.metadata.plugin_data
    assert found["samples"].plugin_name == "images"
    settings = plugin_data_pb2.HParamsPluginData.FromString(
        found["_hparams_/session_start_info"].content).session_start_info
    assert settings.hparams["family"].string_value == "image"
    assert settings.hparams["train_steps"].number_value == 2


def test_a_run_leaves_all_that_was_promised(workdir):
    for name in ("config.json", "history.json", "metrics.json",
                 "checkpoints/ckpt-2.index", "pictures/training.png"):
        assert (workdir / name).is_file(), name
    assert list((workdir / "logs").glob("events.*"))
    metrics = json.loads((workdir / "metrics.json").read_text())
    assert metrics["run/step"] == 2
    assert metrics["reconstruction/mse"] > 0
    assert all(isinstance(value, (int, float, str))
               for value in metrics.values())


def test_evaluate_adds_to_the_metrics(workdir):
    before = json.loads((workdir / "metrics.json").read_text())
    assert call(evaluate, f"--workdir={workdir}", "--evaluators=chains",
                "--evaluation_chains_num_chains=4",
                "--evaluation_chains_num_steps=10") == 0
    after = json.loads((workdir / "metrics.json").read_text())
    assert after["reconstruction/mse"] == before["reconstruction/mse"]
    assert any(name.startswith("chains/") for name in after)


def test_samples_are_pictures_or_arrays_by_the_ending(workdir, tmp_path):
    for name in ("x.png", "x.npz"):
        assert call(sample, f"--workdir={workdir}", "--num_samples=9",
                    "--seed=7", f"--output={tmp_path / name}") == 0
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size[0] >= 3 * 8
    arrays = np.load(tmp_path / "x.npz")
    assert arrays["x"].shape == (9, 8, 8, 1) and arrays["x"].dtype == np.uint8
    assert arrays["z"].shape == (9, 4) and arrays["energy"].shape == (9,)


def test_the_same_seed_gives_the_same_samples(workdir, tmp_path):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        call(sample, f"--workdir={workdir}", f"--seed={seed}",
             f"--output={tmp_path / name}.npz")
    a, b, c = (np.load(tmp_path / f"{name}.npz")["z"] for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 0.1


def test_exports_are_numbered_and_answer_as_the_model_does(
        workdir, tmp_path):
    for version, flags in (("1", QUICK_EXPORT), ("2", ["--check_rows=0"])):
        assert call(export, f"--workdir={workdir}", *flags,
                    f"--output={tmp_path}") == 0
        assert (tmp_path / version / "saved_model.pb").is_file()
    assert sorted(os.listdir(tmp_path)) == ["1", "2"]
    served = tf.saved_model.load(str(tmp_path / "2"))
    model = lebm_tf.load(str(workdir))
    z = tf.random.stateless_normal([5, 4], [0, 1])
    np.testing.assert_allclose(
        served.signatures["decode"](z=z)["x"], model.decode(z), atol=1e-6)
    np.testing.assert_allclose(
        served.signatures["energy"](z=z)["energy"], model.energy(z),
        atol=1e-6)


def test_a_served_row_depends_on_its_own_seed_alone(workdir, tmp_path):
    assert call(export, f"--workdir={workdir}", *QUICK_EXPORT,
                f"--output={tmp_path}") == 0
    sampler = tf.saved_model.load(
        str(tmp_path / "1")).signatures["serving_default"]
    seeds = np.array([5, 1, 9, -2, 5], np.int64)
    together = sampler(seed=tf.constant(seeds))
    for i, seed in enumerate(seeds):
        alone = sampler(seed=tf.constant([seed], tf.int64))
        for name in together:
            np.testing.assert_array_equal(together[name][i], alone[name][0])
    assert np.abs(together["z"][0] - together["z"][1]).max() > 0.1


@pytest.mark.parametrize("start", [
    pytest.param("base", marks=pytest.mark.long), "bank",
    pytest.param("encoder", marks=pytest.mark.long)])
@pytest.mark.usefixtures("unmeasured")
def test_a_run_stopped_in_mid_epoch_ends_with_the_same_weights(
        tmp_path, start):
    """Stop, restore, continue equals no stop, bit for bit."""
    flags = [SMOKE, "--batch_size=500", "--checkpoint_every=3",
             f"--posterior_start={start}", "--prior_start=bank",
             "--prior_bank_size=600", "--evaluators=reconstruction"]
    for name, stops in (("whole", [7]), ("parts", [3, 4, 7])):
        for stop in stops:
            assert call(train, *flags, f"--train_steps={stop}",
                        f"--workdir={tmp_path / name}") == 0
    whole, parts = (lebm_tf.load(str(tmp_path / name))
                    for name in ("whole", "parts"))
    assert int(whole.step) == int(parts.step) == 7
    for part in whole.parts:
        for a, b in zip(whole.variables_of(part), parts.variables_of(part)):
            np.testing.assert_array_equal(a, b)
    for a, b in zip(whole.banks, parts.banks):
        np.testing.assert_array_equal(a.positions[0], b.positions[0])
    histories = [json.loads((tmp_path / name / "history.json").read_text())
                 for name in ("whole", "parts")]
    for rows in histories:
        for row in rows:
            del row["seconds"]
    assert histories[0] == histories[1]


def test_a_non_finite_value_stops_training_and_is_named(tmp_path):
    _, config, _ = lebm_tf.from_flagfile("configs/smoke/image.cfg")
    data = lebm_tf.load_dataset("digits")
    model = lebm_tf.build("image", config, data, batch_size=8)
    kernel = model.variables_of("energy")[0]
    kernel.assign(kernel * float("nan"))
    with pytest.raises(NonFiniteError, match=r"step 1: .*energy.*chains: "):
        fitting.fit(model, data, lebm_tf.RunConfig(
            train_steps=3, workdir=str(tmp_path), log_every=1,
            checkpoint_every=1, divergence=lebm_tf.DivergenceConfig("stop")),
            verbose=False)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.usefixtures("unmeasured")
def test_a_row_of_the_history_does_not_show_where_a_run_was_stopped(
        tmp_path):
    flags = [SMOKE, "--log_every=3", "--checkpoint_every=3"]
    for name, stops in (("whole", [7]), ("parts", [1, 5, 7])):
        for stop in stops:
            assert call(train, *flags, f"--train_steps={stop}",
                        f"--workdir={tmp_path / name}") == 0
    histories = [json.loads((tmp_path / name / "history.json").read_text())
                 for name in ("whole", "parts")]
    for rows in histories:
        for row in rows:
            del row["seconds"]
    assert histories[0] == histories[1]
    assert [row["step"] for row in histories[0]] == [3, 6, 7]


def test_a_notebook_run_can_be_loaded_and_no_other_takes_its_place(tmp_path):
    _, config, _ = lebm_tf.from_flagfile("configs/smoke/image.cfg")
    data = lebm_tf.load_dataset("digits")
    path = str(tmp_path / "run")
    model = lebm_tf.build("image", config, data, batch_size=8, seed=3)
    run = lebm_tf.RunConfig(train_steps=2, workdir=path)
    rows = lebm_tf.fit(model, data, run, verbose=False)
    assert rows[-1]["step"] == 2
    loaded = lebm_tf.load(path)
    np.testing.assert_array_equal(loaded.sample(5).x, model.sample(5).x)
    other = lebm_tf.build("image", config, data, batch_size=8, seed=4)
    with pytest.raises(lebm_tf.InputError, match=r"seed \(3 there, 4 now\)"):
        lebm_tf.fit(other, data, run, verbose=False)


def test_flagfiles_name_files_relative_to_themselves(tmp_path, monkeypatch):
    path = os.path.abspath("configs")
    monkeypatch.chdir(tmp_path)
    run, config, _ = lebm_tf.from_flagfile(f"{path}/image_mnist_anomaly.cfg")
    assert (run.data.anomaly_label, config.latent_dim) == (9, 8)
    run, _, _ = lebm_tf.from_flagfile(f"{path}/quickstart.cfg")
    assert os.path.samefile(run.baseline, f"{path}/quickstart_vae.cfg")
    assert os.path.samefile(run.backbone, f"{path}/quickstart_rae.cfg")


def test_a_flagfile_that_names_itself_is_refused(tmp_path):
    (tmp_path / "a.cfg").write_text("# Round.\n--flagfile=a.cfg\n")
    with pytest.raises(lebm_tf.InputError, match="includes itself"):
        lebm_tf.from_flagfile(str(tmp_path / "a.cfg"))


def test_a_baseline_has_the_data_and_the_budget_of_its_run(tmp_path):
    path = tmp_path / "run"
    assert call(train, SMOKE, f"--workdir={path}", "--train_steps=3",
                "--baseline=configs/smoke/vae.cfg", "--batch_size=9") == 0
    metrics = json.loads((path / "metrics.json").read_text())
    assert metrics["run/step"] == metrics["baseline/run/step"] == 3
    saved = json.loads((path / "baseline" / "config.json").read_text())
    assert saved["run"]["batch_size"] == 9


def test_evaluate_measures_as_the_run_was_told_to(tmp_path):
    path = tmp_path / "run"
    assert call(train, SMOKE, f"--workdir={path}",
                "--evaluation_num_draws=2") == 0
    for flags, draws in ((), 2), (("--evaluation_num_draws=3",), 3):
        assert call(evaluate, f"--workdir={path}", *flags) == 0
        metrics = json.loads((path / "metrics.json").read_text())
        assert metrics["reconstruction/num_draws"] == draws
        assert not any(name.startswith("frechet/") for name in metrics)


def test_pixels_that_were_not_scaled_are_refused(workdir):
    model, data = lebm_tf.load(str(workdir)), lebm_tf.load_dataset("digits")
    with pytest.raises(ValueError, match="must be floats.* got uint8"):
        model.score(data.x_test[:3])


def test_help_lists_every_flag(capfd):
    assert call(train, "--help") == 0
    out = capfd.readouterr().out
    for flag in ("--family", "--prior_num_steps", "--kl_weight",
                 "--evaluation_frechet_num_samples", "--flagfile"):
        assert flag in out
