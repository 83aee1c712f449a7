"""`python -m lebm_tf COMMAND`, which `lebm` runs too."""

import subprocess
import sys

from lebm_tf import __main__ as lebm


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "lebm_tf", *arguments], capture_output=True,
        text=True, timeout=120)


def test_it_lists_the_commands(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lebm"])
    assert lebm.main() == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()
              if line.startswith("    ")]
    assert listed == list(lebm.COMMANDS)


def test_it_runs_one_with_its_exit_code():
    result = run("train", "--train_step=5")
    assert result.returncode == 2
    assert "unknown flag --train_step (nearest: train_steps" in result.stderr


def test_a_wrong_command_is_told_the_nearest(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["lebm", "trian"])
    assert lebm.main() == 2
    assert capsys.readouterr().err == (
        "error: the command must be one of train, evaluate, sample, report, "
        "export, publish, shift, mcmc, got 'trian' (nearest: train).\n")
