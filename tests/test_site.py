"""The site is built as `make docs` does."""

import pytest


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Of MyST, about Sphinx.
def test_the_site_is_built_without_a_warning(tmp_path):
    build = pytest.importorskip("sphinx.cmd.build")
    assert build.main(["-W", "-q", "-b", "html", "docs", str(tmp_path)]) == 0
    text = (tmp_path / "api.html").read_text()
    assert "ImageConfig" in text and "EnergyModel" in text
