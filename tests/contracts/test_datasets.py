"""One contract for every data set; a new class or name joins by one line."""

import dataclasses

from PIL import Image
import numpy as np
import pytest
import tensorflow as tf

from lebm_tf import datasets, kinds
from lebm_tf.configuration.data import StorageOptions, TrajectoryOptions
from lebm_tf.datasets import (
    DATASETS, SEQUENCES, TRAJECTORIES, DataSet, load_dataset, steps_per_epoch,
    train_batches, validation_split)
from lebm_tf.datasets.sequences.lines import PUBLIC
from lebm_tf.datasets.tables.loading import VECTORS
from lebm_tf.datasets.tables.unigrams import UNIGRAMS
from lebm_tf.datasets.validation_split import validation_view
from lebm_tf.families import DataSpec
from tests.datasets.record_files import save_records
from tests.datasets.test_vectors import documents, table, write
from tests.datasets.trajectory_tables import FOLDS, save_eth, save_sdd

NAMES = [*DATASETS, "pair:A,B", *SEQUENCES, *UNIGRAMS, *VECTORS, *TRAJECTORIES]
# tensorflow-datasets holds no text that needs no download.
DOWNLOADED = {"tfds:NAME"}


def pictures(path):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, [30, 8, 8, 3]).astype(np.uint8)
    y = np.arange(30) % 3
    path.parent.mkdir(exist_ok=True)
    np.savez(path, x_train=x, x_test=x[:10], y_train=y, y_test=y[:10])


def npz(folder):
    pictures(folder / "own" / "x.npz")
    return f"npz:{folder}/own/x.npz"


def public_pictures(name):
    def make(folder):
        pictures(folder / name / f"{name}.npz")
        return name
    return make


def picture_folder(folder):
    for i in range(12):
        Image.new("RGB", (9, 9), (i, 20 * i, 0)).save(folder / f"{i}.png")
    return f"folder:{folder}"


def records(folder):
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, [20, 8, 8, 3]).astype(np.uint8)
    return "records:" + str(save_records(
        folder / "set", train=(x, np.arange(20) % 3)))


def envelopes(folder):
    rng = np.random.default_rng(0)
    (folder / "usps").mkdir()
    x = rng.integers(0, 2001, [20, 16, 16]).astype(np.int16)
    y = (np.arange(20) % 10).astype(np.uint8)
    np.savez(folder / "usps" / "usps.npz", x_train=x, y_train=y,
             x_test=x[:5], y_test=y[:5])
    return "usps"


def two_domains(folder):
    (folder / "a").mkdir()
    return f"pair:{picture_folder(folder / 'a')},{npz(folder)}"


def public_lines(name):
    def make(folder):
        (folder / name).mkdir()
        texts = ["CC", "CCO", "c1ccccc1"] if name == "zinc" else [
            "a b", "b c a", "a"]
        for file in PUBLIC[name][1]:
            write(folder / name / file, texts * 4)
        return name
    return make


def own_lines(kind, *texts):
    def make(folder):
        return f"{kind}:{write(folder / 'lines', texts * 4)}"
    return make


def protein(folder):
    (folder / "protein").mkdir()
    write(folder / "protein" / "CASP.csv", ["RMSD,F1,F2", *(
        f"{i / 9},{i},{i % 7}" for i in range(60))])
    return "protein"


def hepmass(folder):
    (folder / "hepmass").mkdir()
    for part, more in (("train", ""), ("test", ",1000")):
        write(folder / "hepmass" / f"1000_{part}.csv", [
            "label,f0,f1", *(f"{i % 2},{i},{i % 5}{more}" for i in range(20))])
    return "hepmass"


def miniboone(folder):
    (folder / "miniboone").mkdir()
    write(folder / "miniboone" / "MiniBooNE_PID.txt", [
        " 20 30", *(f"{i} {i % 5}" for i in range(50))])
    return "miniboone"


def agnews(folder):
    documents(folder)
    return "agnews"


def drones(folder):
    save_sdd(folder)
    return "sdd"


def scene(name):
    def make(folder):
        save_eth(folder, splits={name: {"train": ["biwi_train"], "val": [
            "biwi_val"], "test": ["zara"]}})
        return name
    return make


def vectors(folder):
    return f"csv:{table(folder / 'table.csv')}"


def paths(folder):
    return "csv:" + str(write(folder / "walks.csv", [
        "frame,agent,x,y", *(f"{frame},{agent},{frame * agent},{agent}"
                             for frame in range(120) for agent in (1, 2))]))


# Name of a loader -> what writes its files and says what to load. csv:FILE is
# of two kinds, told by its columns.
CASES = {
    "digits": lambda folder: "digits", "npz:FILE": npz,
    "usps": envelopes, "folder:DIR": picture_folder, "pair:A,B": two_domains,
    "records:DIR": records,
    **{name: public_pictures(name) for name in (
        "mnist", "fashion_mnist", "svhn_cropped", "cifar10", "celeb_a")},
    **{name: public_lines(name) for name in PUBLIC},
    "text:FILE": own_lines("text", "a b", "c", "b"),
    "smiles:FILE": own_lines("smiles", "CC", "CCO", "C"),
    "agnews": agnews, "protein": protein, "hepmass": hepmass,
    "miniboone": miniboone, "csv:FILE": vectors, "csv:FILE of paths": paths,
    "sdd": drones, **{name: scene(name) for name in FOLDS}}
