"""A property learned beside molecules, asked for, and shifted upwards."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from lebm_tf import sample, shift, train
from lebm_tf.datasets import load_dataset, train_batches
from lebm_tf.datasets.sequences.properties import compute, with_property
from lebm_tf.densities import GaussianAttribute
from lebm_tf.errors import InputError
from lebm_tf.families import ChainConfig, build, sequence
from lebm_tf.networks import VectorMLP
from tests.commands.conftest import call, refused  # noqa: F401

LINES = ["CCO", "CCCl", "c1ccccc1", "CC(=O)O", "CCN", "BrCC", "OCCO", "CCCC",
         "C#N", "CC=C", "CCCCC", "NCCO", "CCF", "COC", "CNC"] * 2
FLAGS = ["--family=sequence", "--train_steps=6", "--batch_size=5",
         "--log_every=2", "--checkpoint_every=6", "--latent_dim=3",
         "--decoder_hidden_dim=8", "--decoder_embedding_dim=4",
         "--encoder_hidden_dim=8", "--prior_num_steps=2",
         "--posterior_start=encoder", "--posterior_num_steps=0",
         "--evaluation_sequences_num_samples=4", "--evaluation_num_draws=1"]
SHIFT = ["--property=penalized_logp", "--set_size=8", "--batch_size=4",
         "--chain_steps=2", "--first_steps=3", "--step=1", "--seed=3"]


@pytest.fixture(autouse=True, scope="module")
def needs_rdkit():
    pytest.importorskip("rdkit", reason="needs the extra lebm_tf[molecules]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds own.smi; base and headed, runs without and with a property."""
    path = tmp_path_factory.mktemp("shift")
    (path / "own.smi").write_text("\n".join(LINES) + "\n")
    for name, flags in (("base", ()), ("headed", ("--property=qed",))):
        assert not call(train, *FLAGS, f"--dataset=smiles:{path}/own.smi",
                        f"--workdir={path}/{name}", *flags)
    return path


def shifted(*flags):
    """The exit code of the command."""
    return call(shift, *SHIFT, *flags)


@pytest.mark.parametrize("posterior", [
    ChainConfig(num_steps=1, step_size=0.1),
    ChainConfig(num_steps=0, start="encoder")])
def test_a_head_learns_the_property(folder, posterior):
    data = with_property(load_dataset(f"smiles:{folder}/own.smi"), "weight")
    data = dataclasses.replace(
        data, attributes_train=data.attributes_train / 50,
        attributes_test=data.attributes_test / 50)
    batch = next(iter(train_batches(data, 5, 0)))
    np.testing.assert_array_equal(
        batch["attribute"], data.attributes_train[batch["index"].numpy()])
    model = build("sequence", sequence.SequenceConfig(
        latent_dim=3, decoder=sequence.DecoderConfig("lstm", 4, 8),
        encoder=sequence.SequenceEncoderConfig("lstm", 4, 8),
        prior=ChainConfig(num_steps=2, step_size=0.1), posterior=posterior,
        attribute=sequence.AttributeConfig(scale=0.3)), data, batch_size=5)
    first = model.variables_of("attribute")[0].numpy()
    losses = []
    step = tf.function(model.train_step)
    fixed = {key: tf.constant(value) for key, value in batch.items()}
    for _ in range(60):
        losses.append(float(step(fixed)["loss/attribute"]))
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.5
    assert np.abs(model.variables_of("attribute")[0] - first).max() > 0


def test_chains_of_a_target_go_where_the_head_says(folder):
    """The head is y = z_1: chains of p(z | y) have its mean and variance."""
    data = load_dataset(f"smiles:{folder}/own.smi")
    data = with_property(data, "qed")
    model = build("sequence", sequence.SequenceConfig(
        latent_dim=2, decoder=sequence.DecoderConfig("lstm", 4, 8),
        prior=ChainConfig(num_steps=200, step_size=0.2),
        attribute=sequence.AttributeConfig(hidden_units=(), scale=0.5)), data)
    for variable in (*model.variables_of("energy"),
                     *model.variables_of("attribute")):
        variable.assign(tf.zeros_like(variable))
    model.variables_of("attribute")[0].assign([[1.0], [0.0]])
    z = model.sample(400, 1, attribute=2.0).z
    # p(z_1 | y) = N(y / (1 + s^2), s^2 / (1 + s^2)), with s = 0.5.
    assert z[:, 0].mean() == pytest.approx(1.6, abs=0.1)
    assert z[:, 0].std() == pytest.approx(0.2**0.5, abs=0.05)
    assert z[:, 1].mean() == pytest.approx(0.0, abs=0.2)
    start = np.zeros([6, 2], np.float32)
    moved = model.climb(start, np.full(6, 3.0), 2, num_steps=200)
    np.testing.assert_array_equal(
        moved, model.climb(start, np.full(6, 3.0), 2, num_steps=200))
    assert moved[:, 0].mean() == pytest.approx(2.4, abs=0.6)


