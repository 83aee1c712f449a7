"""One trained smoke run that the command tests share, and how to call one."""

import pytest

from lebm_tf import (
    evaluate, export, long_chains, publish, report, sample, shift, train)
from lebm_tf.configuration import command, fields
from lebm_tf.training import plugins

# Without the trials of rows and of blocks, which tests/serving makes.
QUICK_EXPORT = ("--check_rows=0", "--row_blocks=16")
_FIELDS = {
    train: train.all_fields, evaluate: evaluate.all_fields,
    sample: fields.fields(sample.SampleConfig),
    export: export.all_fields, shift: fields.fields(shift.ShiftConfig),
    report: fields.fields(report.ReportConfig),
    publish: fields.fields(publish.PublishConfig),
    long_chains: fields.fields(long_chains.LongChainsConfig)}


def fields_of(module) -> list:
    """The fields whose flags a command has now."""
    fields_ = _FIELDS[module]
    return list(fields_() if callable(fields_) else fields_)


def call(module, *argv) -> int:
    """Runs a command in this process, as its __main__ does."""
    return command.run(module.main, module.__doc__, _FIELDS[module],
                       [module.__name__, *argv], plugins.load)


@pytest.fixture(scope="session")
def workdir(tmp_path_factory):
    """The work directory of a two-step run of the image family."""
    path = tmp_path_factory.mktemp("run") / "image"
    assert call(train, "--flagfile=configs/smoke/image.cfg",
                f"--workdir={path}") == 0
    return path


@pytest.fixture
def unmeasured(monkeypatch):
    """What is trained is not measured afterwards, for tests of weights."""
    monkeypatch.setattr(evaluate, "evaluate", lambda model, context, names: {})


@pytest.fixture
def refused(capfd):
    """Runs a command, checks that it exits with 2 and one line; gives it."""
    def check(module, *argv) -> str:
        capfd.readouterr()
        assert call(module, *argv) == 2
        lines = capfd.readouterr().err.strip().splitlines()
        assert len(lines) == 1, lines
        assert lines[0].startswith("error: ")
        return lines[0]
    return check
