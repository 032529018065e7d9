"""Tables in the notebook's text."""

from collections.abc import Mapping, Sequence

from equilibria.companion.figures.markdown import markdown_table

__all__ = ["markdown"]


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows with the same keys as a Markdown table; floats have four digits."""
    cells = [[_cell(value) for value in row.values()] for row in rows]
    return markdown_table(list(rows[0]), cells)


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
