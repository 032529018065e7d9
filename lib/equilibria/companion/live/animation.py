"""The README's animated picture: five cases side by side, with one t for all of them.

The rows are the answer y_t, its steepness and its error, as `measures` defines them.
"""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import pyplot, rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from equilibria.companion.figures import COLOURS, SEQUENCE, style
from equilibria.companion.live import store
from equilibria.files import write_with

__all__ = ["LARGEST", "draw_animation", "draw_stills"]

LARGEST = 2_000_000  # bytes of the animated picture
_CASES = {
    "one_over_x": "1/x",
    "photograph": "photo",
    "flow": "flow",
    "linear_program": "linear program",
    "story": "story",
}
_MILLISECONDS = 450  # of one frame
_LAST = 3000  # of the last one
_BLUE, _WRONG = COLOURS["implicit"], SEQUENCE[3]
_ETA = 0.9  # step size of 1/x


def draw_animation() -> Path:
    """Draw ``together.webp`` from the stored frames. Raises ValueError for one too large."""
    cases = {name: _with_one_step(store.read(name)) for name in _CASES}
    times = cases["flow"]["times"]
    frames = [_image(_together(cases, i)) for i in range(len(times))]
    durations = [_MILLISECONDS] * (len(frames) - 1) + [_LAST]
    path = write_with(
        store.folder() / "together.webp",
        lambda part: frames[0].save(
            part,
            "webp",
            save_all=True,
            append_images=frames[1:],
            duration=durations,
            loop=0,
            quality=80,
            method=6,
        ),
    )
    size = path.stat().st_size
    if size > LARGEST:
        raise ValueError(f"{path.name} has {size} bytes, more than {LARGEST}")
    return path


def draw_stills() -> None:
    """A small picture of each case's end: a thumbnail, and what stands where scripts don't run."""
    for name in (*_CASES, "parity"):
        case = _with_one_step(store.read(name))
        with rc_context():
            style()
            figure, axis = pyplot.subplots(figsize=(3.2, 2.4), dpi=100)
            _answer(axis, name, case, len(case["times"]) - 1)
            image = _image(figure)
        save = partial(image.save, format="webp", quality=85, method=6)
        write_with(store.folder() / f"{name}-still.webp", save)


def _with_one_step(data: dict[str, Any]) -> dict[str, Any]:
    """The same, of 1/x with one step size."""
    if "etas" not in data:
        return data
    j = data["etas"].index(_ETA)
    one = {key: [row[j] for row in data[key]] for key in ("answers", "steepness", "error")}
    return data | one


def _together(cases: dict[str, dict[str, Any]], i: int) -> Figure:
    """One frame of the animated picture."""
    with rc_context():
        style()
        figure, axes = pyplot.subplots(
            3, 5, figsize=(16, 8.4), dpi=100, gridspec_kw={"height_ratios": [2, 1, 1]}
        )
        times = cases["flow"]["times"]
        figure.suptitle(f"t = {times[i]}", fontsize=36, fontweight="bold", color=_BLUE)
        for column, (name, title) in zip(axes.T, _CASES.items(), strict=True):
            case = cases[name]
            column[0].set_title(title, fontsize=28)
            _answer(column[0], name, case, i)
            _curve(column[1], times, case["steepness"], i, _short(case["steepness"][i]))
            _curve(column[2], times, case["error"], i, f"{case['error'][i]:.0%}")
        for axis, label in zip(axes[:, 0], ("answer", "steepness", "error"), strict=True):
            axis.set_ylabel(label, fontsize=24)
        figure.supxlabel("iterations t, from 1 to 100 on a logarithmic axis", fontsize=22)
    return figure


def _short(value: float) -> str:
    """Three digits, and no powers of ten."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _curve(axis: Axes, times: list[int], values: list[float], i: int, now: str) -> None:
    """Values up to the present t, in axes that hold all of them."""
    axis.plot(times, values, color="0.85", linewidth=3)
    axis.plot(times[: i + 1], values[: i + 1], color=_BLUE, linewidth=4)
    axis.plot(times[i], values[i], "o", color=_BLUE, markersize=13)
    axis.set(xscale="log", ylim=(-0.08 * max(values), 1.45 * max(values)))
    axis.set_xticks([])
    axis.set_yticks([])
    axis.minorticks_off()
    axis.text(0.97, 0.97, now, transform=axis.transAxes, ha="right", va="top", fontsize=27)


def _answer(axis: Axes, name: str, case: dict[str, Any], i: int) -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    axis.set_box_aspect(1)
    if "sheet" in case:
        axis.imshow(np.asarray(store.picture(name, case, i)))
        for spine in axis.spines.values():
            spine.set_visible(False)
    elif "words" in case:
        _words(axis, case, i)
    else:
        x = case.get("x", range(len(case["truth"])))
        axis.plot(x, case["answers"][i], color=_BLUE, linewidth=5)
        axis.plot(x, case["truth"], color="black", linestyle="--", linewidth=1.5)


def _words(axis: Axes, case: dict[str, Any], i: int) -> None:
    """Answers in columns of six, the wrong ones orange and struck out."""
    axis.axis("off")
    answers = [case["words"][word] for word in case["answers"][i][0]]
    truth = [case["words"][word] for word in case["truth"][0]]
    height = 6 if len(max(truth, key=len)) > 1 else 4
    columns = -(-len(truth) // height)
    for k, (said, right) in enumerate(zip(answers, truth, strict=True)):
        place = ((k // height + 0.5) / columns, 1 - (k % height + 0.5) / height)
        shown = said if said == right else "".join(f"{letter}\u0336" for letter in said)
        colour = _BLUE if said == right else _WRONG
        weight = "bold" if said == right else "normal"
        axis.text(*place, shown, color=colour, ha="center", va="center", fontsize=24, weight=weight)


def _image(figure: Figure) -> Image.Image:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=figure.dpi)
    pyplot.close(figure)
    return Image.open(file).convert("RGB")
