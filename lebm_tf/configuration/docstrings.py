"""Descriptions of configuration fields, parsed from docstrings."""

import inspect
import re


def attributes(doc: str) -> dict[str, str]:
    """Returns name -> description, from the Attributes section of a docstring.
    """
    # From Python 3.13 on, docstrings come without their indentation.
    _, _, block = inspect.cleandoc(doc).partition("Attributes:\n")
    found, name = {}, None
    for line in block.splitlines():
        entry = re.match(r" {4}(\w+): (.*)", line)
        if entry:
            name, found[entry[1]] = entry[1], entry[2]
        elif name and line.startswith(" " * 8):
            found[name] += " " + line.strip()
        elif line.strip():
            name = None
    return found
