"""Frames under sliders that play in any page, without a kernel: the HTML for `player.js`.

The script lies in ``docs/_static`` and is written into each output, so that a stored notebook plays
where scripts run. Elsewhere (an untrusted notebook, GitHub) the still picture stays.

Frames count the sliders like digits, the last one fastest. A frame is a line (`lines`), a picture
(`pictures`, or several side by side: `panels`), or the answers to a question (`answers`).
"""

from __future__ import annotations

import base64
import html
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
from matplotlib import pyplot
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from equilibria.paths import project_root

__all__ = ["LARGEST", "Axis", "Slider", "answers", "element", "lines", "page", "panels", "pictures"]

LARGEST = 100_000  # bytes of one player
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"  # one for each word of an answer


class Slider(TypedDict):
    """A slider: what it sets, its values, and the number of the value that it starts at."""

    label: str
    values: Sequence[float | str]
    start: int


class Axis(TypedDict):
    """A linear axis; ``at`` are the points of the x axis, and empty for the y axis."""

    label: str
    ticks: Sequence[float]
    at: Sequence[float]


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
    rising: bool = False,
) -> dict[str, Any]:
    """A specification of frames of one line each, over a line that stands still.

    words   one sentence per frame, shown below it
    legend  names of the moving line and of the still one
    alt     alternative text
    rising  the lines leave room for the legend on the left instead of the right

    Raises ValueError where the sliders, frames and words don't fit each other.
    """
    _require_frames(sliders, len(frames), words)
    highest = 1.2 * max(y["ticks"])  # what lies above the axes need not be exact
    return {
        "sliders": list(sliders),
        "x": _axis(x) | {"at": [_short(value) for value in x["at"]]},
        "y": _axis(y),
        "still": [_short(min(value, highest)) for value in still],
        "lines": [[_short(min(value, highest)) for value in frame] for frame in frames],
        "words": list(words),
        "legend": list(legend),
        "rising": rising,
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
    _require_frames(sliders, len(frames), words)
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


def panels(
    *,
    sliders: Sequence[Slider],
    sheet: dict[str, Any],
    side_by_side: Sequence[tuple[str, int | None]],
    words: Sequence[str],
    alt: str,
) -> dict[str, Any]:
    """A specification of pictures side by side, on a sheet that is a file of its own.

    sheet         url, columns, rows, and width and height of one picture; frames come first on it
    side_by_side  a label each, and a place on the sheet, or None for the frame

    ``words`` and ``alt`` as in `lines`. Raises ValueError where the sliders, the sheet and the
    words don't fit each other.
    """
    places = sheet["columns"] * sheet["rows"]
    fixed = [at for _, at in side_by_side if at is not None]
    if max([len(words) - 1, *fixed]) >= places:
        raise ValueError(f"sheet has {places} places, and {len(words)} frames and panels {fixed}")
    _require_frames(sliders, len(words), words)
    shown = [{"label": label, "at": at} for label, at in side_by_side]
    shared = {"sliders": list(sliders), "words": list(words), "alt": alt}
    return shared | {"sheet": sheet, "panels": shown}


def answers(
    *,
    sliders: Sequence[Slider],
    kind: str,
    before: str,
    questions: Sequence[Sequence[str]],
    truth: Sequence[Sequence[str]],
    frames: Sequence[Sequence[Sequence[str]]],
    words: Sequence[str],
    alt: str,
) -> dict[str, Any]:
    """A specification of a question's parts, with an answer beside each.

    kind       "symbols" or "sentences", which says how they are laid out
    before     what all questions begin with
    questions  rows of parts; each row but the first differs from the first in one part
    truth      the right answers, one row per question
    frames     the answers: one entry per value of the first slider, with one row per question

    ``words`` and ``alt`` as in `lines`. Raises ValueError where the sliders, the frames and the
    words don't fit each other, or a question differs from the first in more or fewer parts.
    """
    _require_frames(sliders, sum(len(rows) for rows in frames), words)
    first = questions[0]
    places: list[int | None] = [None]
    for question in questions[1:]:
        pairs = zip(first, question, strict=True)
        (place,) = (i for i, (a, b) in enumerate(pairs) if a != b)
        places.append(place)
    said = sorted({word for rows in (truth, *frames) for row in rows for word in row})
    code = {word: digit for word, digit in zip(said, _DIGITS, strict=False)}
    coded = [["".join(code[word] for word in row) for row in rows] for rows in (truth, *frames)]
    changed = [
        "" if at is None else question[at] for at, question in zip(places, questions, strict=True)
    ]
    cells = {
        "kind": kind,
        "before": before,
        "places": places,
        "given": list(first),
        "changed": changed,
        "words": said,
        "truth": coded[0],
        "answers": coded[1:],
    }
    return {"sliders": list(sliders), "cells": cells, "words": list(words), "alt": alt}


def page(spec: dict[str, Any], *, instead: Figure | Path) -> str:
    """The HTML of one player: specification, script, and a picture where scripts don't run.

    ``instead`` is that picture: a figure, which is closed, or a WebP file. Raises ValueError for
    more than `LARGEST` bytes.
    """
    if isinstance(instead, Figure):
        picture = io.BytesIO()
        instead.savefig(picture, format="png", dpi=75, metadata={"Software": None})
        pyplot.close(instead)
        kind, content = "png", picture.getvalue()
    else:
        kind, content = "webp", instead.read_bytes()
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
    script = (project_root() / "docs" / "_static" / "player.js").read_text(encoding="utf-8")
    text = f"{element(spec, source)}\n<script>\n{script}</script>"
    size = len(text.encode())
    if size > LARGEST:
        raise ValueError(f"the player has {size} bytes, more than {LARGEST}: use fewer frames")
    return text


def element(spec: dict[str, Any], instead: str) -> str:
    """The HTML of one player without its script; ``instead`` is the address of a still picture."""
    data = html.escape(json.dumps(spec, separators=(",", ":"), ensure_ascii=False))
    alt = html.escape(str(spec["alt"]))
    return f'<div class="player" data-player="{data}"><img alt="{alt}" src="{instead}"></div>'


def _require_frames(sliders: Sequence[Slider], frames: int, words: Sequence[str]) -> None:
    count = math.prod(len(slider["values"]) for slider in sliders)
    if not count == frames == len(words):
        raise ValueError(
            f"the sliders need {count} frames, got {frames} with {len(words)} sentences"
        )


def _axis(axis: Axis) -> dict[str, Any]:
    ticks = axis["ticks"]
    return {"label": axis["label"], "ticks": list(ticks), "from": min(ticks), "to": max(ticks)}


def _short(value: float) -> float:
    """A number with three digits, which a picture of a thousand points does not outgrow."""
    short = float(f"{value:.3g}")
    return int(short) if short.is_integer() else short
