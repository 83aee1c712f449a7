"""Command lines are checked before TensorFlow is loaded."""

import subprocess
import sys

import pytest

from lebm_tf import __main__ as lebm
from lebm_tf.configuration import command, early, listing
from lebm_tf.errors import InputError

SMOKE = "--flagfile=configs/smoke/image.cfg"
# Says last what of the slow modules was loaded.
PROGRAM = """
import runpy, sys
sys.argv = sys.argv[1:]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
finally:
    sys.stderr.write(str(sorted({"tensorflow", "numpy"} & set(sys.modules))))
"""
LISTED = listing.read()


def run(*argv):
    """Exit code, output and error lines, the last of which is `PROGRAM`'s."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *argv],
                          capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, done.stderr.splitlines()


@pytest.mark.parametrize("name", lebm.COMMANDS)
def test_help_loads_nothing_slow(name):
    code, output, errors = run(f"lebm_tf.{name}", "--help")
    assert (code, errors) == (0, ["[]"])
    for field in LISTED.fields[name]:
        assert f"  --{field.flag}" in output


@pytest.mark.parametrize("argv, message", [
    (["train", "--flagfile=nowhere.cfg"],
     "the flagfile nowhere.cfg must be there, got no such file."),
    (["train", SMOKE, "--train_step=5"],
     "unknown flag --train_step (nearest: train_steps"),
    (["sample", "--workdir=nowhere", "--output=x.png"],
     "nowhere must be the work directory of a run")])
def test_what_is_refused_loads_nothing_slow(argv, message):
    code, _, (error, loaded) = run("lebm_tf", *argv)
    assert code == 2 and loaded == "[]"
    assert error.startswith("error: ") and message in error


def refusal(name, *argv):
    values = command.parse([*LISTED.fields[name], command.PLUGINS],
                           ["", *argv])
    with pytest.raises(InputError) as caught:
        early.refuse(name, LISTED, values)
    return str(caught.value)


@pytest.mark.parametrize("argv, message", [
    (["--latent_dim=four"],
     "--latent_dim must be a 64-bit integer, got 'four'."),
    (["--latent_dim=0"], "--latent_dim must be >= 1, got 0."),
    (["--energy_dropout=1"], "--energy_dropout must lie in [0, 1), got 1.0."),
    (["--prior_kernel=gibbs"], "--prior_kernel must be one of langevin"),
    (["--latent_dims=3", "--family=multilayer"],
     "--latent_dims must hold 2 or more values, got 1."),
    (["--num_symbols=1", "--family=symbol_vector"],
     "--num_symbols must be >= 2, or 0, got 1."),
    (["--evaluation_num_draws=0"], "--evaluation_num_draws must be >= 1, got"),
    (["--family=images"], "--family must be one of image, vae"),
    (["--family=image", "--kl_weight=2"],
     "--kl_weight is a flag of the family vae"),
    (["--evaluators=pictures,frechett"], "(nearest: frechet)"),
    (["--dataset=mnits"], "unknown data set 'mnits'. Did you mean mnist?"),
    (["--dataset=npz:nowhere.npz"],
     "npz:nowhere.npz must be there, got no file or folder at nowhere.npz."),
    (["--baseline=nowhere.cfg"], "--baseline must be an existing flagfile,"),
    (["--backbone=nowhere"], "--backbone must be an existing flagfile or wor")])
def test_a_wrong_value_is_refused_as_later(argv, message):
    assert message in refusal("train", *argv)


def test_plugins_are_waited_for(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["train", "--plugins=mine", "--mine=3"])
    early.check("train", "Trains.")
    monkeypatch.setattr(sys, "argv", ["train", "--mine=3"])
    with pytest.raises(SystemExit) as caught:
        early.check("train", "Trains.")
    assert caught.value.code == 2
