"""The tables in the text of notebooks."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

__all__ = ["markdown_table"]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""A table in Markdown; its cells are shown as they are, numbers and ``|`` included.

    In formulas write ``\lvert`` and ``\rvert``: an escaped ``|`` is a norm there.
    """
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return str(tabulate(rows, headers=header, tablefmt="github", disable_numparse=True))
