"""The wheel works where it is installed; contributors' files are valid."""

import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[1]


def python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True,
        text=True, timeout=300, **options)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel that `make dist` builds from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    source = folder / "source"
    shutil.copytree(ROOT / "lebm_tf", source / "lebm_tf",
                    ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.cfg", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    python("-c", "from setuptools import build_meta; "
           f"build_meta.build_sdist({str(folder)!r})", cwd=source)
    (sdist,) = folder.glob("*.tar.gz")
    python("-m", "pip", "wheel", "--no-index", "--no-deps",
           "--no-build-isolation", "--wheel-dir", folder, sdist)
    (path,) = folder.glob("*.whl")
    return path


@pytest.mark.long
def test_the_wheel_holds_every_module_the_types_and_the_zoo(wheel):
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist()
                  if name.startswith("lebm_tf/")}
    assert packed == {
        str(path.relative_to(ROOT)) for path in ROOT.glob("lebm_tf/**/*")
        if path.suffix == ".py" or path.name in ("py.typed", "flags.json")
        or path.match("lebm_tf/zoo/*/*") and "__pycache__" not in path.parts}


@pytest.mark.long
def test_an_installed_wheel_trains_outside_of_the_repository(wheel, tmp_path):
    site, place = tmp_path / "site", tmp_path / "place"
    place.mkdir()
    python("-m", "pip", "install", "--no-index", "--no-deps", "--target", site,
           wheel)
    shutil.copy(ROOT / "configs/smoke/image.cfg", place)
    where = {"cwd": place, "env": {**os.environ, "PYTHONPATH": str(site)}}
    found = python("-c", "import lebm_tf; print(lebm_tf.__file__)", **where)
    assert pathlib.Path(found.stdout.strip()).is_relative_to(site)
    lebm = [site / "bin" / "lebm"]
    assert "--train_steps" in python(*lebm, "train", "--help", **where).stdout
    python(*lebm, "train", "--flagfile=image.cfg", "--workdir=run", **where)
    python(*lebm, "sample", "--workdir=run", "--output=x.png", **where)
    python(*lebm, "sample", "--model=zoo:digits", "--output=y.png", **where)
    assert (place / "run" / "metrics.json").is_file()
    assert (place / "x.png").is_file() and (place / "y.png").is_file()


def test_hooks_check_what_make_lint_checks():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    (local,) = hooks["repos"]
    makefile = (ROOT / "Makefile").read_text()
    lint, types = (makefile.split(f"\n{target}:")[1].split("\n\n")[0]
                   for target in ("lint", "types"))
    assert lint.startswith(" types\n")
    for hook in local["hooks"]:
        command = hook["entry"].removeprefix("python ").split(" --diff")[0]
        folders = hook["files"].strip("^()/").split(")")[0].replace("|", " ")
        if not hook.get("pass_filenames", True):  # Its folders: setup.cfg.
            folders = ""
        assert f"{command} {folders}".strip() in lint + types
    assert len(local["hooks"]) == (lint + types).count("$(RUN)")


@pytest.mark.parametrize("name", ["bug_report", "feature_request"])
def test_issue_templates_have_named_fields(name):
    form = yaml.safe_load(
        (ROOT / f".github/ISSUE_TEMPLATE/{name}.yml").read_text())
    assert form["name"] and form["description"]
    assert all(field["id"] and field["attributes"]["label"]
               for field in form["body"])
    assert any(field.get("validations", {}).get("required")
               for field in form["body"])
