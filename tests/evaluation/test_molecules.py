"""Tests of sets of molecules, against values by hand and known ones."""

import gzip
import importlib
import importlib.abc
import os
import sys

from PIL import Image
import numpy as np
import pytest

from lebm_tf.chemistry import bounded, properties
from lebm_tf.chemistry.smiles import rdkit
from lebm_tf.datasets import load_dataset
from lebm_tf.errors import InputError
from lebm_tf.evaluation.molecules import metrics, pictures
from lebm_tf.evaluation.molecules.metrics import (
    Molecules, canonical, internal_diversity, measure, parse)

ASPIRIN = "CC(=O)Oc1ccccc1C(=O)O"
CAFFEINE = "CN1C=NC2=C1C(=O)N(C(=O)N2C)C"
BENZENE, ETHANOL = "c1ccccc1", "CCO"
INVALID = ["C1CC", "c1cccc1", "C(C)(C)(C)(C)C", "not", "", "C C", "C\tC", "ü"]


@pytest.fixture(autouse=True, scope="module")
def needs_rdkit():
    pytest.importorskip("rdkit", reason="needs the extra lebm_tf[molecules]")


def test_strings_are_valid_as_they_are_or_not_at_all(capfd):
    assert parse(INVALID) == [None] * len(INVALID)
    assert None not in parse([ASPIRIN, CAFFEINE, "[Na+].[Cl-]", "C#C"])
    shown = capfd.readouterr()
    assert not shown.out and not shown.err


def test_long_strings_have_a_time_limit(monkeypatch, caplog, tmp_path):
    """A ring of 200,000 atoms takes RDKit more than 20 s; here the limit is
    short. A long chain, and what follows either, is parsed."""
    ring = "C1" + "C" * 200_000 + "1"
    chain = "C" * 3000
    monkeypatch.setattr(bounded.BoundedParser.__init__, "__defaults__", (1.5,))
    stopped = []
    found = parse([ASPIRIN, chain, ring, chain + "N", ETHANOL], stopped)
    assert [molecule is None for molecule in found] == [
        False, False, True, False, False] and stopped == [2]
    assert found[1].GetNumAtoms() == 3000
    path = tmp_path / "own.smi"
    path.write_text("\n".join([ETHANOL, BENZENE, ring] + [ASPIRIN] * 30))
    with caplog.at_level("WARNING"):
        data = load_dataset(f"smiles:{path}", invalid_smiles="drop")
    assert "on line 3; 1 in all" in caplog.text
    assert len(data.x_train) + len(data.x_test) == 32


def test_only_parsing_is_silent(capfd):
    """RDKit still says what it has to say of other things."""
    parse(INVALID)
    importlib.import_module("rdkit.rdBase").LogErrorMsg("still here\n")
    assert "still here" in capfd.readouterr().err


def test_one_molecule_has_one_string():
    ways = ["OCC", "C(O)C", "[CH3][CH2][OH]", "nothing"]
    assert canonical(parse(ways)) == ["CCO", "CCO", "CCO", None]
    hands = canonical(parse(["C[C@H](N)O", "C[C@@H](N)O"]))
    assert hands[0] != hands[1]


@pytest.mark.parametrize("smiles, logp, qed, sa, weight", [
    (ASPIRIN, 1.3101, 0.5501, 1.580, 180.16),
    (CAFFEINE, -1.0293, 0.5385, 2.298, 194.19),
    (BENZENE, 1.6866, 0.4426, 1.000, 78.11),
    (ETHANOL, -0.0014, 0.4068, 1.980, 46.07)])
def test_properties_are_those_known(smiles, logp, qed, sa, weight):
    """Weights from atomic weights; the others as RDKit's documents and tables
    made with it give them."""
    values = properties.of(parse([smiles]))
    for name, value, error in (
            ("logp", logp, 1e-4), ("qed", qed, 1e-3), ("sa", sa, 5e-3),
            ("weight", weight, 0.02), ("penalized_logp", logp - sa, 5e-3)):
        assert values[name].shape == (1,)
        assert values[name][0] == pytest.approx(value, abs=error)


def test_rings_of_more_than_six_atoms_are_penalised_each():
    for smiles, large in (("C1CCCCC1", 0), ("C1CCCCCC1", 1),
                          ("C1CCCCCC1C1CCCCCCC1", 2)):
        molecule, = parse([smiles])
        assert properties.penalized_logp(molecule) == pytest.approx(
            properties.logp(molecule)
            - properties.sa(molecule) - large)


