"""The folder tree is the architecture: imports point one way."""

import ast
import pathlib

import pytest

import lebm_tf

PACKAGE = pathlib.Path(__file__).parents[1] / "lebm_tf"
FILES = sorted(PACKAGE.rglob("*.py"))
# Every layer may import from those before it in its row, and from itself.
CORE = ["mcmc", "networks", "densities", "samplers", "objectives", "models",
        "families"]
ALLOWED = {name: set(CORE[:i]) for i, name in enumerate(CORE)}
ALLOWED["mcmc"] = ALLOWED["networks"] = set()
ALLOWED["densities"] = {"mcmc"}
ALLOWED["samplers"] = {"mcmc", "densities"}
ALLOWED["objectives"] = ALLOWED["samplers"] | {"samplers"}
ALLOWED["models"] = ALLOWED["objectives"] | {"objectives"}
ALLOWED["datasets"] = {"mcmc"}  # Its random numbers.
ALLOWED["evaluation"] = ALLOWED["serving"] = set(CORE) | {"datasets"}
# Single files with no imports of their own.
ANYWHERE = {"errors", "files", "precision", "processor", "shapes", "token_ids"}
# The published anomaly split is a shuffle by numpy's seed 42.
DRAW_THEIR_OWN = {"mcmc/rng.py", "datasets/anomaly_split.py"}


def name(path):
    return str(path.relative_to(PACKAGE))


def parsed(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def imported(path):
    """Dotted names of all modules that a file imports, anywhere in it."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name(path)} has a relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own_layers(path):
    """First parts below lebm_tf that a file imports."""
    return {module.split(".")[1] for module in imported(path)
            if module.startswith("lebm_tf.")}


def used(path):
    """Dotted names that a file reads, such as tf.random.normal."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Attribute):
            yield ast.unparse(node)


def in_layers():
    return [path for path in FILES if path.parent != PACKAGE]


def test_every_folder_has_a_place_in_the_order():
    folders = {path.relative_to(PACKAGE).parts[0] for path in in_layers()}
    assert folders <= set(ALLOWED)
    assert set(CORE) <= folders


@pytest.mark.parametrize("path", in_layers(), ids=name)
def test_imports_point_one_way(path):
    layer = path.relative_to(PACKAGE).parts[0]
    assert own_layers(path) <= ALLOWED[layer] | ANYWHERE | {layer}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_file_needs_a_second_idea(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 300


@pytest.mark.parametrize("path", FILES, ids=name)
def test_no_file_imports_everything(path):
    assert not any(module.endswith(".*") for module in imported(path))


@pytest.mark.parametrize("path", sorted((PACKAGE / "mcmc").glob("*.py")),
                         ids=name)
def test_chains_know_no_keras(path):
    assert not [module for module in imported(path)
                if module.split(".")[0] in ("keras", "tf_keras")]
    assert not [call for call in used(path) if call.startswith("tf.keras")]


@pytest.mark.parametrize("path", FILES, ids=name)
def test_random_numbers_are_drawn_in_one_file(path):
    drawn = [call for call in used(path) if call.startswith((
        "tf.random.", "np.random.", "keras.random.", "random."))
        or "RandomIndexShuffle" in call]
    drawn += {"random", "numpy.random"} & set(imported(path))
    assert bool(drawn) == (name(path) in DRAW_THEIR_OWN)


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_prints(path):
    prints = [node for node in ast.walk(parsed(path)) if isinstance(
        node, ast.Call) and ast.unparse(node.func) == "print"]
    assert not prints


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_public_thing_says_what_it_is(path):
    tree = parsed(path)
    assert ast.get_docstring(tree)
    assert not [node.name for node in tree.body if isinstance(
        node, (ast.FunctionDef, ast.ClassDef))
        and not node.name.startswith("_") and not ast.get_docstring(node)]


@pytest.mark.parametrize("public", lebm_tf.__all__)
def test_every_public_name_is_there(public):
    assert getattr(lebm_tf, public).__doc__ or public == "FAMILIES"
