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
    assert figures.named(PAGE) == [
        "benchmarks/results/a.json", "benchmarks/results/b.json"]


@pytest.mark.parametrize("figure,is_there", [
    ("3.39", True), ("3.4", True), ("3.388", True), ("3.38", False),
    ("3.389", False), ("1,840", True), ("10", True), ("0.7", False)])
def test_a_figure_is_a_number_rounded_to_its_digits(figure, is_there):
    content = {"runs": {"HMC 10": [-3.388], "steps": 1840.2},
               "commands": ["--rate=0.7"]}
    assert figures.is_in(figure, sorted(figures.numbers(content))) == is_there


def test_a_wrong_figure_and_an_unnamed_command_are_told(
        monkeypatch, tmp_path):
    monkeypatch.setattr(figures, "ROOT", str(tmp_path))
    page, kept = tmp_path / "page.md", tmp_path / "a.json"
    page.write_text("It is 3.4 or 0.25.\n\nFigures: `a.json`.\n")
    kept.write_text(json.dumps({"loss": 3.388, "commands": ["make train"]}))
    assert figures.problems(str(page)) == ["page.md: 0.25 is not in a.json."]
    kept.write_text(json.dumps({"loss": 3.388}))
    assert figures.problems(str(page))[0] == (
        "a.json must name its commands or sources.")
    page.write_text("It is 3.4.\n")
    assert figures.problems(str(page)) == [
        'page.md must name its files in a line "Figures: ".']


def test_a_table_that_its_file_does_not_make_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(figures, "ROOT", str(tmp_path))
    (tmp_path / "a.json").write_text(json.dumps({
        "commands": ["python -m benchmarks.anomaly --seeds=1"], "runs": {}}))
    (tmp_path / "a.md").write_text("| 0.256 |\n")
    assert figures.source("a.json")[1] == [
        "a.json and the table beside it differ."]
