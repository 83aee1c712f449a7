"""One contract for every evaluator; an entry of EVALUATORS joins by itself."""

import dataclasses
import inspect
import json

import pytest

from lebm_tf import kinds
from lebm_tf.configuration import command
from lebm_tf.errors import InputError
from lebm_tf.evaluation import (
    EVALUATORS, Better, Context, Evaluator, Settings, find_metric, settings)

NAMES = sorted(EVALUATORS)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_known_by_its_own_name_and_says_what_it_is(name):
    evaluator = EVALUATORS[name]
    assert isinstance(evaluator, Evaluator) and evaluator.name == name
    assert inspect.cleandoc(type(evaluator).__doc__)
    assert evaluator.kinds and set(evaluator.kinds) <= set(kinds.KINDS)
    hash(evaluator)  # Frozen.


@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_documented_and_has_a_default(name):
    evaluator = EVALUATORS[name]
    described = inspect.cleandoc(type(evaluator).__doc__)
    for field in dataclasses.fields(evaluator):
        assert f"\n    {field.name}: " in described
    assert type(evaluator)() == evaluator


def test_every_setting_has_a_flag_of_its_own_that_is_explained():
    flags = [field.flag for field in settings.fields()]
    assert len(set(flags)) == len(flags)
    assert all(field.help for field in settings.fields())
    assert len(flags) >= sum(
        len(dataclasses.fields(e)) for e in EVALUATORS.values())


def other(field) -> str:
    """Text of another value than the default of a flag, and in its range."""
    if isinstance(field.default, bool):
        return str(not field.default).lower()
    choices = {"damc": "log_joint", "classifier": "inception",
               "posterior": "encoder", "": "elsewhere", "rotated": "digits"}
    if isinstance(field.default, str):
        return choices[field.default]
    if isinstance(field.default, tuple):
        return ",".join(str(item + 1) for item in field.default)
    return str(field.default + type(field.default)(0.25) or 3)


@pytest.mark.parametrize("field", settings.fields(), ids=lambda f: f.flag)
def test_flags_and_files_keep_every_setting(field):
    if field.type is int:
        text = str(field.default + 1)
    else:
        text = other(field)
    values = command.parse(
        settings.fields(), ["", f"--{field.flag}={text}"])
    changed = settings.from_flags(values)
    kept = json.loads(json.dumps(settings.to_dict(changed)))
    assert kept != settings.to_dict(Settings())
    again = settings.from_dict(kept)
    assert again.config == changed.config
    assert again.select(NAMES) == changed.select(NAMES)


class Data:
    """A data set of another kind than an evaluator measures."""
    name = "other"

    def __init__(self, kind):
        self.kind = kind


@pytest.mark.parametrize("name", NAMES)
def test_data_of_another_kind_are_refused_in_one_line(name):
    evaluator = EVALUATORS[name]
    others = set(kinds.KINDS) - set(evaluator.kinds)
    assert others
    for kind in others:
        with pytest.raises(InputError, match=f"evaluator {name} needs .*, got "
                           f"{kinds.KINDS[kind]}, other.$"):
            evaluator.check(Context(Data(kind)), None)


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_says_which_way_it_is_better(name):
    evaluator = EVALUATORS[name]
    for metric, better in evaluator.metrics.items():
        assert metric.count("/") >= 1 and isinstance(better, Better)
        assert evaluator.better(metric) is better
        if better is Better.NEITHER:
            with pytest.raises(InputError, match="better lower or higher"):
                find_metric(metric)
        elif "*" not in metric:
            assert find_metric(metric) == (name, better)
    assert evaluator.better(f"{name}/none_such") is None


def test_no_metric_belongs_to_two_evaluators():
    metrics = [metric for evaluator in EVALUATORS.values()
               for metric in evaluator.metrics]
    assert len(set(metrics)) == len(metrics)


def test_settings_of_an_unknown_evaluator_are_refused():
    kept = settings.to_dict(Settings())
    kept["evaluators"]["frechett"] = {}
    with pytest.raises(InputError, match=r"evaluator 'frechett' is needed, "
                       r"got none .*\(nearest: frechet\); is a plugin"):
        settings.from_dict(kept)


@dataclasses.dataclass(frozen=True)
class OwnEvaluator(Evaluator):
    """How long names are.

    Attributes:
        factor: On the length, any int.
    """
    factor: int = 1

    name = "own"
    kinds = (kinds.IMAGE,)
    metrics = {"own/length": Better.HIGHER}

    def __call__(self, model, context):
        yield "own/length", self.factor * len(context.data.name)


def test_an_evaluator_of_a_user_joins_by_one_entry(monkeypatch):
    monkeypatch.setitem(EVALUATORS, "own", OwnEvaluator())
    values = command.parse(
        settings.fields(), ["", "--evaluation_own_factor=3"])
    chosen, = settings.from_flags(values).select(["own"])
    assert chosen == OwnEvaluator(3)
    assert find_metric("own/length") == ("own", Better.HIGHER)
