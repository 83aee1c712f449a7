"""Two domains from the command line: trained, measured, translated, served."""

import json
import shutil

from PIL import Image
import numpy as np
import pytest
import tensorflow as tf

import lebm_tf
from lebm_tf import evaluate, export, sample, train
from lebm_tf.datasets import to_model, to_uint8
from lebm_tf.models.domains import DIRECTIONS
from tests.commands.conftest import QUICK_EXPORT, call

SMOKE = "--flagfile=configs/smoke/cycle_translation.cfg"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two steps on digits and their negatives."""
    path = tmp_path_factory.mktemp("run") / "digits"
    assert call(train, SMOKE, "--chain_noise_scale=1",
                f"--workdir={path}") == 0
    return path


@pytest.fixture(scope="module")
def model(run):
    found = lebm_tf.load(str(run))
    found.inference_batch = 4
    return found


@pytest.fixture(scope="module")
def digits():
    return lebm_tf.load_dataset("digits").x_test[:4]


@pytest.fixture
def folder(tmp_path, digits):
    """Three pictures, one of them below another folder."""
    (tmp_path / "in" / "more").mkdir(parents=True)
    for name, x in zip(("1.png", "2.bmp", "more/3.png"), digits):
        Image.fromarray(x[..., 0]).save(tmp_path / "in" / name)
    return tmp_path / "in"


def test_everything_about_it_is_measured(run):
    metrics = json.loads((run / "metrics.json").read_text())
    for direction in DIRECTIONS:
        for name in ("cycle_error", "teaching_distance", "energy_real",
                     "energy", "psnr", "psnr_identity", "accuracy",
                     "accuracy_identity", "accuracy_real"):
            assert np.isfinite(metrics[f"translation/{direction}/{name}"])
        assert (run / "pictures" / f"translation_{direction}.png").exists()
    # Of digits against their negatives: 4 / mean (2 x)^2.
    assert metrics["translation/ab/psnr_identity"] == (
        metrics["translation/ba/psnr_identity"])


def test_it_is_measured_again(run):
    before = (run / "metrics.json").read_text()
    assert call(evaluate, f"--workdir={run}", "--evaluators=translation") == 0
    after = json.loads((run / "metrics.json").read_text())
    again = json.loads(before)
    assert {key: value for key, value in after.items() if key.startswith(
        "translation/")} == {key: value for key, value in again.items()
                             if key.startswith("translation/")}


def test_a_folder_is_translated_either_way(run, folder, tmp_path, model,
                                           digits):
    found = {}
    for direction in DIRECTIONS:
        output = tmp_path / direction
        assert call(sample, f"--workdir={run}", f"--input={folder}",
                    f"--direction={direction}", f"--output={output}",
                    "--seed=3") == 0
        files = sorted(str(path.relative_to(output))
                       for path in output.rglob("*.png"))
        assert files == ["1.png", "2.png", "more/3.png"]
        found[direction] = np.stack([np.asarray(Image.open(output / file))
                                     for file in files])
        x = lebm_tf.load(str(run)).translate(
            to_model(digits[:3]), direction, 3).x
        np.testing.assert_array_equal(found[direction], to_uint8(x)[..., 0])
    assert np.any(found["ab"] != found["ba"])


def test_held_out_pictures_are_translated_with_or_without_revision(
        run, tmp_path):
    for steps, name in ((-1, "revised"), (0, "start")):
        assert call(sample, f"--workdir={run}", "--num_samples=5",
                    f"--num_steps={steps}",
                    f"--output={tmp_path / name}.npz") == 0
    revised, start = (np.load(tmp_path / f"{name}.npz")
                      for name in ("revised", "start"))
    assert revised["x"].shape == (5, 8, 8, 1)
    np.testing.assert_array_equal(start["x"], start["translation"])
    np.testing.assert_array_equal(start["x"], revised["translation"])
    np.testing.assert_array_equal(start["energy"], start["translation_energy"])
    assert np.any(revised["energy"] != start["energy"])
    assert call(sample, f"--workdir={run}", "--num_samples=2",
                f"--output={tmp_path / 'grid.png'}") == 0
    assert Image.open(tmp_path / "grid.png").size[0] > 100


def test_what_is_exported_answers_as_the_model_does(run, tmp_path, model,
                                                    digits):
    """Reloaded without this library's code; every row with its own seed."""
    assert call(export, f"--workdir={run}", f"--output={tmp_path / 'm'}",
                *QUICK_EXPORT, "--nowarmup", "--exposed=num_steps") == 0
    served = tf.saved_model.load(str(tmp_path / "m" / "1")).signatures
    assert set(served) == {"serving_default", *(
        f"translate_{direction}{end}" for direction in DIRECTIONS
        for end in ("", "_png"))}
    x, seed = to_model(digits), tf.constant([5, 1, 9, 4], tf.int64)
    files = tf.stack([tf.io.encode_png(row) for row in digits])
    for direction in DIRECTIONS:
        answer = served[f"translate_{direction}"]
        steps = tf.fill([4], 2)
        made = answer(x=x, seed=seed, num_steps=steps)
        assert set(made["status"].numpy()) == {b""}
        alone = answer(x=x[2:3], seed=seed[2:3], num_steps=steps[2:3])
        np.testing.assert_array_equal(alone["x"][0], made["x"][2])
        start = answer(x=x, seed=seed, num_steps=0 * steps)["x"]
        np.testing.assert_allclose(start, made["translation"], atol=1e-6)
        np.testing.assert_allclose(start, model.translate(
            x, direction, num_steps=0).x, atol=1e-5)
        prior = model.roles[f"translate_{direction}"].prior
        np.testing.assert_allclose(
            made["energy"], prior.energy(made["x"]), atol=1e-6)
        png = served[f"translate_{direction}_png"](
            png_bytes=files, seed=seed, num_steps=steps)
        np.testing.assert_array_equal(
            tf.io.decode_png(png["png_bytes"][1]), to_uint8(made["x"][1]))


