"""Ranges and choices, declared with fields."""

import dataclasses
from typing import Annotated

import pytest

from lebm_tf.configuration import fields
from lebm_tf.errors import InputError
from lebm_tf.ranges import (
    Checked, Ge, Gt, Interval, Le, Lt, MinLen, NonNegativeInt, OneOf, OrZero,
    PositiveInt, declared)

NAMES = {"one": 1, "two": 2}


@dataclasses.dataclass(frozen=True)
class Part(Checked):
    """A part.

    Attributes:
        width: How wide.
        tied: Whether it is as wide as high.
        height: How high.
    """
    width: PositiveInt = 1
    tied: bool = False
    height: NonNegativeInt = 1

    def validate(self):
        if self.tied and self.width != self.height:
            raise ValueError("tied needs width equal to height, got "
                             f"{self.width} and {self.height}.")
        if self.height > 100:
            raise ValueError("A part must be flat.")


@dataclasses.dataclass(frozen=True)
class Whole(Checked):
    """A configuration.

    Attributes:
        part: A part.
    """
    count: Annotated[int, Gt(0)] = 1
    size: Annotated[float, Lt(2)] = 1.0
    share: Annotated[float, Interval(ge=0, lt=1)] = 0.5
    decay: Annotated[float, Interval(gt=0, le=1)] = 0.5
    most: Annotated[int, Le(5)] = 5
    length: Annotated[int, OrZero(Ge(2))] = 0
    name: Annotated[str, OneOf(NAMES)] = "one"
    unit: Annotated[str, OneOf(("", "m"))] = ""
    widths: tuple[PositiveInt, ...] = (3,)
    some: Annotated[tuple[PositiveInt, ...], MinLen(1)] = (3,)
    names: tuple[Annotated[str, OneOf(NAMES)], ...] = ()
    shift: float = 0.0
    is_on: bool = False
    part: Part = Part()


@pytest.mark.parametrize("name, value, message", [
    ("count", 0, "count must be > 0, got 0."),
    ("size", 2.0, "size must be < 2, got 2.0."),
    ("size", float("nan"), "size must be < 2, got nan."),
    ("share", 1.0, "share must lie in [0, 1), got 1.0."),
    ("share", float("nan"), "share must lie in [0, 1), got nan."),
    ("decay", 0.0, "decay must lie in (0, 1], got 0.0."),
    ("most", 6, "most must be <= 5, got 6."),
    ("length", 1, "length must be >= 2, or 0, got 1."),
    ("name", "twi", "name must be one of one, two, got 'twi' (nearest: two)."),
    ("unit", "km", "unit must be one of m, got 'km' (nearest: m)."),
    ("widths", (3, 0), "widths must all be >= 1, got 3, 0."),
    ("some", (), "some must hold 1 or more values, got 0."),
    ("names", ("one", "x"), "names must be among one, two, got 'x'."),
    ("shift", float("inf"), "shift must be finite, got inf."),
    ("size", float("-inf"), "size must be finite, got -inf.")])
def test_what_is_out_of_range_is_refused_in_one_line(name, value, message):
    with pytest.raises(ValueError) as error:
        Whole(**{name: value})
    assert str(error.value) == message


@pytest.mark.parametrize("name, value, message", [
    ("count", "3", "count must be an integer, got '3'."),
    ("count", 1.5, "count must be an integer, got 1.5."),
    ("share", "0", "share must be a number, got '0'."),
    ("is_on", 1, "is_on must be True or False, got 1."),
    ("name", 1, "name must be a string, got 1."),
    ("widths", 3, "widths must be a tuple, got 3."),
    ("part", None, "part must be a Part, got None.")])
def test_another_type_is_refused(name, value, message):
    with pytest.raises(TypeError) as error:
        Whole(**{name: value})
    assert str(error.value) == message


def test_what_fits_is_taken_and_lists_become_tuples():
    made = Whole(length=2, share=0, widths=[1, 2], name="two", unit="m")
    assert made.widths == (1, 2) and hash(made)


def test_a_choice_knows_names_that_come_later(monkeypatch):
    monkeypatch.setitem(NAMES, "three", 3)
    assert Whole(name="three").name == "three"


def test_what_is_declared_is_said_of_the_flag():
    said = {field.flag: field.range for field in fields.fields(Whole)}
    assert said["count"] == "> 0" and said["share"] == "in [0, 1)"
    assert said["length"] == ">= 2, or 0" and said["shift"] == ""
    assert said["name"] == "one of one, two" and said["widths"] == ">= 1"
    assert said["part_width"] == str(declared(Part)["width"]) == ">= 1"


@pytest.mark.parametrize("values, message", [
    ({"width": 0}, "--part_width must be >= 1, got 0."),
    ({"tied": True, "width": 2},
     "--part_tied needs width equal to height, got 2 and 1."),
    ({"height": 200}, "part: A part must be flat.")])
def test_a_refusal_names_the_flag_or_the_group(values, message):
    with pytest.raises(InputError) as error:
        fields.from_dict(Whole, {"part": values})
    assert str(error.value) == message