OPTIONS = {"pair:A,B": {"image_size": 8},
           "csv:FILE": {"label_column": "kind"}, "csv:FILE of paths": {
               "trajectories": TrajectoryOptions(unit="m")}}


def test_every_name_is_in_the_list():
    assert set(NAMES) - DOWNLOADED == set(CASES) - {"csv:FILE of paths"}


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Every data set of the list, by name."""
    found = {}
    for name, make in CASES.items():
        folder = tmp_path_factory.mktemp("data")
        found[name] = load_dataset(
            make(folder), data_dir=str(folder), **OPTIONS.get(name, {}))
    return found


def subclasses(base):
    for found in base.__subclasses__():
        yield found
        yield from subclasses(found)


def test_every_class_is_in_the_list(loaded):
    public = {found for found in subclasses(DataSet)
              if found.__module__.startswith("lebm_tf.")
              and not found.__name__.startswith("_")}
    assert {type(data) for data in loaded.values()} == public
    assert all(found.__name__ in datasets.__all__ for found in public)
    assert {data.kind for data in loaded.values()} == set(kinds.KINDS)


def check(data, batch_size):
    """What a model, a run and an evaluator take of any data set."""
    assert isinstance(data, DataSet) and data.kind in kinds.KINDS
    assert data.name and "\n" not in data.describe()
    spec = DataSpec.of(data)
    assert spec.shape == data.shape and spec.num_train == len(data.x_train)
    names = [part.name for part in data.parts()]
    assert names[:2] == ["train", "test"]
    for part in data.parts():
        for x in tf.nest.flatten(data.to_model(part.x[:2])):
            assert tuple(x.shape) == (min(2, len(part.x)), *data.shape)
            assert x.dtype in (tf.float32, tf.int32)
        if part.y is not None:
            assert part.y.shape == (len(part.x),)
            assert 0 <= part.y.min() and part.y.max() < data.num_classes
    assert steps_per_epoch(data, batch_size) >= 1
    batch = next(iter(train_batches(data, batch_size, seed=0)))
    assert batch["index"].shape == (batch_size,)
    if data.kind == kinds.SEQUENCE:
        assert batch["x"].shape[1] <= data.shape[0]
    elif data.kind != kinds.TRAJECTORY:
        assert all(x.shape == (batch_size, *data.shape)
                   for x in tf.nest.flatten(batch["x"]))


@pytest.mark.parametrize("name", CASES)
def test_it_keeps_the_contract(name, loaded):
    check(loaded[name], batch_size=2)


@pytest.mark.parametrize("name", [
    "folder:DIR", "records:DIR", "text:FILE", "smiles:FILE"])
def test_it_keeps_the_contract_on_disk(name, loaded, tmp_path):
    memory = loaded[name]
    data = load_dataset(memory.name, storage=StorageOptions(
        max_memory_gb=0.0, index=str(tmp_path / "index.npz")))
    assert isinstance(data.x_train, datasets.Stored)
    check(data, batch_size=2)
    assert DataSpec.of(data) == DataSpec.of(memory)
    again = load_dataset(data.name, **data.origin)
    np.testing.assert_array_equal(again.x_train, memory.x_train)


# The few windows of sdd here are no stretch of time that could be cut.
@pytest.mark.parametrize("name", [name for name in CASES if name != "sdd"])
def test_a_part_of_it_serves_to_choose_by(name, loaded):
    split = loaded[name]
    if split.x_validation is None:
        if split.kind == kinds.TRAJECTORY:
            split = dataclasses.replace(split, origin={
                "trajectories": TrajectoryOptions(
                    validation_by="time")})
        split = validation_split(split, 0.4)
    train, _, validation = split.parts()
    assert (len(train.y) if train.y is not None else 0) in (0, len(train.x))
    view = validation_view(split)
    np.testing.assert_array_equal(view.x_train, train.x)
    np.testing.assert_array_equal(view.x_test, validation.x)
    assert view.x_validation is None


@pytest.mark.parametrize("name", CASES)
def test_where_it_came_from_loads_it_again(name, loaded):
    data = loaded[name]
    again = load_dataset(data.name, **data.origin)
    np.testing.assert_array_equal(again.x_train, data.x_train)
    assert DataSpec.of(again) == DataSpec.of(data)


class Ramps(DataSet):
    """No more than is owed."""
    kind, name, shape = kinds.VECTOR, "ramps", (3,)
    x_train = np.arange(12, dtype=np.float32).reshape(4, 3)
    x_test = x_train[:2]

    def to_model(self, x):
        return tf.cast(x, tf.float32)

    def describe(self):
        return "ramps"


def test_what_is_owed_is_enough():
    check(Ramps(), batch_size=3)
    assert DataSpec.of(Ramps()) == DataSpec((3,), 4, kind="vector")


def test_what_is_owed_must_be_there():
    class Nothing(DataSet):
        """Owes all."""

    with pytest.raises(TypeError, match="abstract"):
        Nothing()


@pytest.mark.parametrize("values, message", [
    ({"kind": "sound"}, "kind must be one of image, sequence, vector, counts,"),
    ({}, r"shape must have 3 numbers for images, got \(3,\)"),
    ({"kind": "sequence"}, "num_tokens must be > 0 for sequences of tokens"),
    ({"kind": "vector", "past_length": 2}, "and 0 for others, got 2 for vec"),
    ({"kind": "trajectory", "past_length": 2}, "must have 2 numbers for traj")])
def test_a_description_that_contradicts_its_kind_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        DataSpec((3,), 5, **values)
