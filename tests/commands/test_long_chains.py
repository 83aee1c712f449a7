"""`python -m lebm_tf.mcmc`: exact resume, what is written, what is refused."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import lebm_tf
from lebm_tf import long_chains
from lebm_tf.configuration import command, fields

PLAN = ["--num_chains=3", "--num_steps=12", "--part_steps=4", "--thin=2",
        "--num_leapfrog_steps=2", "--step_size=0.3"]


def call(workdir, output, *flags):
    return command.run(
        long_chains.main, long_chains.__doc__,
        fields.fields(long_chains.LongChainsConfig),
        ["mcmc", f"--workdir={workdir}", f"--output={output}", *PLAN, *flags])


def parts(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.startswith("part-"):
            with np.load(folder / name) as arrays:
                found[name] = {key: arrays[key] for key in arrays
                               if key != "seconds"}
    return found


@pytest.fixture(scope="module")
def whole(workdir, tmp_path_factory):
    path = tmp_path_factory.mktemp("chains") / "tempering"
    assert call(workdir, path, "--kernel=tempering") == 0
    return path


def test_a_run_that_was_stopped_goes_on_bit_for_bit(workdir, whole, tmp_path):
    """Replicas and counts of swaps are kept, too."""
    path = tmp_path / "again"
    assert call(workdir, path, "--kernel=tempering", "--num_steps=8") == 0
    assert len(parts(path)) == 2
    assert call(workdir, path, "--kernel=tempering") == 0
    expected, found = parts(whole), parts(path)
    assert list(expected) == list(found) and len(found) == 3
    for name in expected:
        for key in expected[name]:
            np.testing.assert_array_equal(
                expected[name][key], found[name][key])


def test_independent_proposals_are_draws_of_the_base(
        workdir, tmp_path, monkeypatch):
    plans, run = [], long_chains.long_chains.run

    def kept(plan, *arguments):
        plans.append(plan)
        return run(plan, *arguments)
    monkeypatch.setattr(long_chains.long_chains, "run", kept)
    assert call(workdir, tmp_path / "chains", "--kernel=independence") == 0
    base = lebm_tf.load(workdir).prior.base
    proposal = plans[0].kernel.proposal
    assert type(proposal) is type(base)
    assert proposal.get_config() == base.get_config()


def test_diagnostics_stand_beside_a_reference(whole):
    found = json.loads((whole / "diagnostics.json").read_text())
    assert found["groups"] == "class" and len(found["weights"]) == 10
    assert sum(found["weights"]) == pytest.approx(1)
    assert sum(found["reference_weights"]) == pytest.approx(1)
    assert found["reference_effective_sample_size"] > 100
    assert len(found["swap_rates"]) == 4
    assert found["num_records"] == 6
    row = found["values"]["log_prob"]
    assert row["bulk_ess"] > 0 and np.isfinite(row["r_hat"])


def test_the_file_opens_in_arviz_and_its_diagnostics_are_ours(whole):
    arviz = pytest.importorskip("arviz")
    data = arviz.from_netcdf(whole / "chains.nc")
    assert data.posterior["z"].shape == (3, 6, 4)
    assert data.sample_stats["lp"].dims[:2] == ("chain", "draw")
    assert data.attrs["family"] == "image"
    row = json.loads((whole / "diagnostics.json").read_text())["values"][
        "log_prob"]
    assert row["arviz_r_hat"] == pytest.approx(row["r_hat"], rel=1e-3)
    np.testing.assert_array_equal(
        data.sample_stats["lp"].values[:, 0],
        parts(whole)["part-00000.npz"]["log_prob"][0])


def test_posterior_chains_of_an_example_with_a_tuned_step(workdir, tmp_path):
    path = tmp_path / "posterior"
    assert call(workdir, path, "--kernel=mala", "--example=2",
                "--num_adaptation_steps=20", "--seed=3") == 0
    found = json.loads((path / "diagnostics.json").read_text())
    assert found["step_size"] != pytest.approx(0.3)
    assert found["reference_weights"] is None


def refuse(capfd, *arguments):
    capfd.readouterr()
    assert call(*arguments) == 2
    lines = capfd.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.mark.parametrize("flags,message", [
    (["--num_chains=1"], "num_chains must be >= 2, got 1."),
    (["--thin=3"], "thin must divide part_steps, and part_steps must divide "
     "num_steps, got 3, 4 and 12."),
    (["--num_steps=4"], "num_steps must be at least 4 thin, got 4 with thin "
     "2."),
    (["--kernel=pcn", "--step_size=2"], "step_size must lie in (0, 1], got"),
    (["--kernel=hcm"], "kernel must be one of langevin"),
    (["--kernel=independence", "--num_adaptation_steps=3"],
     "num_adaptation_steps must be left out with kernel=independence"),
    (["--example=450"], "--example must be below 450, the number of held-out "
     "examples, got 450."),
    (["--kernel=mala", "--step_size=300"], "at least 1% of the moves must be "
     "accepted, got 0.00% of Mala; try a step_size below 300, or more "
     "num_adaptation_steps, in a new folder.")])
def test_what_can_not_be_is_refused_in_one_line(
        workdir, tmp_path, capfd, flags, message):
    assert message in refuse(capfd, workdir, tmp_path / "chains", *flags)


def test_a_folder_of_other_damaged_or_newer_chains_is_refused(
        workdir, whole, capfd):
    assert "holds chains of another model or plan; they differ in seed (0 " \
        "there, 1 now)" in refuse(
            capfd, workdir, whole, "--kernel=tempering", "--seed=1")
    settings = whole / "settings.json"
    kept = settings.read_text()
    try:
        settings.write_text(kept.replace('"version": 1', '"version": 2'))
        assert "must hold chains of version 1 or older, got newer ones of " \
            "version 2." in refuse(
                capfd, workdir, whole, "--kernel=tempering")
    finally:
        settings.write_text(kept)
    part = whole / "part-00001.npz"
    content = part.read_bytes()
    try:
        part.write_bytes(content[:100])
        assert "part-00001.npz is damaged" in refuse(
            capfd, workdir, whole, "--kernel=tempering")
    finally:
        part.write_bytes(content)


def test_it_is_a_command_of_its_own():
    found = subprocess.run(
        [sys.executable, "-m", "lebm_tf.mcmc", "--help"], check=True,
        capture_output=True, text=True)
    assert "--num_leapfrog_steps" in found.stdout
