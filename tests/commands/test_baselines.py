"""Every family without an energy, through every command."""

import json

import numpy as np
import pytest

import lebm_tf
from lebm_tf import export, sample, train
from lebm_tf.configuration import command
from tests.commands.conftest import QUICK_EXPORT, call
from tests.oracles import assert_nests_equal

MEASURED = "pictures,reconstruction,frechet,codes,anomaly"
FLAGS = ["--anomaly_label=3", f"--evaluators={MEASURED}",
         "--evaluation_frechet_num_samples=20",
         "--evaluation_frechet_num_classifier_steps=2",
         "--evaluation_codes_num_examples=20",
         "--evaluation_codes_num_annealing_steps=2",
         "--evaluation_codes_num_annealing_chains=2"]
LAYERED = {"ladder_vae", "multilayer", "multilayer_two_stage", "sri"}
EXPORTED = {"vae"}  # All are, in tests/contracts.
WITHOUT_ERRORS = {"flow", "neural_transport"}
# One of each kind of latents; the others are in `make test-long`.
MEASURED_IN = {"vae", "flow", "multilayer"}


@pytest.mark.parametrize("flagfiles, channels", [
    (("quickstart_joint.cfg",), (32,)), (("image_svhn.cfg",), (64, 128, 256)),
    (("image_mnist_anomaly.cfg",), (32, 64))])
@pytest.mark.parametrize("baseline", ["vae", "two_stage_vae", "rae"])
def test_a_baseline_has_an_encoder_of_the_size_of_its_run(
        flagfiles, channels, baseline):
    """Half the widths of the generator, if the run has no encoder itself."""
    _, config, _ = command_of_train(*(
        f"--flagfile=configs/{name}" for name in (
            *flagfiles, f"baselines/{baseline}.cfg")))
    assert config.encoder.beside(config.generator).channels == channels


def command_of_train(*flags):
    """What the flags describe."""
    return train.resolve(command.parse(train.all_fields(), ["", *flags]))


FAMILIES = sorted(
    set(lebm_tf.FAMILIES) - {"cycle_translation", "image", "m1_m2",
                             "recovery_likelihood", "sequence",
                             "symbol_vector", "trajectory"})
each_family = pytest.mark.parametrize("family", FAMILIES)


@pytest.mark.parametrize("family", [
    pytest.param(family, marks=[pytest.mark.long] * (family not in MEASURED_IN))
    for family in FAMILIES])
def test_a_baseline_is_trained_and_measured(family, tmp_path):
    smoke, path = f"--flagfile=configs/smoke/{family}.cfg", tmp_path / "run"
    flags = [smoke, *FLAGS, f"--workdir={path}"]
    if family in WITHOUT_ERRORS:
        assert call(train, *flags) == 2
        flags.append("--evaluation_anomaly_score=log_joint")
    assert call(train, *flags) == 0
    metrics = json.loads((path / "metrics.json").read_text())
    for name in MEASURED.split(","):
        assert any(key.startswith(f"{name}/") for key in metrics), name
    assert 0 < metrics["anomaly/auprc"] < 1


@each_family
def test_a_baseline_is_trained_sampled_and_served(family, tmp_path):
    smoke, path = f"--flagfile=configs/smoke/{family}.cfg", tmp_path / "run"
    assert call(train, smoke, "--evaluators=pictures",
                f"--workdir={path}") == 0
    metrics = json.loads((path / "metrics.json").read_text())
    assert metrics["run/step"] == 2
    assert (path / "pictures" / "samples.png").is_file()
    assert call(sample, f"--workdir={path}", "--num_samples=5",
                f"--output={tmp_path / 'x.npz'}") == 0
    arrays = np.load(tmp_path / "x.npz")
    assert arrays["x"].shape == (5, 8, 8, 1)
    assert ("z2" in arrays) == (family in LAYERED)
    if family in EXPORTED:
        assert call(export, f"--workdir={path}", *QUICK_EXPORT,
                    f"--output={tmp_path / 'served'}") == 0


@pytest.mark.long  # As in the contract of families, but by commands.
@each_family
def test_a_stopped_baseline_goes_on_as_if_it_had_not_stopped(
        family, tmp_path):
    smoke = f"--flagfile=configs/smoke/{family}.cfg"
    path, whole = tmp_path / "run", tmp_path / "whole"
    assert call(train, smoke, f"--workdir={path}", "--train_steps=1") == 0
    assert call(train, smoke, f"--workdir={path}") == 0
    assert call(train, smoke, f"--workdir={whole}") == 0
    resumed, other = (lebm_tf.load(str(p)) for p in (path, whole))
    assert_nests_equal(resumed.sample(5, 1), other.sample(5, 1))


def test_what_is_of_one_layer_is_refused_for_several(refused, tmp_path):
    path = tmp_path / "run"
    assert "evaluator latents needs one layer of latents, got 2" in refused(
        train, "--flagfile=configs/smoke/sri.cfg", "--evaluators=latents",
        f"--workdir={path}")
    assert not path.exists()


@pytest.mark.parametrize("family, flag, needed", [
    ("sri", "--num_layers=0", "--num_layers must be >= 1, got 0"),
    ("sri", "--layer_hidden_units=0", "--layer_hidden_units must all be"),
    ("sri", "--posterior_start=encoder", "--posterior_start must be base or"),
    ("sri", "--inference_steps=-1", "--inference_steps must be >= 0, got -1"),
    ("rae", "--decoder_penalty=l1",
     "--decoder_penalty must be one of weights, gradient, none, got 'l1'"),
    ("rae", "--latent_weight=0", "--latent_weight must be > 0, got 0.0"),
    ("rae", "--mixture_components=0", "--mixture_components must be >= 1"),
    ("rae", "--mixture_components=2000", "at most the number of training"),
    ("two_stage_vae", "--second_scale=0", "--second_scale must be > 0"),
    ("two_stage_vae", "--second_hidden_units=0", "--second_hidden_units must"),
    ("flow_prior", "--latent_dim=5",
     "latent_dim must be even for a flow of coupling layers, got 5"),
    ("flow_prior", "--posterior_start=bank", "posterior_start must be base"),
    ("flow_prior", "--prior_num_steps=10",
     "--prior_num_steps is a flag of the family"),
    ("flow_prior", "--prior_sampler=hybrid",
     "--prior_sampler is a flag of the family"),
    ("divergence_triangle", "--energy_form=cube", "--energy_form must be one"),
    ("two_stage_vae", "--kl_weight=2", "--kl_weight is a flag of the family")])
def test_a_wrong_value_is_named_with_what_was_needed(
        refused, tmp_path, family, flag, needed):
    path = tmp_path / "run"
    assert needed in refused(
        train, f"--flagfile=configs/smoke/{family}.cfg", flag,
        f"--workdir={path}")
    assert not path.exists()
