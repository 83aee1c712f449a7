"""Molecules from a file, through training, to figures and a grid."""

import json

from PIL import Image
import numpy as np
import pytest

from lebm_tf import evaluate, sample, train
from lebm_tf.chemistry import smiles
from lebm_tf.datasets import load_dataset
from lebm_tf.errors import InputError
from tests.commands.conftest import call, refused  # noqa: F401
from tests.oracles import undeclared

LINES = ["CCO", "CCCl", "c1ccccc1", "CC(=O)O", "CCN", "BrCC", "OCCO", "CCCC",
         "C#N", "CC=C"] * 3
FLAGS = ["--family=sequence", "--train_steps=4", "--batch_size=5",
         "--log_every=2", "--checkpoint_every=4", "--latent_dim=3",
         "--decoder_hidden_dim=8", "--decoder_embedding_dim=4",
         "--posterior_num_steps=1", "--prior_num_steps=2",
         "--evaluation_molecules_num_samples=12", "--evaluation_num_draws=1"]


@pytest.fixture(autouse=True, scope="module")
def needs_rdkit():
    pytest.importorskip("rdkit", reason="needs the extra lebm_tf[molecules]")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds own.smi, and run, a work directory trained on it."""
    path = tmp_path_factory.mktemp("molecules")
    (path / "own.smi").write_text("\n".join([*LINES, "C1CC", "C("]) + "\n")
    assert not call(train, *FLAGS, f"--dataset=smiles:{path}/own.smi",
                    f"--workdir={path}/run", "--evaluators=molecules")
    return path


def test_the_evaluator_writes_figures_and_pictures(folder):
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert not undeclared(metrics)
    assert metrics["molecules/num_samples/samples"] == 12
    assert metrics["molecules/num_samples/base_samples"] == 12
    assert 0 <= metrics["molecules/valid/samples"] <= 1
    assert metrics["molecules/invalid_train"] + metrics[
        "molecules/invalid_test"] == 2
    assert metrics["molecules/token_temperature"] == 1.0
    pictures = folder / "run" / "pictures"
    with Image.open(pictures / "molecules.png") as picture:
        assert min(picture.size) > 300
    assert (pictures / "molecule_properties.png").exists()
    lines = (pictures / "molecules.smi").read_text().splitlines()
    valid = [molecule is not None for molecule in smiles.parse(lines)]
    assert len(lines) == 12
    assert np.mean(valid) == metrics["molecules/valid/samples"]


def test_low_temperatures_of_tokens_are_measured_as_such(folder):
    assert not call(evaluate, f"--workdir={folder}/run",
                    "--evaluators=molecules",
                    "--evaluation_molecules_token_temperature=0.01")
    metrics = json.loads((folder / "run" / "metrics.json").read_text())
    assert metrics["molecules/token_temperature"] == 0.01


def test_samples_come_as_lines_and_as_a_grid(folder, refused):  # noqa: F811
    workdir, path = f"--workdir={folder}/run", folder / "x.smi"
    assert not call(sample, workdir, "--num_samples=5", f"--output={path}")
    lines = path.read_text().splitlines()
    assert len(lines) == 5
    # Nearly greedy: a chain that stands still decodes to the same twice.
    cold = [folder / f"cold{i}.smi" for i in range(2)]
    for name in cold:
        assert not call(sample, workdir, "--num_samples=5",
                        f"--output={name}", "--token_temperature=0.001")
    assert cold[0].read_text() == cold[1].read_text() != path.read_text()
    assert not call(sample, workdir, "--num_samples=5",
                    f"--output={folder}/x.png")
    with Image.open(folder / "x.png") as picture:
        assert picture.size[0] > 400
    assert "must end with .smi or .txt or .png or .npz for molecules" in (
        refused(sample, workdir, "--output=x.jpg"))
    assert "token_temperature must be > 0, or 0, got -1" in refused(
        sample, workdir, "--output=x.smi", "--token_temperature=-1")


@pytest.mark.parametrize("what, rows, found", [
    ("unchecked", 32, 0), ("keep", 32, 2), ("drop", 30, 2)])
def test_lines_that_are_no_molecules_are_counted(folder, what, rows, found):
    data = load_dataset(f"smiles:{folder}/own.smi", invalid_smiles=what)
    assert len(data.x_train) + len(data.x_test) == rows
    assert sum(count for name, count in data.counts.items()
               if name.endswith("no molecule")) == found
    assert ("no molecule" in data.describe()) == bool(found)


def test_lines_of_which_none_is_a_molecule_are_refused_before_training(
        tmp_path, refused):  # noqa: F811
    (tmp_path / "own.smi").write_text("C1CC\nC(\n" * 10)
    assert "needs a valid held-out molecule, got none in 2" in refused(
        train, *FLAGS, f"--dataset=smiles:{tmp_path}/own.smi",
        f"--workdir={tmp_path}/run", "--evaluators=molecules")
    assert not (tmp_path / "run").exists()


def test_data_of_another_kind_are_refused(folder, tmp_path, refused):  # noqa: F811,E501
    path = tmp_path / "own.txt"
    path.write_text("a b\nb a\nb b\n" * 5)
    with pytest.raises(InputError, match="than SMILES, got 'drop' for text:"):
        load_dataset(f"text:{path}", invalid_smiles="drop")
    assert "invalid_smiles must be left out for digits" in refused(
        train, "--dataset=digits", "--invalid_smiles=keep",
        f"--workdir={tmp_path}/w")
    assert "invalid_smiles must be one of unchecked, keep, drop" in refused(
        train, "--dataset=digits", "--invalid_smiles=x",
        f"--workdir={tmp_path}/w")
    assert "evaluator molecules needs SMILES, got text:" in refused(
        train, *FLAGS, f"--dataset=text:{path}", f"--workdir={tmp_path}/w",
        "--evaluators=molecules")


def test_without_rdkit_nothing_is_trained(
        folder, tmp_path, monkeypatch, refused):  # noqa: F811
    from lebm_tf.evaluation.molecules import samples

    def missing(name):
        raise InputError("molecules need RDKit, which is not installed; "
                         "install the extra lebm_tf[molecules].")
    monkeypatch.setattr(samples, "rdkit", missing)
    assert "molecules need RDKit" in refused(
        train, *FLAGS, f"--dataset=smiles:{folder}/own.smi",
        f"--workdir={tmp_path}/w", "--evaluators=molecules")
    assert not (tmp_path / "w").exists()