def test_samples_with_a_target(folder, refused):  # noqa: F811
    path = folder / "x.smi"
    assert not call(sample, f"--workdir={folder}/headed", f"--output={path}",
                    "--num_samples=5", "--attribute=QED=0.9")
    assert len(path.read_text().splitlines()) == 5
    for workdir, target, said in (
            ("headed", "logp=3",
             "--attribute must be qed=NUMBER for a run with"),
            ("headed", "qed=high", "--attribute must be qed=NUMBER, got"),
            ("base", "qed=0.9", "--attribute must be left out for a run with")):
        assert said in refused(
            sample, f"--workdir={folder}/{workdir}", f"--output={path}",
            f"--attribute={target}")


def test_the_loop_keeps_the_best_and_goes_on_where_it_was(
        folder, tmp_path, monkeypatch):
    """Stopped after a round, and killed between training and proposing: the
    molecules are those of a loop that was not."""
    flags = [f"--workdir={folder}/base", "--rounds=3"]
    assert not shifted(*flags, f"--output={tmp_path}/whole")
    whole = json.loads((tmp_path / "whole" / "shift.json").read_text())
    assert [row["round"] for row in whole["rounds"]] == [0, 1, 2, 3]
    means = [row["mean"] for row in whole["rounds"]]
    assert means == sorted(means)
    text, value = whole["rounds"][-1]["best"][0]
    assert compute([text], "penalized_logp")[0] == pytest.approx(value)
    with np.load(tmp_path / "whole" / "rounds" / "0003.npz") as arrays:
        assert len(set(arrays["texts"])) == 8
        np.testing.assert_allclose(arrays["values"], compute(
            arrays["texts"].tolist(), "penalized_logp"), rtol=1e-6)
    parts = f"--output={tmp_path}/parts"
    assert not shifted(*flags, parts, "--rounds=1")
    propose = shift.Shift._propose
    monkeypatch.setattr(shift.Shift, "_propose", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        shifted(*flags, parts)
    monkeypatch.setattr(shift.Shift, "_propose", propose)
    assert not shifted(*flags, parts)
    found = json.loads((tmp_path / "parts" / "shift.json").read_text())
    assert found["rounds"] == whole["rounds"]
    # A work directory like others: samples of a target.
    assert not call(sample, f"--workdir={tmp_path}/whole", "--num_samples=3",
                    "--attribute=penalized_logp=3",
                    f"--output={tmp_path}/x.smi")


def test_what_can_not_be_shifted_is_said(folder, tmp_path, capfd):
    base = f"--workdir={folder}/base"
    for flags, said in (
            ((base, "--output="), "--output must name a folder"),
            ((base, f"--output={tmp_path}/a", "--property=lopg"),
             "--property must be one of logp, qed, sa, weight"),
            ((base, f"--output={tmp_path}/a", "--set_size=999"),
             "--set_size must be at most"),
            ((base, f"--output={tmp_path}/a", "--step=0"),
             "step must be > 0, got 0"),
            ((base, f"--output={folder}/base"), "belongs to another run")):
        assert shifted(*flags) == 2
        assert said in capfd.readouterr().err
    assert not shifted(base, f"--output={tmp_path}/b", "--rounds=1")
    assert shifted(base, f"--output={tmp_path}/b", "--rounds=1",
                   "--chain_steps=3") == 2
    assert "--chain_steps must be 2, got 3" in capfd.readouterr().err


def test_data_without_the_property_are_refused(folder, tmp_path, refused):  # noqa: F811,E501
    path = tmp_path / "bad.smi"
    path.write_text("\n".join([*LINES, "C1CC"]) + "\n")
    assert "1 lines of x_t" in refused(
        train, *FLAGS, f"--dataset=smiles:{path}", f"--workdir={tmp_path}/w",
        "--property=qed")
    text = tmp_path / "own.txt"
    text.write_text("a b\nb a\nb b\n" * 5)
    with pytest.raises(InputError, match="--property needs SMILES, got text:"):
        with_property(load_dataset(f"text:{text}"), "qed")
    with pytest.raises(ValueError, match="scale must be > 0, got 0"):
        GaussianAttribute(VectorMLP(2, 1), 0.0)
    with pytest.raises(ValueError, match="output must be one of linear"):
        GaussianAttribute(VectorMLP(2, 1), 1.0, "exp")
