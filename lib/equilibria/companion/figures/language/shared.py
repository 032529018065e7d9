"""What the figures of notebook 05 share: sizes, names, axes of loops, bands over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from equilibria.companion.figures import COLOURS, iterations

__all__ = [
    "KINDS",
    "SIZE",
    "SMALL_TEXT",
    "TALL",
    "TITLES",
    "legend_below",
    "loop_axis",
    "mark_training",
    "percent_axis",
    "plot_seeds",
    "seed_words",
]

SIZE = (6.4, 4.8)  # inches: narrow enough for a phone
TALL = (6.4, 7.8)  # of two panels, one above the other
TITLES = {"parity": "running parity", "sums": "running sums modulo 5"}
# The explicit models: label and colour.
KINDS = {
    "once": ("the same block once", COLOURS["explicit"]),
    "stack": ("a stack of untied blocks", COLOURS["naive"]),
}
SMALL_TEXT = "#555555"  # colour of remarks inside a figure
_TICKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


def loop_axis(axis: Axes, last: int) -> None:
    """A logarithmic x axis of loops t up to ``last``."""
    iterations(axis, _TICKS, last=last, label="loops $t$")


def percent_axis(axis: Axes) -> None:
    """Show the values of the y axis, from 0 to 1, as percentages."""
    axis.yaxis.set_major_formatter(PercentFormatter(1))


def mark_training(axis: Axes, shortest: int, longest: int, *, height: float = 0.05) -> None:
    """Shade the lengths of training; ``height`` of the words is a fraction of the axis."""
    axis.axvspan(shortest, longest, color=COLOURS["bound"], alpha=0.12, lw=0)
    axis.text(
        longest,
        height,
        "trained ",
        transform=axis.get_xaxis_transform(),
        ha="right",
        fontsize=9,
        color=SMALL_TEXT,
    )


def legend_below(figure: Figure, axis: Axes, columns: int = 1) -> None:
    """The legend of ``axis`` below all panels."""
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=columns)


def seed_words(count: int) -> str:
    """How many seeds, in words."""
    return "one seed" if count == 1 else f"{count} seeds"


def plot_seeds(
    axis: Axes,
    t: Sequence[int],
    values: Sequence[Sequence[float]],
    colour: object,
    label: str,
    *,
    marker: str | None = None,
) -> None:
    """The mean over seeds, and a band from the smallest to the largest value.

    ``values`` has one row per entry of ``t`` and one column per seed.
    """
    rows = np.asarray(values, dtype=float)
    axis.plot(t, rows.mean(1), ls="-", marker=marker, ms=4, color=colour, label=label)
    if rows.shape[1] > 1:
        axis.fill_between(t, rows.min(1), rows.max(1), color=colour, alpha=0.15, lw=0)
