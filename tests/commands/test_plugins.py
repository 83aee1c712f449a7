"""What users bring in modules of their own."""

import json
import pathlib
import re
import sys

import numpy as np
import pytest

from lebm_tf import evaluate, sample, train
from lebm_tf.configuration import command
from lebm_tf.training import plugins
from tests.commands.conftest import call, fields_of

EXAMPLES = pathlib.Path(__file__).parents[2] / "docs" / "examples"
DOCUMENT = EXAMPLES.parent / "extending.md"


@pytest.fixture(autouse=True)
def apart(monkeypatch, tmp_path):
    """Nothing stays registered, or imported; modules lie in tmp_path."""
    before = {what: dict(known) for what, known in plugins.REGISTRIES.items()}
    modules = set(sys.modules)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for what, known in plugins.REGISTRIES.items():
        known.clear()
        known.update(before[what])
    for name in set(sys.modules) - modules:
        if name.startswith(("ring", "mine")):
            del sys.modules[name]


def test_the_example_trains_measures_and_samples(
        monkeypatch, tmp_path, capsys):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    workdir = f"--workdir={tmp_path}/run"
    assert not call(train, "--plugins=ring", "--family=ring",
                    "--dataset=ring", "--train_steps=20", "--batch_size=50",
                    "--evaluation_ring_num_samples=20", workdir)
    assert f"lebm_tf.evaluate --plugins=ring {workdir}" in (
        capsys.readouterr().out)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert 0 < metrics["ring/radius_error"] < 5
    assert not call(evaluate, "--plugins", "ring", workdir,
                    "--evaluators=ring")
    assert not call(sample, "--plugins=ring", workdir, "--num_samples=3",
                    f"--output={tmp_path}/ring.npz")
    with np.load(tmp_path / "ring.npz") as arrays:
        assert arrays["x"].shape == (3, 2)


def test_the_document_says_what_runs(monkeypatch, tmp_path):
    """Its Python block, and that its command lines are the example's."""
    text = DOCUMENT.read_text(encoding="utf-8")
    block = re.search(r"```python\n(.*?)```", text, re.S)[1]
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "mine_document"}
    exec(compile(block, "extending.md", "exec"), names)
    assert isinstance(names["again"].prior.energy_network, names["Quartic"])


def test_its_command_lines_parse(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    plugins.load(["ring"])
    lines = re.findall(r"^python -m lebm_tf\.(\w+) (.*--plugins.*)$",
                       DOCUMENT.read_text(encoding="utf-8"), re.M)
    assert [name for name, _ in lines] == ["train", "sample"]
    for name, flags in lines:
        module = {"train": train, "sample": sample}[name]
        values = command.parse(
            [*fields_of(module), command.PLUGINS], ["", *flags.split()])
        if module is train:
            train.resolve(values)


@pytest.mark.parametrize("code, said", [
    (None, "--plugins must name modules that Python can find, got 'mine'."),
    ("import nowhere_at_all", "--plugins: cannot import mine, got "
     "ModuleNotFoundError: No module named 'nowhere_at_all'"),
    ("raise RuntimeError('no luck')", "--plugins: cannot import mine, got "
     "RuntimeError: no luck"),
    ("from lebm_tf.families import FAMILIES, vae\nFAMILIES['image'] = vae",
     "--plugins: mine must register new names, but the family 'image' exists "
     "already."),
    ("from lebm_tf.evaluation import EVALUATORS\n"
     "EVALUATORS['chains'] = EVALUATORS['codes']",
     "--plugins: mine must register new names, but the evaluator 'chains' "
     "exists already.")])
def test_a_plugin_that_does_not_fit_is_refused(
        tmp_path, refused, code, said):
    if code is not None:
        (tmp_path / "mine.py").write_text(code + "\n")
    assert said in refused(train, "--plugins=mine",
                           "--flagfile=configs/smoke/image.cfg",
                           f"--workdir={tmp_path}/run")
    assert not (tmp_path / "run").exists()
    before = dict(plugins.REGISTRIES["family"])
    assert before["image"].__name__ == "lebm_tf.families.image"


def test_a_flagfile_may_name_plugins(tmp_path, refused):
    (tmp_path / "a.cfg").write_text("--plugins=mine_too\n")
    assert "got 'mine_too'" in refused(train, f"--flagfile={tmp_path}/a.cfg")


def test_without_its_plugin_a_run_is_not_loaded(
        monkeypatch, tmp_path, refused):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    workdir = f"--workdir={tmp_path}/run"
    assert not call(train, "--plugins=ring", "--family=ring",
                    "--dataset=ring", "--train_steps=2", "--batch_size=50",
                    workdir)
    for known in plugins.REGISTRIES.values():
        known.pop("ring")
    assert "--family must be one of" in refused(
        sample, workdir, f"--output={tmp_path}/x.npz")
