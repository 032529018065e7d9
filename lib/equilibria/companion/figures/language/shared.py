"""What the figures of notebook 05 share: names, axes of loops, curves with a band over seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from equilibria.companion.figures import COLOURS, iterations

__all__ = ["KINDS", "SMALL_TEXT", "TITLES", "loop_axis", "percent_axis", "plot_seeds"]

TITLES = {"parity": "running parity", "sums": "running sums modulo 5"}
# The explicit models: label and colour.
KINDS = {
    "once": ("the same block once", COLOURS["explicit"]),
    "stack": ("untied stack, as deep as the loop in training", COLOURS["naive"]),
}
SMALL_TEXT = "#555555"  # colour of remarks inside a figure
_TICKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


def loop_axis(axis: Axes, last: int) -> None:
    """A logarithmic x axis of loops t up to ``last``."""
    iterations(axis, _TICKS, last=last, label="loops t")


def percent_axis(axis: Axes) -> None:
    """Show the values of the y axis, from 0 to 1, as percentages."""
    axis.yaxis.set_major_formatter(PercentFormatter(1))


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
