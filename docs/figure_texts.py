"""What each figure shows, in words: for readers who cannot see it, and for the gallery.

The text is the description that the picture's file carries. Where it has none, it is the first
paragraph of the docstring of the function that draws the figure; a notebook's cell says which one
that is, since it calls ``draw.<function>`` and ``figures.save(run, ..., "<name>")``.
"""

import ast
import importlib
import inspect
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image


@dataclass(frozen=True)
class Figure:
    """A figure as a notebook saves it."""

    name: str
    cell: int  # position of the cell that saves it
    section: str  # heading above that cell
    text: str  # what it shows


def figures_of(notebook: dict[str, Any], folder: Path) -> list[Figure]:
    """The figures that a notebook saves into ``folder``, in its order."""
    found, drawing, section = [], {}, ""
    for index, cell in enumerate(notebook["cells"]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            headings = re.findall(r"^#{1,3} (.+)$", source, re.MULTILINE)
            section = headings[-1] if headings else section
        elif cell["cell_type"] == "code":
            tree = _parse(source)
            drawing |= _drawing_modules(tree)
            texts = list(_texts(tree, drawing))
            for position, name in enumerate(_saved(tree)):
                drawn = texts[min(position, len(texts) - 1)] if texts else ""
                text = _description(folder / f"{name}.png") or drawn
                text = text or f"Figure of “{section}”."
                found.append(Figure(name, index, section, text))
    return found


def _description(path: Path) -> str:
    if not path.is_file():
        return ""
    with Image.open(path) as picture:
        return str(picture.info.get("Description", ""))


def _parse(source: str) -> ast.Module:
    """A cell's code; lines of IPython's own syntax are left out."""
    lines = [line for line in source.splitlines() if not line.lstrip().startswith(("%", "!"))]
    return ast.parse("\n".join(lines))


def _drawing_modules(tree: ast.Module) -> dict[str, str]:
    """Names in the notebook of modules of drawing functions."""
    package = "equilibria.companion.figures"
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == package
        for alias in node.names
    }


def _saved(tree: ast.Module) -> list[str]:
    return [
        node.args[2].value
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "figures.save"
        and len(node.args) > 2
        and isinstance(node.args[2], ast.Constant)
    ]


def _texts(tree: ast.Module, drawing: dict[str, str]):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            module = drawing.get(ast.unparse(node.func.value))
            if module is not None:
                function = getattr(importlib.import_module(module), node.func.attr)
                yield _first_paragraph(inspect.getdoc(function) or "")


def _first_paragraph(docstring: str) -> str:
    text = " ".join(docstring.partition("\n\n")[0].split())
    # Which file it is drawn from concerns those who call it, and nobody who looks at it.
    return re.sub(r" \((`\w+`|\w+\.json)( of results\.json)?\)", "", text).replace("`", "")
