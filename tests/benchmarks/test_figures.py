"""Every figure of the pages of results is in a file that says what made it."""

import json

import pytest

from benchmarks import figures

PAGE = """# A title of 2.5

It wins: 3.39 ± 0.22 against −10.55 (arXiv:2006.08205), `--rate=0.7`, and
1,840.5 of 40 on CIFAR-10.0; [see](a/1.25.md), .336.

| 9.1 | 9.2 | 9.3 |
|---|---|---|
| 8.1 | 9.51/16.91 | 2,829, 0.50 % |

```
rate 6.5
```

Figures: `benchmarks/results/a.json`,
`benchmarks/results/b.json`.
"""


def test_every_figure_of_the_pages_is_in_a_file_that_says_what_made_it():
    figures.main(None)


def test_figures_are_those_of_the_text_and_the_cells_of_tables():
    assert figures.figures(PAGE) == [
        "2.5", "3.39", "0.22", "10.55", "1,840.5", ".336", "9.51", "16.91",
        "2,829", "0.50"]
    assert figures.named("docs/results/a.md", PAGE) == [
        "benchmarks/results/a.json", "benchmarks/results/b.json"]


@pytest.mark.parametrize("figure,is_there", [
    ("3.39", True), ("3.4", True), ("3.388", True), ("3.38", False),
    ("3.389", False), ("1,840", True), ("10", True), ("0.7", False)])
def test_a_figure_is_a_number_rounded_to_its_digits(figure, is_there):
    content = {"runs": {"HMC 10": [-3.388], "steps": 1840.2},
               "commands": ["--rate=0.7"]}
    assert figures.is_in(figure, sorted(figures.numbers(content))) == is_there


@pytest.fixture
def root(monkeypatch, tmp_path):
    """A repository of one page and one file."""
    monkeypatch.setattr(figures, "ROOT", str(tmp_path))
    figures.source.cache_clear()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "a.md").write_text(
        "It is 3.4 or 0.25.\n\nFigures: `a.json`.\n")
    (tmp_path / "a.json").write_text(json.dumps(
        {"loss": 3.388, "commands": ["make train"]}))
    yield tmp_path
    figures.source.cache_clear()


def test_a_wrong_figure_and_a_page_without_files_are_told(root):
    assert figures.problems("results/a.md") == [
        "results/a.md: 0.25 is not in a.json."]
    (root / "b.md").write_text("It is 3.4.\n")
    assert figures.problems("b.md") == [
        'b.md must name its files in a line "Figures: " or link to a page of '
        "results."]


def test_a_section_is_checked_by_the_results_that_it_links_to(root):
    (root / "b.md").write_text(
        "8.1\n\n## Measured\n\n3.388 and 7.2, [in full](results/a.md).\n\n"
        "## Other\n\n9.1\n")
    assert figures.problems("b.md", "Measured") == [
        "b.md: 7.2 is not in a.json."]


def test_a_file_says_what_made_it_and_the_table_beside_it(root):
    assert figures.source("a.json")[1] == []
    figures.source.cache_clear()
    (root / "a.json").write_text(json.dumps({"loss": 3.388}))
    assert figures.source("a.json")[1] == [
        "a.json must name its commands or sources."]
    (root / "b.json").write_text(json.dumps({
        "commands": ["python -m benchmarks.anomaly --seeds=1"], "runs": {}}))
    (root / "b.md").write_text("| 0.256 |\n")
    assert figures.source("b.json")[1] == [
        "b.json and the table beside it differ."]
