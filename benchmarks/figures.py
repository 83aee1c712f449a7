"""Whether every figure of the pages of results is in a committed JSON file.

    python -m benchmarks.figures

A figure is a number with a decimal point, or a whole number in a cell of a
table. No figures: what stands in back quotes, as settings do, or in a block of
code, numbers of papers (arXiv:2006.08205), targets of links, and the first row
of a table and its first column, which are names.

A page names its files in a line "Figures: `benchmarks/results/a.json`, ...".
A figure must be a number of one of them, rounded to the digits of the figure;
signs do not count. Numbers of a file are its values, numbers within its texts
and keys, and those of the table a.md beside it, which must be what its script
makes of the file. So means over seeds come from tables. Differences and the
like, and what no script has written, stand in benchmarks/results/notes.

Each file says what made it, or each of its parts does: "commands", or
"sources" where these are papers or other files.
"""

import bisect
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
PAGES = os.path.join(ROOT, "docs", "results", "*.md")
FILES = os.path.join(ROOT, "benchmarks", "results", "**", "*.json")
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


def named(text: str) -> list[str]:
    """Paths of the files that a page names."""
    lines = re.findall(r"^Figures: (?:.+\n?)+", text, re.MULTILINE)
    return re.findall(r"`([^`]+\.json)`", " ".join(lines))


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
    if not os.path.exists(beside):
        return "", ""
    script = content["commands"][0].partition("python -m ")[2].split()[0]
    with open(beside, encoding="utf-8") as file:
        return file.read(), importlib.import_module(script).table(content)


def source(path: str) -> tuple[list[float], list[str]]:
    """(numbers of a file, what is wrong with it)."""
    content = files.read_json(os.path.join(ROOT, path))
    if not says_what_made_it(content):
        return [], [f"{path} must name its commands or sources."]
    kept, made = table(os.path.join(ROOT, path), content)
    return [*numbers(content), *numbers(kept)], [
        f"{path} and the table beside it differ."] if kept != made else []


def problems(page: str) -> list[str]:
    """What is wrong with a page, a line for each file and figure."""
    with open(page, encoding="utf-8") as file:
        text = file.read()
    paths, page = named(text), os.path.relpath(page, ROOT)
    if not paths:
        return [f'{page} must name its files in a line "Figures: ".']
    sources = [source(path) for path in paths]
    known = sorted(number for found, _ in sources for number in found)
    return [line for _, lines in sources for line in lines] + [
        f"{page}: {figure} is not in {', '.join(paths)}."
        for figure in figures(text) if not is_in(figure, known)]


def main(values) -> None:
    """Checks all pages, and files that no page names.

    Raises:
        InputError: If a figure is not found, or a file says not what made it.
    """
    found = [line for page in sorted(glob.glob(PAGES))
             for line in problems(page)]
    found += [line for path in sorted(glob.glob(FILES, recursive=True))
              for line in source(os.path.relpath(path, ROOT))[1]
              if line not in found]
    if found:
        raise InputError("\n".join(found))
    command.say("Every figure is in a file that says what made it.")


if __name__ == "__main__":
    sys.exit(command.run(main, __doc__, []))
