"""A published model is that of its run, and other commands read it."""

import json
import os
import shutil
import zipfile

import numpy as np
import pytest

import lebm_tf
from lebm_tf import evaluate, export, long_chains, publish, sample, train, zoo
from tests.commands.conftest import call


@pytest.fixture(scope="module")
def published(workdir, tmp_path_factory):
    """A folder of the shared run's model."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "about.md").write_text("Two steps | of training.\n")
    assert call(publish, f"--workdir={workdir}", f"--card={folder}/about.md",
                f"--output={folder}/small") == 0
    return folder / "small"


def test_a_published_model_is_that_of_its_run(workdir, published):
    first, second = (lebm_tf.load(str(path)) for path in (workdir, published))
    assert int(first.step) == int(second.step) == 2
    for one, two in zip(first.sample(3, seed=5), second.sample(3, seed=5)):
        np.testing.assert_array_equal(one, two)
    assert not list(published.glob("**/ckpt*"))


def test_its_files_say_what_it_is(workdir, published):
    card = (published / "MODEL_CARD.md").read_text()
    assert card.startswith("# small\n\nTwo steps | of training.\n")
    assert "| family | image |" in card and "`reconstruction/mse`" in card
    assert str(workdir) not in "".join(
        path.read_text() for path in published.iterdir()
        if path.suffix != ".npz")
    run, model, settings = lebm_tf.from_flagfile(str(published / "train.cfg"))
    from lebm_tf.training import workdir as workdirs
    kept = workdirs.read(str(published))
    assert (run.family, model, settings) == (
        kept.run.family, kept.model, kept.evaluation)


def test_an_archive_is_read_by_commands(
        workdir, tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("LEBM_CACHE_DIR", str(tmp_path / "cache"))
    path = tmp_path / "small.tar.gz"
    assert call(publish, f"--workdir={workdir}", f"--output={path}",
                "--dtype=float16") == 0
    checksum = zoo.checksum(str(path))
    assert checksum in capfd.readouterr().out
    given = [f"--model={path}", f"--sha256={checksum}"]
    assert call(sample, *given, "--num_samples=4",
                f"--output={tmp_path}/x.npz") == 0
    assert np.load(tmp_path / "x.npz")["x"].shape == (4, 8, 8, 1)
    assert call(evaluate, *given, "--evaluators=reconstruction",
                f"--output={tmp_path}/measured") == 0
    found, kept = (json.loads((folder / "metrics.json").read_text())
                   for folder in (tmp_path / "measured", workdir))
    assert found["reconstruction/mse"] == pytest.approx(
        kept["reconstruction/mse"], rel=1e-2)  # float16 has 11 bits.
    assert call(long_chains, *given, f"--output={tmp_path}/chains",
                "--num_chains=2", "--num_steps=4", "--part_steps=4",
                "--kernel=mala") == 0
    assert os.listdir(tmp_path / "cache" / "models") == [checksum]


@pytest.mark.parametrize("module, needed", [
    (evaluate, "--output must name a folder for a published model"),
    (long_chains, "--output must name a folder for a published model"),
    (export, "--output must name a folder")])
def test_a_published_model_is_not_written_to(
        module, needed, published, refused):
    before = sorted(os.listdir(published))
    for flag in ("--model", "--workdir"):
        assert needed in refused(module, f"{flag}={published}")
    assert sorted(os.listdir(published)) == before


@pytest.mark.parametrize("flags, needed", [
    (["--workdir=runs"], "--workdir must be left out with --model"),
    (["--checkpoint=best"], "--checkpoint must be left out for a published"),
    (["--sha256=" + "0" * 64], "sha256 must be left out without an archive")])
def test_flags_that_do_not_fit_are_refused(flags, needed, published, refused):
    assert needed in refused(
        sample, f"--model={published}", "--output=x.png", *flags)


def test_wrong_sources_and_targets_are_refused(
        workdir, published, refused, tmp_path):
    assert "a model of the zoo must be one of" in refused(
        sample, "--model=zoo:nothing", "--output=x.png")
    assert "no config.json there; is it --model=zoo:digits?" in refused(
        sample, "--workdir=zoo:digits", "--output=x.png")
    assert "--sha256 must be left out without --model" in refused(
        sample, f"--workdir={workdir}", "--sha256=00", "--output=x.png")
    assert "--output must name a new archive or folder" in refused(
        publish, f"--workdir={workdir}", f"--output={published}")
    assert "--dtype must be one of float32, float16" in refused(
        publish, f"--workdir={workdir}", "--output=x", "--dtype=int8")
    assert "got a published model, which holds no optimizers" in refused(
        train, "--flagfile=configs/smoke/image.cfg", f"--workdir={published}")


def damaged(published, tmp_path, change):
    """A copy whose weights are changed."""
    copy = tmp_path / "copy"
    shutil.copytree(published, copy)
    with np.load(copy / "weights.npz") as file:
        arrays = dict(file)
    change(arrays)
    np.savez(copy / "weights.npz", **arrays)
    return str(copy)


def test_weights_of_another_model_are_refused(published, tmp_path):
    def drop(arrays):
        arrays.pop("step/0")
    with pytest.raises(lebm_tf.InputError, match="first that differs is 'st"):
        lebm_tf.load(damaged(published, tmp_path, drop))


@pytest.mark.parametrize("value, needed", [
    (np.zeros(3), "must have numbers of shape"),
    (np.array(None), "must have numbers of shape")])
def test_wrong_arrays_and_pickles_are_refused(
        value, needed, published, tmp_path):
    def change(arrays):
        arrays["step/0"] = value
    with pytest.raises(lebm_tf.InputError, match=needed):
        lebm_tf.load(damaged(published, tmp_path, change))


def test_damaged_weights_are_refused(published, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(published, copy)
    content = (copy / "weights.npz").read_bytes()
    for wrong in (b"", content[:len(content) // 2]):
        (copy / "weights.npz").write_bytes(wrong)
        with pytest.raises(lebm_tf.InputError, match="weights.npz is damaged"):
            lebm_tf.load(str(copy))
    assert zipfile.is_zipfile(published / "weights.npz")
