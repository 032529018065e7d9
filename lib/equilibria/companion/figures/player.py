"""Frames under sliders that play in any page, without a kernel: the HTML for `player.js`.

The script lies in ``docs/_static`` and is written into each output, so that a stored notebook plays
where scripts run. Elsewhere (an untrusted notebook, GitHub) the still picture stays.

Frames count the sliders like digits, the last one fastest. `lines` makes frames of numbers, and
`pictures` frames on one sheet.
"""

from __future__ import annotations

import base64
import html
import io
import json
import math
from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from equilibria.paths import project_root

__all__ = ["LARGEST", "Axis", "Slider", "lines", "page", "pictures"]

LARGEST = 100_000  # bytes of one player


class Slider(TypedDict):
    """A slider: what it sets, its values, and the number of the value that it starts at."""

    label: str
    values: list[float]
    start: int


class Axis(TypedDict):
    """A linear axis; ``at`` are the points of the x axis, and empty for the y axis."""

    label: str
    ticks: list[float]
    at: list[float]


def lines(
    *,
    sliders: Sequence[Slider],
    x: Axis,
    y: Axis,
    still: Sequence[float],
    frames: Sequence[Sequence[float]],
    words: Sequence[str],
    legend: tuple[str, str],
    alt: str,
) -> dict[str, Any]:
    """A specification of frames of one line each, over a line that stands still.

    words   one sentence per frame, shown below it
    legend  names of the moving line and of the still one
    alt     alternative text

    Raises ValueError where the sliders, frames and words don't fit each other.
    """
    _require_count(sliders, len(frames), words)
    highest = 1.2 * max(y["ticks"])  # what lies above the axes need not be exact
    return {
        "sliders": list(sliders),
        "x": _axis(x) | {"at": [_short(value) for value in x["at"]]},
        "y": _axis(y),
        "still": [_short(min(value, highest)) for value in still],
        "lines": [[_short(min(value, highest)) for value in frame] for frame in frames],
        "words": list(words),
        "legend": list(legend),
        "alt": alt,
    }


def pictures(
    *,
    sliders: Sequence[Slider],
    frames: NDArray[np.uint8],
    words: Sequence[str],
    alt: str,
) -> dict[str, Any]:
    """A specification of frames that are pictures, (count, height, width, 3) of 8 bits.

    words, alt   as in `lines`

    Raises ValueError where the sliders, frames and words don't fit each other.
    """
    _require_count(sliders, len(frames), words)
    count, height, width, _ = frames.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * height, columns * width, 3), np.uint8)
    for index, frame in enumerate(frames):
        down, across = divmod(index, columns)
        sheet[height * down : height * (down + 1), width * across : width * (across + 1)] = frame
    file = io.BytesIO()
    Image.fromarray(sheet).save(file, format="png", optimize=True)
    source = base64.b64encode(file.getvalue()).decode("ascii")
    return {
        "sliders": list(sliders),
        "sheet": {
            "url": f"data:image/png;base64,{source}",
            "columns": columns,
            "rows": rows,
            "width": width,
            "height": height,
        },
        "words": list(words),
        "alt": alt,
    }


def _require_count(sliders: Sequence[Slider], frames: int, words: Sequence[str]) -> None:
    count = math.prod(len(slider["values"]) for slider in sliders)
    if not count == frames == len(words):
        raise ValueError(
            f"the sliders need {count} frames, got {frames} with {len(words)} sentences"
        )


def page(spec: dict[str, Any], *, instead: Figure) -> str:
    """The HTML of one player: specification, script, and a figure where scripts don't run.

    The figure is closed. Raises ValueError for more than `LARGEST` bytes.
    """
    picture = io.BytesIO()
    instead.savefig(picture, format="png", dpi=75, metadata={"Software": None})
    pyplot.close(instead)
    source = base64.b64encode(picture.getvalue()).decode("ascii")
    data = html.escape(json.dumps(spec, separators=(",", ":"), ensure_ascii=False))
    alt = html.escape(str(spec["alt"]))
    script = (project_root() / "docs" / "_static" / "player.js").read_text(encoding="utf-8")
    text = (
        f'<div class="player" data-player="{data}">'
        f'<img alt="{alt}" src="data:image/png;base64,{source}"></div>\n<script>\n{script}</script>'
    )
    size = len(text.encode())
    if size > LARGEST:
        raise ValueError(f"the player has {size} bytes, more than {LARGEST}: use fewer frames")
    return text


def _axis(axis: Axis) -> dict[str, Any]:
    ticks = axis["ticks"]
    return {"label": axis["label"], "ticks": ticks, "from": min(ticks), "to": max(ticks)}


def _short(value: float) -> float:
    """A number with three digits, which a picture of a thousand points does not outgrow."""
    short = float(f"{value:.3g}")
    return int(short) if short.is_integer() else short
