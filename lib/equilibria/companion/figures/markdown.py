"""The tables in the text of notebooks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tabulate import tabulate

__all__ = ["markdown", "markdown_table"]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""A table in Markdown; its cells are shown as they are, numbers and ``|`` included.

    In formulas write ``\lvert`` and ``\rvert``: an escaped ``|`` is a norm there.
    """
    rows = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    return str(tabulate(rows, headers=header, tablefmt="github", disable_numparse=True))


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows with the same keys as a Markdown table; floats have four digits."""
    cells = [[_cell(value) for value in row.values()] for row in rows]
    return markdown_table(list(rows[0]), cells)


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
