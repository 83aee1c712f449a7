"""Whether every measured figure of a page is in a committed JSON file.

    python -m benchmarks.figures

A figure is a number with a decimal point, or a whole number in a cell of a
table. Not figures: what stands in back quotes, as settings do, or in a block of
code, numbers of papers (arXiv:2006.08205), targets of links, and the first row
of a table and its first column, which are names.

A page of docs/results names its files in a line "Figures: `a.json`, ...".
Others have a section of figures (`SECTIONS`), whose files are those of the
pages of results that it links to. A figure must be a number of one of the
files, rounded to the digits of the figure; signs do not count. Numbers of a
file are its values, numbers within its texts and keys, and those of the table
a.md beside it, which must be what its script makes of the file. So means over
seeds come from tables. Differences and the like, and what no script has
written, stand in benchmarks/results/notes.

Each file says what made it, or each of its parts does: "commands", or
"sources" where these are papers or other files.

A wrong figure may be another number of its files: where one last digit is
changed, seven in ten are told. That the tables of scripts are on the pages
whole is checked by tests/test_documents.py.
"""

import bisect
import functools
import glob
import importlib
import os
import re
import sys
from typing import Any, Iterator

from lebm_tf import files
from lebm_tf.configuration import command
from lebm_tf.errors import InputError

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FILES = "benchmarks/results/**/*.json"
SECTIONS = {"docs/results/*.md": "", "docs/results.md": "",
            "docs/systems/*.md": "What was measured",
            "docs/tutorial.md": "Does the energy help?",
            "README.md": "Does the learned prior win?"}
_MADE_BY = "commands", "sources"
_ABOUT = {*_MADE_BY, "configuration", "machine", "python"}  # Not measured.
_NUMBERS = re.compile(
    r"(?<![\w.])(?<![A-Za-z][-−])(\d[\d,]*\.?\d+|\d|\.\d+)(?!\.?\w)")
_NAMELESS = re.compile(
    r"```.*?```|`[^`]*`|arXiv:[\d.]+|\]\([^)]*\)", re.DOTALL)


def figures(text: str) -> list[str]:
    """The figures of a page, as they are written, each once."""
    found, above = [], ""
    for line in _NAMELESS.sub(" ", text).split("\n"):
        if not line.startswith("|"):
            found += [number for number in _NUMBERS.findall(line)
                      if "." in number]
        elif above.startswith("|"):  # Below the names of the columns.
            for cell in line.split("|")[2:]:
                found += _NUMBERS.findall(cell)
        above = line
    return list(dict.fromkeys(found))


def section(text: str, heading: str) -> str:
    """A section of a page with its heading; all of it without one."""
    if not heading:
        return text
    return re.split("^## ", text.partition(f"## {heading}\n")[2],
                    flags=re.MULTILINE)[0]


def named(page: str, text: str) -> list[str]:
    """Paths of the files that a text of a page names, by itself or by links."""
    lines = re.findall(r"^Figures: (?:.+\n?)+", text, re.MULTILINE)
    if lines:
        return re.findall(r"`([^`]+\.json)`", " ".join(lines))
    links = [os.path.join(os.path.dirname(page), link) for link in re.findall(
        r"\]\(([\w./]*results/\w+\.md)", text)]
    return list(dict.fromkeys(
        path for link in links for path in named(link, read(link))))


def read(path: str) -> str:
    """The text of a file of the repository."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def numbers(node: Any) -> Iterator[float]:
    """The numbers of a JSON file or a text, without signs."""
    if isinstance(node, (int, float)):
        yield abs(float(node))
    elif isinstance(node, str):
        yield from (float(number.replace(",", ""))
                    for number in _NUMBERS.findall(node))
    elif isinstance(node, list):
        for value in node:
            yield from numbers(value)
    elif node:
        for key in node.keys() - _ABOUT:
            yield from numbers(key)
            yield from numbers(node[key])


def is_in(figure: str, known: list[float]) -> bool:
    """Whether one of sorted numbers has these digits."""
    digits = len(figure.partition(".")[2])
    value, half = float(figure.replace(",", "")), 0.5 * 10.0**-digits + 1e-9
    i = bisect.bisect_left(known, value - half)
    return i < len(known) and known[i] <= value + half


def says_what_made_it(content: dict) -> bool:
    """Whether a file or each of its parts has commands or sources."""
    return any(content.get(key) for key in _MADE_BY) or bool(content) and all(
        isinstance(part, dict) and any(part.get(key) for key in _MADE_BY)
        for part in content.values())


def table(path: str, content: dict) -> tuple[str, str]:
    """(table beside a file, what its script makes of it), if it has one."""
    beside = os.path.splitext(path)[0] + ".md"
    if not os.path.exists(os.path.join(ROOT, beside)):
        return "", ""
    script = content["commands"][0].partition("python -m ")[2].split()[0]
    return read(beside), importlib.import_module(script).table(content)


@functools.cache
def source(path: str) -> tuple[list[float], list[str]]:
    """(numbers of a file, what is wrong with it)."""
    content = files.read_json(os.path.join(ROOT, path))
    if not says_what_made_it(content):
        return [], [f"{path} must name its commands or sources."]
    kept, made = table(path, content)
    return [*numbers(content), *numbers(kept)], [
        f"{path} and the table beside it differ."] if kept != made else []


def problems(page: str, heading: str = "") -> list[str]:
    """What is wrong with a section of a page, a line for each figure."""
    text = section(read(page), heading)
    paths = named(page, text)
    if not paths:
        return [f'{page} must name its files in a line "Figures: " or link to '
                "a page of results."]
    known = sorted(number for path in paths for number in source(path)[0])
    return [f"{page}: {figure} is not in {', '.join(paths)}."
            for figure in figures(text) if not is_in(figure, known)]


def main(values) -> None:
    """Checks all files and pages.

    Raises:
        InputError: If a figure is not found, or a file says not what made it.
    """
    found = [line for path in sorted(glob.glob(
        FILES, root_dir=ROOT, recursive=True)) for line in source(path)[1]]
    for pattern, heading in SECTIONS.items():
        for page in sorted(glob.glob(pattern, root_dir=ROOT)):
            found += problems(page, heading)
    if found:
        raise InputError("\n".join(found))
    command.say("Every figure is in a file that says what made it.")


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, []))