def test_diversity_is_one_less_mean_similarity():
    """Equal ones have none; methane and a sodium ion share nothing, which
    leaves the pairs of each with itself; and RDKit agrees on the rest."""
    assert internal_diversity(parse([ASPIRIN] * 3)) == pytest.approx(0.0)
    assert internal_diversity(parse(["C", "[Na+]"])) == pytest.approx(0.5)
    some = parse([ASPIRIN, CAFFEINE, BENZENE, ETHANOL])
    generator = rdkit(
        "Chem.rdFingerprintGenerator").GetMorganGenerator(
            radius=2, fpSize=1024)
    prints = [generator.GetFingerprint(molecule) for molecule in some]
    similarity = rdkit("DataStructs").TanimotoSimilarity
    mean = np.mean([similarity(a, b) for a in prints for b in prints])
    assert internal_diversity([*some, None]) == pytest.approx(1 - mean)


def test_blocks_change_nothing(monkeypatch):
    some = parse([ASPIRIN, CAFFEINE, BENZENE, ETHANOL, "CCCC"])
    whole = internal_diversity(some)
    monkeypatch.setattr(metrics, "_BLOCK", 2)
    assert internal_diversity(some) == pytest.approx(whole)


def test_counts_have_the_denominators_of_the_docstring():
    """10 samples: 2 invalid; of 8 valid 5 different, one of them of the
    training data and one of the test data, in other spellings."""
    samples = ["OCC", "CCO", "c1ccccc1", "C1=CC=CC=C1", "CCCC", "CCCC",
               "CCN", "CCCl", "C1CC", "x"]
    metrics = dict(measure({"samples": samples, "none": ["C1CC", "x"]},
                           Molecules(["C(C)O", "CCCCC"], [BENZENE, "CC"])))
    expected = {"valid": 0.8, "unique": 5 / 8, "unique_of_all": 5 / 10,
                "novel": 4 / 5, "novel_of_all": 4 / 10}
    for name, value in expected.items():
        assert metrics[f"molecules/{name}/samples"] == pytest.approx(value)
    assert metrics["molecules/num_samples/samples"] == 10
    assert metrics["molecules/valid/none"] == 0.0
    assert {name for name in metrics if name.endswith("/none")} == {
        "molecules/valid/none", "molecules/num_samples/none"}


def test_distances_are_between_valid_samples_and_test_data():
    """Weights 16.04 and 30.07 against 44.10 and 58.12: as far as the sets are
    apart, as both have two molecules."""
    metrics = dict(measure({"samples": ["C", "CC", "C1C"]}, Molecules(
        ["CCC", "CCCC", "N"], ["CCC", "CCCC"])))
    name = "molecules/weight_wasserstein"
    assert metrics[f"{name}/samples"] == pytest.approx(28.05, abs=0.01)
    assert metrics["molecules/weight/samples"] == pytest.approx(23.06, abs=.01)
    assert metrics[f"{name}/real"] == 0.0
    assert metrics["molecules/internal_diversity/real"] > 0.0
    assert "molecules/valid/real" not in metrics


def test_a_molecule_without_a_qed_is_counted_and_left_out(monkeypatch):
    """RDKit sanitises again, and may fail where it did not at first."""
    known = rdkit("Chem.QED").qed

    def qed(molecule):
        if molecule.GetNumAtoms() == 2:
            raise rdkit("Chem").KekulizeException("Can't kekulize mol.")
        return known(molecule)
    monkeypatch.setattr(rdkit("Chem.QED"), "qed", qed)
    assert np.isnan(properties.qed(parse(["CC"])[0]))
    metrics = dict(measure(
        {"samples": ["CCC", "CC", "C1C"], "none": ["CC"]},
        Molecules(["CCC"], ["CCC", "CC"])))
    assert metrics["molecules/valid/samples"] == 2 / 3
    assert metrics["molecules/qed_missing/samples"] == 1
    assert metrics["molecules/qed/samples"] == known(parse(["CCC"])[0])
    assert metrics["molecules/qed_wasserstein/samples"] == 0.0
    assert metrics["molecules/qed_missing/none"] == 1
    assert "molecules/qed/none" not in metrics
    assert "molecules/qed_missing/real" not in metrics


def test_data_without_a_molecule_and_empty_samples_are_refused():
    with pytest.raises(InputError, match="^the test data must include a valid "
                       "molecule, got none in 1"):
        dict(measure({}, Molecules([ETHANOL], ["x"])))
    with pytest.raises(ValueError, match="samples 'x' must have at least one "
                       "string"):
        dict(measure({"x": []}, Molecules([ETHANOL], [ETHANOL])))