def test_a_wrong_picture_is_answered_in_its_own_row(model, tmp_path, digits):
    path = lebm_tf.serving.export_model(
        model, str(tmp_path), (8, 8, 1), lebm_tf.serving.ServingConfig(
            check_rows=0, warmup=False, row_blocks=(16,)))
    served = tf.saved_model.load(path).signatures
    found = served["translate_ab_png"](
        png_bytes=tf.stack([tf.io.encode_png(digits[0]), tf.io.encode_png(
            np.zeros([9, 8, 1], np.uint8))]), seed=tf.constant(
                [1, 2], tf.int64))
    assert found["status"][0] == b"" and b"8x8" in found["status"][1].numpy()
    assert found["png_bytes"][1] == b""


@pytest.mark.long  # As in the contract of families, but by commands.
def test_a_checkpoint_goes_on_as_if_it_had_not_stopped(
        run, tmp_path, unmeasured):
    """Batches of both domains too."""
    shutil.copytree(run, tmp_path / "halves")
    for name in ("halves", "whole"):
        assert call(train, SMOKE, "--chain_noise_scale=1", "--train_steps=3",
                    f"--workdir={tmp_path / name}") == 0
    whole, halves = (lebm_tf.load(str(tmp_path / name))
                     for name in ("whole", "halves"))
    for part in whole.parts:
        for a, b in zip(whole.variables_of(part), halves.variables_of(part)):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("flags, message", [
    ("--direction=ac", "--direction must be one of ab, ba, got 'ac'"),
    ("--input={tmp}/in", "4.png must be 8x8 pixels as in training, got 9x8."),
    ("--input={tmp}/none", "none must be a folder with images"),
    ("--output={tmp}/x.txt", "--output must end with .png or .npz for pairs "
     "of domains of images, got"),
    ("--output=", "--output must name a file or folder, got none.")])
def test_what_can_not_be_translated_is_refused(
        run, folder, refused, flags, message, tmp_path):
    Image.new("L", (8, 9)).save(folder / "4.png")
    assert message in refused(sample, f"--workdir={run}",
                              f"--output={tmp_path / 'x.png'}",
                              flags.format(tmp=tmp_path))


@pytest.mark.parametrize("flags, message", [
    (("--pair_made=", "--pair_same=false"), "digits twice; use --pair_same"),
    (("--image_size=10",), "needs sides that are multiples of"),
    (("--family=image",), "the family image needs images, got pairs of "),
    (("--dataset=digits", "--pair_made="), "needs pairs of domains of images,"
     " got images"),
    (("--through_chain", "--chain_kernel=mala", "--chain_noise_scale=1"),
     "through_chain needs chain_kernel=langevin"),
    (("--chain_start=bank",), "start must be left out of chains that start"),
    (("--learns=energies", "--translators_last"),
     "translators_last must be left out with learns=energies")])
def test_runs_that_make_no_sense_are_refused(refused, tmp_path, flags,
                                             message):
    assert message in refused(train, SMOKE, *flags,
                              f"--workdir={tmp_path / 'run'}")
    assert not (tmp_path / "run").exists()


def test_a_model_says_what_it_can_not_translate(model, digits):
    with pytest.raises(ValueError, match="direction must be ab or ba, got"):
        model.translate(to_model(digits), "aa")
    with pytest.raises(ValueError, match="images must be 8x8x1 as in train"):
        model.translate(np.zeros([2, 16, 16, 1]))
    with pytest.raises(ValueError, match="num_steps must be >= 0, got -2."):
        model.translate(to_model(digits), num_steps=-2)
    with pytest.raises(ValueError, match="at least one image, got none"):
        model.translate(np.zeros([0, 8, 8, 1]))
