"""The folder tree is the architecture: imports point one way."""

import ast
import graphlib
import importlib
import pathlib

import pytest

import lebm_tf

PACKAGE = pathlib.Path(__file__).parents[1] / "lebm_tf"
FILES = sorted(PACKAGE.rglob("*.py"))
# Every layer may import from those before it in its row, and from itself.
CORE = ["mcmc", "networks", "densities", "samplers", "objectives", "models",
        "assembly", "families"]
ALLOWED = {name: set(CORE[:i]) for i, name in enumerate(CORE)}
ALLOWED["mcmc"] = ALLOWED["networks"] = set()
ALLOWED["densities"] = {"mcmc"}
ALLOWED["samplers"] = {"mcmc", "densities"}
ALLOWED["objectives"] = ALLOWED["samplers"] | {"samplers"}
ALLOWED["models"] = ALLOWED["objectives"] | {"objectives"}
ALLOWED["chemistry"] = set()
# Random numbers of the first, and what users may set.
ALLOWED["datasets"] = {"mcmc", "chemistry", "configuration"}
ALLOWED["serving"] = set(CORE) | {"datasets", "chemistry"}
# The settings of evaluators are flags.
ALLOWED["evaluation"] = ALLOWED["serving"] | {"configuration"}
ALLOWED["configuration"] = set()
ALLOWED["devices"] = {"configuration"}
ALLOWED["zoo"] = set()
ALLOWED["training"] = set(CORE) | {
    "datasets", "devices", "evaluation", "configuration", "zoo"}
# Commands, which nothing imports but each other.
COMMANDS = {"__main__", "evaluate", "export", "list_flags", "long_chains",
            "publish", "report", "sample", "shift", "train"}
# Single files that import nothing but each other.
ANYWHERE = {"errors", "files", "kinds", "precision", "processor", "ranges",
            "shapes", "text_files", "token_ids"}
# Of what is installed, apart from TensorFlow and Keras.
SLOW = {"arviz", "matplotlib", "pandas", "rdkit", "scipy", "sklearn",
        "tensorflow_datasets", "tensorflow_probability", "tensorflow_text"}
# The published anomaly split is a shuffle by numpy's seed 42.
DRAW_THEIR_OWN = {"mcmc/rng.py", "datasets/images/anomaly_split.py"}


def name(path):
    return str(path.relative_to(PACKAGE))


def module(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


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


def place(path):
    """The folder below lebm_tf that a file lies in; of a single file its own
    name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_file_has_a_place_in_the_order():
    assert {place(path) for path in FILES} == (
        set(ALLOWED) | COMMANDS | ANYWHERE | {"__init__"})


@pytest.mark.parametrize("path", FILES, ids=name)
def test_imports_point_one_way(path):
    own = place(path)
    below = set() if own in ANYWHERE else ALLOWED.get(
        own, set(ALLOWED) | COMMANDS)
    assert own_layers(path) <= below | ANYWHERE | {own}


def test_modules_import_each_other_in_no_circle():
    files = {module(path): path for path in FILES}
    graph = {name: {other for other in imported(path) if other in files
                    and other != name and files[other].name != "__init__.py"}
             for name, path in files.items()
             if path.name != "__init__.py"}
    sorter, sorted_files = graphlib.TopologicalSorter(graph), ()
    try:
        sorted_files = tuple(sorter.static_order())
    except graphlib.CycleError as error:
        circle = " -> ".join(error.args[1])
        pytest.fail(f"modules import each other in a circle: {circle}")
    assert set(sorted_files) == set(graph)


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
def test_what_is_slow_to_import_is_imported_where_it_is_used(path):
    """Each delays the start of every command by up to a second."""
    imports = [node for node in parsed(path).body
               if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = {alias.name if isinstance(node, ast.Import) else node.module
             for node in imports for alias in node.names}
    assert not SLOW & {name.split(".")[0] for name in names}


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


@pytest.mark.parametrize("path", [path for path in FILES if (
    path.name == "__init__.py" and path.parent != PACKAGE)], ids=name)
def test_a_package_holds_what_it_says(path):
    package = importlib.import_module(".".join(
        ("lebm_tf", *path.parent.relative_to(PACKAGE).parts)))
    assert not [public for public in vars(package).get("__all__", ())
                if not hasattr(package, public)]


@pytest.mark.parametrize("public", lebm_tf.__all__)
def test_every_public_name_is_there(public):
    assert getattr(lebm_tf, public).__doc__ or public == "FAMILIES"