def test_without_rdkit_the_extra_is_named(monkeypatch):
    class Missing(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name.split(".")[0] == "rdkit":
                raise ModuleNotFoundError("not here", name="rdkit")
    for name in [name for name in sys.modules
                 if name.split(".")[0] == "rdkit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])
    with pytest.raises(InputError, match="need RDKit, which is not installed; "
                       r"install the extra lebm_tf\[molecules\]"):
        parse([ETHANOL])


def test_without_its_contributed_folder_the_score_says_so(
        monkeypatch, tmp_path):
    properties._synthesis.cache_clear()
    monkeypatch.setattr(rdkit("RDConfig"),
                        "RDContribDir", str(tmp_path))
    with pytest.raises(InputError, match="needs an RDKit with its folder "
                       "Contrib/SA_Score, got none at"):
        properties.sa(parse([ETHANOL])[0])


def test_a_grid_has_a_place_for_every_string(tmp_path):
    path = str(tmp_path / "grid.png")
    pictures.write_grid(
        path, [ASPIRIN, "C1CC", CAFFEINE], ["first", "second", "third"], 2)
    cell = pictures._CELL
    with Image.open(path) as picture:
        assert (picture.size, picture.mode) == ((2 * cell, 2 * cell), "RGB")
        pixels = np.asarray(picture, int)
    # Something is drawn above every caption (a word for what is no molecule)
    # and in it, nothing in the place that is left over.
    drawn = [[(pixels[top + low:top + high, left:left + cell] < 128).sum()
              for low, high in ((0, cell * 3 // 4), (cell * 3 // 4, cell))]
             for top in (0, cell) for left in (0, cell)]
    bodies, texts = zip(*drawn)
    assert min(bodies[:3]) > 0 == bodies[3]
    assert min(texts[:3]) > 0 == texts[3]
    content = open(path, "rb").read()
    pictures.write_grid(
        path, [ASPIRIN, "C1CC", CAFFEINE], ["first", "second", "third"], 2)
    assert open(path, "rb").read() == content


def test_distributions_are_drawn_and_equal_runs_are_equal(tmp_path, numbers):
    sets = {name: {key: numbers.normal(size=50) + shift for key in
                   properties.PROPERTIES}
            for name, shift in (("data", 0.0), ("samples", 1.0))}
    path = tmp_path / "distributions.png"
    pictures.write_distributions(str(path), sets, "Properties")
    first = path.read_bytes()
    pictures.write_distributions(str(path), sets, "Properties")
    assert path.read_bytes() == first
    with Image.open(path) as picture:
        assert min(picture.size) > 500
    constant = {"data": {key: np.ones(3) for key in sets["data"]}}
    pictures.write_distributions(str(path), constant, "One value")


def test_pictures_of_nothing_are_refused(tmp_path):
    path = str(tmp_path / "x.png")
    for smiles, captions in (([], []), (["C"], ["a", "b"])):
        with pytest.raises(ValueError, match="smiles must have at least one"):
            pictures.write_grid(path, smiles, captions)
    for sets in ({}, {"data": {"logp": np.zeros(0)}}):
        with pytest.raises(ValueError, match="sets must have at least one"):
            pictures.write_distributions(path, sets, "None")
    assert not os.path.exists(path)


@pytest.mark.slow
def test_held_out_zinc_is_as_its_training_data():
    """Real molecules against real ones: valid, unique, new, and near; and
    QM9, of 9 heavy atoms at most, is far from them."""
    parts = []
    for name in ("zinc/zinc250k_train", "zinc/zinc250k_test",
                 "qm9/qm9_smiles"):
        path = os.path.join(
            os.environ.get("LEBM_DATA_DIR", ""), f"{name}.txt.gz")
        if not os.path.exists(path):
            pytest.skip(f"set LEBM_DATA_DIR to a folder with {name}.txt.gz")
        with gzip.open(path, "rt") as file:
            parts.append(file.read().split())
    train, test, small = parts
    metrics = dict(measure(
        {"held_out": test[1::10], "small": small[::264]},
        Molecules(train[::200], test[::10])))
    for name in ("valid", "unique", "novel"):
        assert metrics[f"molecules/{name}/held_out"] == 1.0
    assert metrics["molecules/novel_of_all/held_out"] == 1.0
    assert metrics["molecules/internal_diversity/held_out"] > 0.8
    for key, near in (("logp", 0.2), ("qed", 0.03), ("sa", 0.15),
                      ("weight", 10.0)):
        for name in ("held_out", "real"):
            assert metrics[f"molecules/{key}_wasserstein/{name}"] < near
        assert metrics[f"molecules/{key}_wasserstein/small"] > 2 * near
