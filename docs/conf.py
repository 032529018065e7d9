"""Settings of the site: `make site` builds it, without a request to another host."""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import equilibria
from docstrings import take_bars_literally, to_rst
from docutils import nodes

project = "equilibria"
author = "the equilibria authors"
version = release = equilibria.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinxcontrib.katex"]

# Notebooks are shown as they are stored: `make reproduce` and `make test` execute them.
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"
nb_ipywidgets_js = {}
myst_enable_extensions = ["dollarmath", "amsmath", "colon_fence", "html_image"]
myst_heading_anchors = 4

# Formulas are set when the site is built; the browser needs a style sheet and fonts alone.
katex_prerender = True
katex_css_path = "katex/katex.min.css"

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_default_options = {"show-inheritance": True}
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
maximum_signature_line_length = 80
add_module_names = False
toc_object_entries_show_parents = "hide"

html_theme = "sphinx_book_theme"
html_title = "equilibria"
html_static_path = ["_static", "../build/katex/static"]
html_css_files = ["site.css"]
html_js_files = [("verdicts.js", {"defer": "defer"})]
html_context = {"default_mode": "auto"}  # light or dark, as the reader has it
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"use_download_button": False, "show_toc_level": 2, "home_page_in_toc": True}

# The hosting service says where the repository is. Elsewhere nobody can open it on the web.
if "GITHUB_REPOSITORY" in os.environ:
    html_theme_options |= {
        "repository_url": f"https://github.com/{os.environ['GITHUB_REPOSITORY']}",
        "repository_branch": os.environ.get("GITHUB_REF_NAME", "main"),
        "use_repository_button": True,
    }


def setup(app):
    """Teach Sphinx how docstrings are written here, and what pictures of notebooks show."""
    take_bars_literally()

    def convert(app, what, name, obj, options, lines):
        lines[:] = to_rst(lines)

    def describe(app, document):
        for cell in document.findall(
            lambda node: "cell" in getattr(node, "attributes", {}).get("classes", ())
        ):
            pictures = list(cell.findall(nodes.image))
            texts = json.loads(pictures[0]["alt"]) if pictures else []
            for picture, text in zip(pictures, texts, strict=True):
                picture["alt"] = text

    app.connect("autodoc-process-docstring", convert)
    app.connect("doctree-read", describe)
