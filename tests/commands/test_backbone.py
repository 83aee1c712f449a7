"""Priors that learn alone, on the generator and encoder of another run."""

import json

import numpy as np
import pytest

import lebm_tf
from lebm_tf import evaluate, export, sample, train
from tests.commands.conftest import QUICK_EXPORT, call
from tests.oracles import assert_nests_equal

SMOKE = "--flagfile=configs/smoke/prior.cfg"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The work directory of a prior and, in it, that of its backbone."""
    path = tmp_path_factory.mktemp("prior") / "run"
    assert call(train, SMOKE, f"--workdir={path}") == 0
    return path


def test_its_backbone_is_trained_first_and_measured_beside(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["run/family"] == "image"
    assert metrics["backbone/run/family"] == "rae"
    assert metrics["backbone/run/step"] == metrics["run/step"] == 2
    for name in ("base", "mixture_1", "mixture_2", "prior", "prior_low"):
        assert np.isfinite(metrics[f"codes/log_prob_{name}"])
    # Two steps of an energy that starts at 0.
    assert metrics["codes/log_prob_prior"] == pytest.approx(
        metrics["codes/log_prob_base"], abs=0.1)


def test_it_needs_its_backbone_no_more(trained, tmp_path):
    model, backbone = (lebm_tf.load(str(path)) for path in (
        trained, trained / "backbone"))
    z = model.sample(3).z
    np.testing.assert_array_equal(model.decode(z), backbone.decode(z))
    (trained / "backbone").rename(tmp_path / "elsewhere")
    try:
        assert_nests_equal(lebm_tf.load(str(trained)).sample(3),
                           model.sample(3))
        for command, flags in (
                (evaluate, ["--evaluators=reconstruction"]),
                (sample, [f"--output={tmp_path}/x.npz", "--num_samples=3"]),
                (export, [f"--output={tmp_path}/model", *QUICK_EXPORT])):
            assert call(command, f"--workdir={trained}", *flags) == 0
    finally:
        (tmp_path / "elsewhere").rename(trained / "backbone")


def test_a_work_directory_serves_as_backbone(trained, tmp_path, unmeasured):
    flags = [SMOKE, f"--backbone={trained}/backbone",
             f"--workdir={tmp_path}/run"]
    assert call(train, *flags, "--train_steps=1") == 0
    assert call(train, *flags) == 0
    assert not (tmp_path / "run" / "backbone").exists()
    first, second = (lebm_tf.load(str(path)) for path in (
        trained, tmp_path / "run"))
    assert_nests_equal(second.sample(3), first.sample(3))


@pytest.mark.parametrize("flags, said", [
    (["--stage=joint"], "--backbone requires --stage=prior, got"),
    (["--stage=joint", "--backbone=configs/smoke/rae.cfg"],
     "--backbone requires --stage=prior, got"),
    (["--latent_dim=3", "--backbone=configs/smoke/rae.cfg"],
     "--backbone must have latent_dim 3, got 4 in "),
    (["--backbone=nowhere"], "--backbone must be an existing flagfile or work "
     "directory, got "),
    (["--backbone={tmp}"], "must be the work directory of a run, got no con"),
    (["--latent_dim=3"], "--backbone must have latent_dim 3, got 4 in "),
    (["--dataset=npz:{tmp}/x.npz"], "--backbone must be trained on images of "
     "shape (4, 4, 1), got (8, 8, 1)"),
    (["--backbone=configs/smoke/sri.cfg"], "--backbone must belong to one of "
     "the families image, vae, rae, got sri"),
    (["--backbone=configs/smoke/image.cfg"], "--posterior_start=encoder needs "
     "a --backbone with an encoder, got none"),
    (["--generator_channels=4"], "generator must be left out with stage=prior"),
    (["--base=flow", "--latent_dim=3"], "base_components must be left out"),
    (["--base_fit_every=0"], "--base_fit_every must be >= 1, got 0")])
def test_what_is_no_backbone_is_refused(refused, trained, tmp_path, flags,
                                        said):
    np.savez(tmp_path / "x.npz", x_train=np.zeros([20, 4, 4, 1], np.uint8),
             x_test=np.zeros([20, 4, 4, 1], np.uint8))
    path = tmp_path / "run"
    flags = [flag.format(tmp=tmp_path) for flag in flags]
    if not any(flag.startswith("--backbone") for flag in flags):
        flags.append(f"--backbone={trained}/backbone")
    assert said in refused(train, SMOKE, *flags, f"--workdir={path}")
    assert not (path / "config.json").exists()
    needs_it = "with an encoder" in said  # Only a trained one tells.
    assert needs_it or not (path / "backbone").exists()


@pytest.mark.parametrize("flags, said", [
    (["--backbone="], "multilayer_two_stage needs the hierarchy of --backbone, "
                      "got none."),
    (["--backbone=nowhere"], "--backbone must be an existing flagfile or work "
     "directory, got "),
    (["--backbone=configs/smoke/vae.cfg"], "--backbone must belong to one of "
     "the families ladder_vae, got vae")])
def test_what_is_no_hierarchy_is_refused(refused, tmp_path, flags, said):
    smoke = "--flagfile=configs/smoke/multilayer_two_stage.cfg"
    path = tmp_path / "run"
    assert said in refused(train, smoke, *flags, f"--workdir={path}")
    assert not (path / "backbone").exists()
