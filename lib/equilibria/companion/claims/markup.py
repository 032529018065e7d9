"""Tables and addresses in the Markdown of the pages."""

from __future__ import annotations

from collections.abc import Iterable

from tabulate import tabulate

from equilibria.companion.claims.model import Claim

__all__ = ["escape", "markdown_table", "section_address"]


def markdown_table(headers: tuple[str, ...], rows: Iterable[Iterable[str | None]]) -> str:
    """A table in Markdown; its cells are shown as they are, numbers included."""
    cells = [[escape(cell or "") for cell in row] for row in rows]
    return str(tabulate(cells, headers=headers, tablefmt="github", disable_numparse=True))


def escape(text: str) -> str:
    """``text`` for a cell of a table, whose columns a plain | would end."""
    return text.replace("|", "\\|")


def section_address(claim: Claim, folder: str) -> str:
    """The address of a claim's section in its notebook, as JupyterLab and nbviewer read it."""
    anchor = "#" + claim.section.replace(" ", "-") if claim.section else ""
    return f"{folder}/{claim.notebook}.ipynb{anchor}"
