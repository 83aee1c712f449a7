"""Flags from dataclasses, dataclasses from flags."""

import dataclasses
import glob

import pytest

from lebm_tf import train
from lebm_tf.configuration import command, fields
from lebm_tf.configuration.data import DataConfig
from lebm_tf.configuration.run import RunConfig
from lebm_tf.errors import InputError
from lebm_tf.families import FAMILIES, image


def parse(*argv):
    return command.parse(train.all_fields(), ["", *argv])


@pytest.mark.parametrize("family", FAMILIES)
def test_every_field_is_a_flag_with_a_description(family):
    for field in fields.fields(FAMILIES[family].Config):
        assert field.help, field.flag


@pytest.mark.parametrize("family, flags, needed", [
    *((family, *case) for family in ("sequence", "symbol_vector") for case in (
        (("--decoder_tied", "--decoder_embedding_dim=64"), "--decoder_tied "
         "needs embedding_dim equal to hidden_dim, got 64 and 256"),
        (("--decoder_cell=gru", "--decoder_starts_cell"),
         "--decoder_starts_cell needs cell=lstm, got 'gru'"))),
    ("sequence", ("--decoder_cell=transformer", "--decoder_tied"),
     "--decoder_tied needs a recurrent cell, got transformer")])
def test_what_no_decoder_can_be_is_named_by_its_flags(family, flags, needed):
    with pytest.raises(InputError, match=needed):
        fields.from_flags(FAMILIES[family].Config, parse(*flags))


@pytest.mark.parametrize("family, part, cells", [
    ("sequence", "decoder", "lstm, gru, transformer"),
    ("sequence", "encoder", "lstm, gru"),
    ("symbol_vector", "decoder", "lstm, gru"),
    ("symbol_vector", "sequence_encoder", "lstm, gru")])
def test_a_cell_that_there_is_not_is_named_with_those_there_are(
        family, part, cells):
    with pytest.raises(
            InputError, match=f"--{part}_cell must be one of {cells}, got "):
        fields.from_flags(FAMILIES[family].Config,
                          parse(f"--{part}_cell=rnn"))


def test_a_flag_shared_by_families_has_one_type():
    types = {}
    for field in train.all_fields():
        assert types.setdefault(field.flag, field.type) == field.type


def test_unset_flags_leave_the_defaults():
    assert fields.from_flags(image.ImageConfig, parse()) == image.ImageConfig()


def test_a_flag_sets_its_nested_field_and_no_other():
    made = fields.from_flags(
        image.ImageConfig, parse("--prior_num_steps=7",
                                 "--generator_channels=3,4",
                                 "--energy_optimizer_learning_rate=1e-3"))
    expected = dataclasses.replace(
        image.ImageConfig(),
        prior=dataclasses.replace(image.ImageConfig().prior, num_steps=7),
        generator=dataclasses.replace(
            image.ImageConfig().generator, channels=(3, 4)),
        energy_optimizer=dataclasses.replace(
            image.ImageConfig().energy_optimizer, learning_rate=1e-3))
    assert made == expected


def test_later_flags_override_earlier_ones_and_flagfiles(tmp_path):
    path = tmp_path / "a.cfg"
    path.write_text("# Comment.\n--latent_dim=3\n")
    made = fields.from_flags(image.ImageConfig, parse(
        f"--flagfile={path}", "--latent_dim=5"))
    assert made.latent_dim == 5


def test_a_configuration_survives_json():
    made = fields.from_flags(image.ImageConfig, parse(
        "--generator_channels=3,4", "--prior_step_size=0.25"))
    assert fields.from_dict(image.ImageConfig, fields.to_dict(made)) == made


def test_an_unknown_field_in_json_is_refused():
    with pytest.raises(InputError, match="no field latent_dimm.*latent_dim"):
        fields.from_dict(image.ImageConfig, {"latent_dimm": 3})


def test_differences_name_the_flags():
    a = image.ImageConfig()
    b = dataclasses.replace(a, prior=dataclasses.replace(
        a.prior, step_size=0.3))
    assert fields.differences(a, b) == {"prior_step_size": (0.4, 0.3)}


def test_the_data_folder_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("LEBM_DATA_DIR", "/somewhere")
    assert DataConfig().resolved_data_dir() == "/somewhere"
    assert DataConfig(data_dir="/here").resolved_data_dir() == "/here"


def resolved(*argv):
    return train.resolve(parse(*argv))


def test_a_later_family_keeps_what_both_know_and_leaves_out_the_rest(capsys):
    run, model, _ = resolved(
        "--flagfile=configs/image_mnist.cfg", "--anomaly_label=9",
        "--family", "vae", "--kl_weight=2")
    assert (run.family, run.data.dataset) == ("vae", "mnist")
    assert run.data.anomaly_label == 9
    assert (model.latent_dim, model.kl_weight) == (16, 2.0)
    assert model.generator.channels == (128, 64, 32)
    assert capsys.readouterr().out == (
        "Ignored, because the family vae has no such flag: "
        "--posterior_num_steps, --energy_activation.\n")


@pytest.mark.parametrize("argv", [
    ["--family=image", "--family=vae", "--posterior_num_steps=3"],
    ["--posterior_num_steps=3", "--family=vae"],
    ["--family=image", "--kl_weight=2", "--family=vae",
     "--prior_num_steps=3"]])
def test_a_flag_that_no_earlier_family_knew_is_still_refused(argv):
    with pytest.raises(InputError, match="is a flag of the family"):
        resolved(*argv)


def test_a_flag_is_left_out_with_its_value_alone(capsys):
    run, model, _ = resolved(
        "--family=image", "--prior_jit_compile=on", "--posterior_jit_compile",
        "off",
        "--latent_dim", "7", "--family=vae", "--seed=3")
    assert (model.latent_dim, run.seed) == (7, 3)
    assert "--prior_jit_compile, --posterior_jit_compile." in (
        capsys.readouterr().out)


# M1+M2 is one of few labels, for symbol_vector.
@pytest.mark.parametrize("path", sorted(
    set(glob.glob("configs/baselines/*.cfg")) - {
        "configs/baselines/m1_m2.cfg"}))
@pytest.mark.parametrize("learned", ["image_mnist_anomaly", "image_svhn",
                                     "image_celeba64"])
def test_a_baseline_is_one_flag_away_from_the_learned_prior(path, learned):
    """The same data, generator, steps and batches; only the model differs."""
    first = f"--flagfile=configs/{learned}.cfg"
    run, model, settings = resolved(first)
    other, baseline, same = resolved(first, f"--flagfile={path}")
    assert other.family != "image" and same == settings
    for field in dataclasses.fields(RunConfig):
        if field.name not in ("family", "workdir"):
            assert getattr(run, field.name) == getattr(other, field.name)
    assert baseline.generator == model.generator
    assert baseline.latent_dim == model.latent_dim
    posterior = getattr(baseline, "posterior", model.posterior)
    assert posterior.num_steps == model.posterior.num_steps
