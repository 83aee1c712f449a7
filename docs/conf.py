"""The site: `make docs` builds it into build/docs."""

import os
import sys

sys.path.insert(0, os.path.abspath(".."))

import lebm_tf  # noqa: E402

project = "lebm_tf"
author = "The lebm_tf maintainers"
version = release = lebm_tf.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon",
              "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
autodoc_typehints = "none"
html_theme = "furo"
html_title = "lebm_tf"
html_static_path = ["_static"]
html_css_files = ["site.css"]
exclude_patterns = ["examples"]
