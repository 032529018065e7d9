"""The pages of the site: their code runs, and docstrings and figures reach them whole."""

import json
import re
import sys

import pytest
import torch
from conftest import HOME
from equilibria.companion.parameters import find_notebook, notebooks

PAGES = sorted((HOME / "docs").glob("*.md"))
DOCSTRING = r"""The norm |y| of y* = G(y*, x), and |x| alone; y_{t+1} is *not* y_t.

    y_{t+1} = y_t + b r_t,   c = argmin |r|

method     a Picard object; `Anderson` by default
tol        relative residual |r| / |G|,
           per sample
long, names
           stand alone
Raises ValueError.

| symbol | shape |
|---|---|
| \|dG/dy\| | (B,) |
| x | |
"""


@pytest.fixture
def docs(monkeypatch):
    """Lets a test import what builds the site, where the packages for it are installed."""
    pytest.importorskip("sphinx", reason="the site needs equilibria[docs]")
    monkeypatch.syspath_prepend(str(HOME / "docs"))
    yield
    for name in ("docstrings", "figure_texts"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page):
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    torch.manual_seed(0)
    names = {}
    for block in blocks:
        exec(compile(block, page.name, "exec"), names)


def test_a_docstring_keeps_its_bars_stars_lists_and_tables(docs, monkeypatch):
    import docstrings
    from docutils import nodes
    from docutils.core import publish_doctree
    from docutils.parsers.rst.states import Inliner

    monkeypatch.setattr(Inliner, "dispatch", dict(Inliner.dispatch))
    docstrings.take_bars_literally()
    rst = "\n".join(docstrings.to_rst(DOCSTRING.splitlines()))
    tree = publish_doctree(rst, settings_overrides={"report_level": 1, "halt_level": 1})
    first, raises = (tree.children[index].astext() for index in (0, -2))
    assert first == "The norm |y| of y* = G(y*, x), and |x| alone; y_{t+1} is not y_t."
    assert [word.astext() for word in tree.findall(nodes.emphasis)] == ["not"]
    (formula,) = tree.findall(nodes.literal_block)
    assert formula.astext() == "y_{t+1} = y_t + b r_t,   c = argmin |r|"
    terms = [term.astext() for term in tree.findall(nodes.term)]
    assert terms == ["method", "tol", "long, names"]
    assert next(iter(tree.findall(nodes.definition_list)))[1].astext().endswith("per sample")
    assert raises == "Raises ValueError."
    cells = [entry.astext() for entry in tree.findall(nodes.entry)]
    assert cells == ["symbol", "shape", "|dG/dy|", "(B,)", "x", ""]


@pytest.mark.parametrize("name", notebooks())
def test_every_figure_has_a_text_of_its_own(docs, name):
    import figure_texts

    folder = HOME / "figures" / "quick" / name
    notebook = json.loads(find_notebook(name).read_text())
    found = {figure.name: figure.text for figure in figure_texts.figures_of(notebook, folder)}
    assert set(found) >= {path.stem for path in folder.glob("*.png")}
    for figure, text in found.items():
        assert len(text.split()) >= 4 and not text.startswith("Figure of"), figure
    assert len(set(found.values())) == len(found)
