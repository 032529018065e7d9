"""Tables in the notebook's text."""

from collections.abc import Mapping, Sequence

__all__ = ["markdown"]


def markdown(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows with the same keys as a Markdown table; floats have four digits."""
    header = list(rows[0])
    lines = [header, ["---"] * len(header)]
    lines.extend([_cell(value) for value in row.values()] for row in rows)
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
