"""What the documents say is what the repository holds."""

import glob
import os
import re

import pytest

from lebm_tf import list_flags, train
from lebm_tf.configuration import command, listing
from lebm_tf.configuration.fields import fields as fields_of
from lebm_tf.configuration.sample import SampleConfig
from lebm_tf.configuration.shift import ShiftConfig
from lebm_tf.long_chains import LongChainsConfig

PAGES = ["README.md", "export/README.md",
         *sorted(glob.glob("lebm_tf/zoo/*/MODEL_CARD.md")),
         *sorted(glob.glob("docs/*.md")),
         *sorted(glob.glob("docs/systems/*.md")),
         *sorted(glob.glob("docs/results/*.md"))]
each_page = pytest.mark.parametrize("page", PAGES)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_the_readme_is_short_and_names_every_page():
    text = read("README.md")
    assert len(text.split()) <= 900
    linked = set(re.findall(r"\((docs/\w+\.md)\)", text))
    assert linked | {"docs/index.md", "docs/api.md"} >= {
        page for page in PAGES if os.path.dirname(page) == "docs"}


def test_the_table_of_the_tutorial_is_the_one_that_was_measured():
    assert read("benchmarks/results/quickstart.md") in read("docs/tutorial.md")


def test_the_results_are_those_that_were_measured():
    text = "".join(read(page) for page in glob.glob("docs/results/*.md"))
    tables = sorted(glob.glob("benchmarks/results/*.md"))
    assert "benchmarks/results/anomaly.md" in tables
    assert not [name for name in tables if read(name) not in text
                and name != "benchmarks/results/speed.md"]  # Linked.


def test_every_page_of_results_is_in_their_index():
    assert sorted(re.findall(r"\((results/\w+\.md)\)", read(
        "docs/results.md"))) == sorted(
            os.path.relpath(page, "docs")
            for page in glob.glob("docs/results/*.md"))


@each_page
def test_every_linked_or_named_file_exists(page):
    text = read(page)
    folder = os.path.dirname(page)
    named = [os.path.join(folder, name)
             for name in re.findall(r"\]\(([^)#:]+)\)", text)]
    named += [name for name in re.findall(r"`([\w./]+)`", text)
              if re.match(r"(benchmarks|configs|lebm_tf|tests|colab|docs)/",
                          name)]
    if page != "docs/extending.md":  # Its commands are run by another test.
        named += re.findall(r"--flagfile=(configs/[\w/.]+)", text)
    assert not [name for name in named if not os.path.exists(name)]


@pytest.mark.parametrize("page", glob.glob("docs/systems/*.md"))
def test_a_page_of_a_system_names_existing_flags_and_whole_commands(page):
    """Its commands of training are resolved as `train` does."""
    text = read(page)
    assert page[len("docs/"):] in read("docs/systems.md")
    known = {name for fields in (
        [*train.all_fields(), command.PLUGINS], fields_of(SampleConfig),
        fields_of(LongChainsConfig), fields_of(ShiftConfig)) for name in (
            field.flag for field in fields)} | {"flagfile", "evaluators"}
    ours = re.sub(r"python\s+-m\s+benchmarks[^`]*", "", text)
    named = set(re.findall(r"--([a-z]\w*)", ours))
    assert sorted(named - known) == []
    for line in re.findall(r"^python -m lebm_tf.train (.+)$", text, re.M):
        argv = command.expand(line.split())
        train.resolve(command.parse(train.all_fields(), ["", *argv]))


@each_page
def test_no_document_promises_a_module_that_is_not_there(page):
    modules = re.findall(r"python\s+-m\s+((?:lebm_tf|benchmarks)\.[\w.]+\w)",
                         read(page))
    for module in modules:
        path = module.replace(".", "/")
        assert os.path.exists(path + ".py") or os.path.exists(
            path + "/__main__.py"), module


def test_the_list_of_flags_is_that_of_the_configurations(tmp_path):
    path = str(tmp_path / "flags.json")
    listing.write(list_flags.collect(), path)
    assert read(path) == read(listing.PATH), "run: make flags"
