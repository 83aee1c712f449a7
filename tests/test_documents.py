"""What the documents say is what the repository holds."""

import os
import re


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_the_table_of_the_readme_is_the_one_that_was_measured():
    assert read("benchmarks/results/quickstart.md") in read("README.md")


def test_every_linked_or_named_file_exists():
    text = read("README.md")
    named = re.findall(r"\]\(([^)#:]+)\)", text)
    named += [name for name in re.findall(r"`([\w./]+)`", text)
              if re.match(r"(configs|lebm_tf|tests|colab|docs)/", name)]
    named += re.findall(r"--flagfile=(\S+)", text)
    assert "docs/samples.png" in named
    assert not [name for name in named if not os.path.exists(name)]


def test_no_document_promises_a_module_that_is_not_there():
    modules = re.findall(r"python\s+-m\s+(lebm_tf\.\w+|benchmarks\.\w+)",
                         read("README.md"))
    assert modules
    for module in modules:
        assert os.path.exists(module.replace(".", "/") + ".py"), module
