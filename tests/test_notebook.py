"""The notebook runs from top to bottom, calls only, and is kept clean."""

import ast
import base64
import io
import json
import pathlib
import shutil
import sys

from IPython.core.inputtransformer2 import TransformerManager
from PIL import Image
from jupyter_client import KernelManager
import nbclient
import nbformat
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).parents[1]
NOTEBOOK = ROOT / "colab" / "quickstart.ipynb"
NUM_STEPS = 30
# What the test makes smaller: nothing of it decides whether a cell runs, and
# tests/serving checks rows of exports.
SMALLER = {"num_samples=1_000": "num_samples=200",
           "num_steps=600": "num_steps=60",
           "data.shape)": "data.shape, lebm_tf.serving.ServingConfig("
           "check_rows=0, row_blocks=(16,)))"}
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.comprehension)


def read():
    return nbformat.read(NOTEBOOK, as_version=4)


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def make_smaller(notebook):
    """Puts `SMALLER` in place of what stands there, each once."""
    for there, smaller in SMALLER.items():
        cell, = [cell for cell in code_cells(notebook)
                 if there in cell.source]
        cell.source = cell.source.replace(there, smaller)


def nodes(kinds):
    """Everything of some kinds in the code of the notebook."""
    plain = TransformerManager().transform_cell  # Magics become calls.
    return [node for cell in code_cells(read())
            for node in ast.walk(ast.parse(plain(cell.source)))
            if isinstance(node, kinds)]


def outputs(notebook, kind):
    """The outputs of one MIME type, in order."""
    return [output.data[kind] for cell in code_cells(notebook)
            for output in cell.outputs if kind in output.get("data", {})]


@pytest.fixture
def kernel(tmp_path, monkeypatch):
    """A kernel of this interpreter that imports this checkout; what Jupyter
    of the machine knows plays no part."""
    folder = tmp_path / "jupyter" / "kernels" / "this_python"
    folder.mkdir(parents=True)
    (folder / "kernel.json").write_text(json.dumps({
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f",
                 "{connection_file}"],
        "display_name": "this Python", "language": "python"}))
    for name, path in (("JUPYTER_PATH", tmp_path / "jupyter"),
                       ("JUPYTER_RUNTIME_DIR", tmp_path / "runtime"),
                       ("IPYTHONDIR", tmp_path / "ipython"),
                       ("PYTHONPATH", ROOT)):
        monkeypatch.setenv(name, str(path))
    monkeypatch.setenv("LEBM_NOTEBOOK_STEPS", str(NUM_STEPS))
    return KernelManager(kernel_name="this_python")


@pytest.mark.slow
def test_the_notebook_runs_and_shows_a_picture_wherever_it_asks_for_one(
        tmp_path, kernel):
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    folder = tmp_path / "colab"
    folder.mkdir()
    notebook = read()
    make_smaller(notebook)
    # A cell that fails raises.
    nbclient.NotebookClient(
        notebook, km=kernel, timeout=600,
        resources={"metadata": {"path": str(folder)}}).execute()
    asked = sum(cell.source.splitlines()[-1].startswith("Image(")
                for cell in code_cells(notebook))
    shown = [np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
             for data in outputs(notebook, "image/png")]
    assert len(shown) == asked >= 7
    assert all(picture.std() > 10 for picture in shown)
    assert any("posterior_num_steps" in text
               for text in outputs(notebook, "text/plain"))
    output = tmp_path / "runs" / "notebook"
    assert (output / "export" / "1" / "saved_model.pb").is_file()
    assert not list(folder.iterdir())


def test_the_notebook_only_calls():
    assert not nodes(DEFINITIONS)
    for loop in nodes(LOOPS):
        assert isinstance(loop.iter, ast.Tuple) and len(loop.iter.elts) <= 2


def test_the_notebook_is_kept_without_outputs():
    nbformat.validate(read())
    for cell in code_cells(read()):
        assert not cell.outputs and cell.execution_count is None


def test_every_cell_of_code_follows_an_explanation():
    """Two cells of code in a row belong to one step; three are too many."""
    kinds = "".join(cell.cell_type[0] for cell in read().cells)
    assert kinds.startswith("mm") and "ccc" not in kinds
    lines = [line for cell in read().cells
             for line in cell.source.splitlines()]
    assert max(map(len, lines)) <= 80
