"""The notebooks run from top to bottom, call only, and are kept clean."""

import ast
import base64
import configparser
import importlib.util
import io
import json
import os
import pathlib
import re
import socket
import sys
import types

from IPython.core.inputtransformer2 import TransformerManager
from PIL import Image
from jupyter_client import KernelManager
import nbclient
import nbformat
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[1]
NAMES = sorted(path.stem for path in (ROOT / "colab").glob("*.ipynb"))
each_notebook = pytest.mark.parametrize("name", NAMES)
# The address of the repository: that of the package.
_SETUP = configparser.ConfigParser()
_SETUP.read(ROOT / "setup.cfg")
ADDRESS = _SETUP["metadata"]["url"]
BADGE = (
    "[![Open in Colab](https://colab.research.google.com/assets/"
    "colab-badge.svg)](https://colab.research.google.com/github/"
    "{repository}/blob/main/colab/{name}.ipynb)")
INSTALL = '''import importlib.util
import os

ADDRESS = "{address}"
REPOSITORY = ".." if os.path.isdir("../configs") else "lebm_tf_repository"

if not os.path.isdir(REPOSITORY):
    !git clone --quiet --depth=1 {{ADDRESS}} {{REPOSITORY}}
if importlib.util.find_spec("lebm_tf") is None:
    %pip install --quiet "{{REPOSITORY}}{extra}"'''
# Extras of setup.cfg that a notebook needs.
EXTRAS = {"molecules": "molecules", "neural_transport": "chains",
          "serving": "serving"}


def free_port():
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return one.getsockname()[1]


# What a test makes smaller, besides the steps of training: nothing of it
# decides whether a cell runs, and tests/serving checks rows of exports.
SMALLER = {
    "quickstart": {"num_samples=1_000": "num_samples=200",
                   "num_steps=600": "num_steps=60",
                   "data.shape)": "data.shape, lebm_tf.serving.ServingConfig("
                   "check_rows=0, row_blocks=(16,)))"},
    "serving": {"row_blocks=(16,))": "row_blocks=(16,), check_rows=0)",
                "PORT = 8501": f"PORT = {free_port()}"}}
NUM_STEPS = {"quickstart": 30}  # Otherwise 2.
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda,
               ast.While, ast.Try)


def read(name):
    return nbformat.read(ROOT / "colab" / f"{name}.ipynb", as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def make_smaller(name, notebook):
    """Puts `SMALLER` in place of what stands there, each once."""
    steps = str(NUM_STEPS.get(name, 2))
    for cell in code_cells(notebook):
        cell.source = re.sub(r"^(\w+_STEPS) = [\d_]+$", rf"\1 = {steps}",
                             cell.source, flags=re.M)
    for there, smaller in SMALLER.get(name, {}).items():
        cell, = [cell for cell in code_cells(notebook)
                 if there in cell.source]
        cell.source = cell.source.replace(there, smaller)


def trees(name):
    """The code of every cell; magics become calls."""
    plain = TransformerManager().transform_cell
    return [ast.parse(plain(cell.source)) for cell in code_cells(read(name))]


def nodes(name, kinds):
    """Everything of some kinds in the code of a notebook."""
    return [node for tree in trees(name) for node in ast.walk(tree)
            if isinstance(node, kinds)]


def outputs(notebook, kind):
    """The outputs of one MIME type, in order."""
    return [output.data[kind] for cell in code_cells(notebook)
            for output in cell.outputs if kind in output.get("data", {})]


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel of this interpreter that imports this checkout; what Jupyter
    of the machine knows plays no part. It ends with the test."""
    folder = tmp_path / "jupyter" / "kernels" / "this_python"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f",
                 "{connection_file}"],
        "display_name": "this Python", "language": "python"}))
    for variable, value in (
            ("JUPYTER_PATH", tmp_path / "jupyter"),
            ("JUPYTER_RUNTIME_DIR", tmp_path / "runtime"),
            ("IPYTHONDIR", tmp_path / "ipython"), ("PYTHONPATH", ROOT),
            ("PATH", os.pathsep.join([os.path.dirname(sys.executable),
                                      os.environ["PATH"]]))):
        monkeypatch.setenv(variable, str(value))
    manager = KernelManager(kernel_name="this_python")
    yield manager
    manager.shutdown_kernel(now=True)


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_a_notebook_runs_and_shows_a_picture_wherever_it_asks_for_one(
        name, tmp_path, kernel):
    for there in ("configs", "export", "tests"):
        (tmp_path / there).symlink_to(ROOT / there)
    folder = tmp_path / "colab"
    folder.mkdir()
    notebook = read(name)
    make_smaller(name, notebook)
    # A cell that fails raises.
    nbclient.NotebookClient(
        notebook, km=kernel, timeout=600,
        resources={"metadata": {"path": str(folder)}}).execute()
    asked = sum(cell.source.splitlines()[-1].startswith(
        ("Image(", "plt.show(")) for cell in code_cells(notebook))
    shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
             for data in outputs(notebook, "image/png")]
    assert len(shown) == asked >= 2
    assert all(picture[..., :3].std() > 3 for picture in shown)
    assert (tmp_path / "runs").is_dir() and not list(folder.iterdir())


@each_notebook
def test_a_notebook_only_calls(name):
    assert not nodes(name, DEFINITIONS)
    for loop in nodes(name, ast.For):
        assert len(loop.body) <= 4


@each_notebook
def test_every_name_and_file_that_a_notebook_uses_is_there(name):
    known = {}
    for node in nodes(name, (ast.Import, ast.ImportFrom)):
        exec(compile(ast.Module([node], []), name, "exec"), known)
    for node in nodes(name, ast.Attribute):
        dotted = ast.unparse(node)
        root = known.get(dotted.partition(".")[0])
        if re.fullmatch(r"[\w.]+", dotted) and isinstance(
                root, types.ModuleType):
            eval(dotted, known)
    text = "\n".join(cell.source for cell in read(name).cells)
    files = re.findall(r"\b(?:configs|docs|export)/[\w/]+\.\w+", text)
    assert files and not [file for file in files if not (
        ROOT / file).is_file()]
    for module in re.findall(r"python -m (lebm_tf[\w.]*\w)", text):
        assert importlib.util.find_spec(module)


@each_notebook
def test_a_notebook_is_kept_without_outputs(name):
    nbformat.validate(read(name))
    for cell in code_cells(read(name)):
        assert not cell.outputs and cell.execution_count is None


@each_notebook
def test_a_notebook_opens_in_colab_and_installs_the_repository(name):
    first, *_ = read(name).cells
    assert BADGE.format(name=name, repository=ADDRESS.removeprefix(
        "https://github.com/")) in first.source.splitlines()
    extra = f"[{EXTRAS[name]}]" if name in EXTRAS else ""
    assert code_cells(read(name))[0].source == INSTALL.format(
        address=ADDRESS, extra=extra)


@each_notebook
def test_every_cell_of_code_follows_an_explanation(name):
    """Two cells of code in a row belong to one step; three are too many."""
    kinds = "".join(cell.cell_type[0] for cell in read(name).cells)
    assert kinds.startswith("mmc") and "ccc" not in kinds
    lines = [line for cell in read(name).cells
             for line in cell.source.splitlines()
             if not line.startswith(("[![", "!", "%run"))]
    assert max(map(len, lines)) <= 80
