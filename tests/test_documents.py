"""What the documents say is what the repository holds."""

import os
import re


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def test_the_table_of_the_readme_is_the_one_that_was_measured():
    assert read("benchmarks/results/quickstart.md") in read("README.md")


def test_the_results_are_those_that_were_measured():
    text = read("benchmarks/RESULTS.md")
    tables = sorted(set(os.listdir("benchmarks/results")) - {
        "quickstart.md", "speed.md"})  # The one is in README, the other linked.
    tables = [name for name in tables if name.endswith(".md")]
    assert "anomaly.md" in tables and "serving.md" in tables
    assert not [name for name in tables
                if read(f"benchmarks/results/{name}") not in text]


def test_every_linked_or_named_file_exists():
    text = read("README.md")
    named = re.findall(r"\]\(([^)#:]+)\)", text)
    named += ["benchmarks/" + name for name in re.findall(
        r"\]\(([^)#:]+)\)", read("benchmarks/RESULTS.md"))]
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
