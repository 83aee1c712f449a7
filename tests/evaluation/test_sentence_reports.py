"""Tests of the text reports, by their whole content."""

import numpy as np
import pytest

from lebm_tf.evaluation.text.reports import (
    Transition, write_interpolation, write_transition)

SHOWN = Transition(
    steps=[0, 40, 100], trained_steps=40,
    energy=np.array([[1.0, 3.0], [-10.5, -11.5], [-100.0, 20.0]]),
    sentences=[["the the <unk>"], ["the cat sat"], [""]])


def test_a_transition_is_a_table_of_energies_and_one_a_chain(tmp_path):
    path = tmp_path / "new" / "transition.txt"
    write_transition(str(path), SHOWN, "Prior chains of a model")
    assert path.read_text(encoding="utf-8") == """\
Prior chains of a model

Energy of 2 chains, in nats (* steps as trained):
steps     mean  standard deviation    lowest  highest
    0    2.000               1.000     1.000    3.000
  40*  -11.000               0.500   -11.500  -10.500
  100  -40.000              60.000  -100.000   20.000

Chain 1:
steps    energy  sentence
    0     1.000  the the <unk>
  40*   -10.500  the cat sat
  100  -100.000  (empty)
"""


def test_every_shown_chain_has_its_own_energies(tmp_path):
    path = tmp_path / "transition.txt"
    write_transition(str(path), SHOWN._replace(sentences=[
        ["a", "b"], ["c", "d"], ["e", "f"]]), "Two")
    second = path.read_text(encoding="utf-8").split("Chain 2:\n")[1]
    assert [line.split() for line in second.splitlines()] == [
        ["steps", "energy", "sentence"], ["0", "3.000", "b"],
        ["40*", "-11.500", "d"], ["100", "20.000", "f"]]


def test_an_interpolation_stands_between_the_sentences_of_its_ends(tmp_path):
    path = tmp_path / "interpolation.txt"
    write_interpolation(
        str(path), [["a dog .", "naïve 犬", "a\tcat\n"]],
        [("a big dog .", "a cat")], "Lines between latents")
    assert path.read_text(encoding="utf-8") == """\
Lines between latents

Pair 1:
position  sentence
   first  a big dog .
    0.00  a dog .
    0.50  naïve 犬
    1.00  a\\tcat\\n
    last  a cat
"""


@pytest.mark.parametrize("change", [
    {"steps": [0, 40]}, {"energy": np.zeros((2, 2))},
    {"energy": np.zeros(3)}, {"sentences": [["a"], ["b"], []]},
    {"sentences": [[], [], []]}, {"sentences": [["a"] * 3] * 3}])
def test_records_that_do_not_agree_are_refused(change, tmp_path):
    path = tmp_path / "transition.txt"
    with pytest.raises(ValueError, match="a row for every record, with at "
                       "least 1"):
        write_transition(str(path), SHOWN._replace(**change), "Wrong")
    assert not path.exists()


def test_pairs_that_do_not_agree_are_refused(tmp_path):
    for lines, ends in (([["a", "b"]], []), ([["a"]], [("a", "b")])):
        with pytest.raises(ValueError, match="at least 2 sentences for each"):
            write_interpolation(str(tmp_path / "x.txt"), lines, ends, "Wrong")
