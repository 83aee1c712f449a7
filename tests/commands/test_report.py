"""The page of `lebm_tf.report`, and that metrics have meanings."""

import base64
import html.parser
import json
import re
import shutil

import pytest

from lebm_tf import report
from lebm_tf.evaluation import EVALUATORS, meanings, page
from tests.commands.conftest import call

VOID = {"meta", "img", "line", "circle", "polyline", "wbr"}


class Page(html.parser.HTMLParser):
    """Checks that tags are closed in order; collects texts and sources."""

    def __init__(self, content):
        super().__init__()
        self.open, self.tags, self.texts, self.sources = [], [], [], []
        self.feed(content)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs
                         if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def two(workdir, tmp_path_factory):
    """Two work directories that differ in a metric and a setting, and the page
    of both."""
    folder = tmp_path_factory.mktemp("report")
    other = folder / "other"
    shutil.copytree(workdir, other)
    metrics = json.loads((other / "metrics.json").read_text())
    metrics["reconstruction/mse"] = 1e-6
    metrics["training/rollbacks"] = 2
    metrics["plugin/<b>"] = 3
    (other / "metrics.json").write_text(json.dumps(metrics))
    config = json.loads((other / "config.json").read_text())
    config["run"]["seed"] = 77
    (other / "config.json").write_text(json.dumps(config))
    (other / "pictures" / "notes.txt").write_text("a < b & c\n")
    chains = other / "chains_hmc"
    chains.mkdir()
    (chains / "diagnostics.json").write_text(json.dumps({"values": {
        "energy": {"r_hat": 1.23456, "bulk_ess": 98.7, "tail_ess": 12.3}}}))
    output = folder / "page" / "report.html"
    assert call(report, f"--workdir={workdir},{other}",
                f"--output={output}") == 0
    return workdir, other, output


def test_the_page_is_one_file_with_all_of_both_runs(two):
    workdir, other, output = two
    content = output.read_text(encoding="utf-8")
    found = Page(content)
    assert all(source[0] == "#" or source.startswith("data:image/")
               for source in found.sources)
    assert not {"script", "link", "iframe"} & set(found.tags)
    embedded = [base64.b64decode(source.split(",")[1])
                for source in found.sources if source[0] != "#"]
    for folder in (workdir, other):
        for path in (folder / "pictures").glob("*.png"):
            assert path.read_bytes() in embedded
    shown = "".join(found.texts)
    for text in ("other", "--seed", "77", "a < b & c", "plugin/<b>", "1.235",
                 "reconstruction/mse", "Lower is better.", "loss/generator",
                 "Training diverged", f"--workdir={other} --num_samples"):
        assert text in shown, text
    assert '<span class="best"><span class="number">1e-06</span>' in content
    assert [path.name for path in output.parent.iterdir()] == ["report.html"]


def test_settings_are_those_that_differ_from_the_defaults(two):
    texts = Page(two[2].read_text(encoding="utf-8")).texts
    shown = "|".join(texts).replace("_|", "_").split("config.json has all.")[1]
    flags = re.findall(r"--(\w+)", shown.split("What next")[0])
    assert {"latent_dim", "train_steps", "seed", "evaluation_num_draws"
            } <= set(flags)
    assert "posterior_step_size" not in flags


@pytest.mark.parametrize("name", EVALUATORS)
def test_every_metric_of_an_evaluator_has_a_meaning(name):
    assert meanings.MEANINGS[name]
    for metric in EVALUATORS[name].metrics:
        shown = metric.replace("*", "x")
        assert meanings.meaning(shown).endswith("."), metric
        assert meanings.meaning(f"baseline/{shown}")
    assert set(meanings.MEANINGS) <= set(EVALUATORS)


def test_measured_metrics_have_meanings(workdir):
    metrics = json.loads((workdir / "metrics.json").read_text())
    assert [name for name in metrics if not meanings.meaning(name)] == []


def test_a_chart_leaves_out_what_is_not_finite():
    drawn = page.chart("loss", [[(1, 0.0), (2, float("nan")), (3, 4.0)], []])
    assert drawn.count("<circle") == 2 and "nan" not in drawn
    assert page.chart("loss", [[(1, float("inf"))]]) == ""
    Page(drawn)


def test_bad_input_is_one_line(workdir, tmp_path, refused):
    def line(*flags):
        return refused(report, f"--output={tmp_path / 'x.html'}", *flags)
    assert "--workdir must name one or more different work directories, got " \
        "none." in line()
    assert "different" in line(f"--workdir={workdir},{workdir}/")
    assert f"{tmp_path} must be the work directory of a run" in line(
        f"--workdir={tmp_path}")
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(workdir / "config.json", bare)
    assert "must hold a trained model, got no checkpoint" in line(
        f"--workdir={bare}")
    shutil.copytree(workdir / "checkpoints", bare / "checkpoints")
    assert f"{bare} must hold metrics, got no metrics.json; write it by " \
        "python -m lebm_tf.evaluate" in line(f"--workdir={bare}")
    (bare / "metrics.json").write_text("{")
    assert "metrics.json is damaged" in line(f"--workdir={bare}")
    (bare / "metrics.json").write_text("[1]")
    assert "must hold metrics by name, got a list." in line(
        f"--workdir={bare}")
    assert not (tmp_path / "x.html").exists()
    assert "--output must name an HTML file, got" in refused(
        report, f"--workdir={workdir}", f"--output={tmp_path}")
