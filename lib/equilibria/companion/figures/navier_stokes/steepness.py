"""How steep the answers are, how wrong, and why (paper, Fig. 4)."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, SEQUENCE, iterations

__all__ = [
    "TICKS",
    "as_released",
    "bounded_pair",
    "decision",
    "local_constants",
    "steepness",
]

TICKS = (1, 2, 4, 8, 16, 32, 64, 128, 200)


def steepness(data: dict[str, Any]) -> Figure:
    """Fig. 4, corrected, against t: L_t and the error."""
    row = data["steepness"]
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.3))
    colour = COLOURS["implicit"]
    _band(axes[0], row["lipschitz"], colour, "$y_t$")
    axes[0].axhline(
        row["map"], color=COLOURS["closed_form"], ls=":", label="the physical map, in these waves"
    )
    axes[0].set(ylabel="$L_t$: largest $|\\Delta y_t| / |\\Delta f|$", title="How steep it is")
    _log_ticks(axes[0])
    _errors(axes[1], row)
    for axis in axes:
        iterations(axis, TICKS, last=len(row["lipschitz"][0]))
        axis.legend()
    figure.set_label(
        "Two panels against iterations. Left: the largest change of the answer per change of "
        "forcing rises to a peak, then falls to near that of the physical map. Right: the error "
        "falls over the same iterations and stays below a dashed line, the explicit network."
    )
    return figure


def as_released(data: dict[str, Any]) -> Figure:
    """Fig. 4 by the protocol of the published experiments."""
    row = data["steepness"]
    figure, axis = plt.subplots(figsize=(6.8, 4))
    _band(axis, row["as_released"], COLOURS["naive"], "Anderson's answer with budget $t$")
    axis.set(ylabel="$L_t$, in divided fields", title="As released: waves, 200 flows")
    _log_ticks(axis)
    iterations(axis, TICKS, last=len(row["as_released"][0]))
    axis.legend()
    figure.set_label(
        "One line per seed against iterations: the largest ratio by the released protocol, which "
        "jumps up where Anderson's method ends at another fixed point for the moved forcing."
    )
    return figure


def local_constants(data: dict[str, Any]) -> Figure:
    """True local constants of y_t over those of the physical map: the median flow and the range."""
    row = data["steepness"]
    figure, axis = plt.subplots(figsize=(6.8, 4.2))
    _local_constants(axis, row)
    iterations(axis, TICKS, last=row["local"][0]["t"][-1])
    axis.legend()
    figure.set_label(
        "True local constants against iterations, divided by those of the physical map: they peak "
        "and settle near one in the directions that the physics knows."
    )
    return figure


def _band(axis: Axes, curves: list[list[float]], colour: str, label: str, **style: Any) -> None:
    """One line per seed, the first one thick."""
    for index, curve in enumerate(curves):
        shown = [(t, value) for t, value in enumerate(curve, 1) if value > 0]
        first = index == 0
        axis.plot(
            *zip(*shown, strict=True),
            color=colour,
            lw=2 if first else 0.8,
            alpha=1 if first else 0.6,
            label={0: label, 1: "other seeds"}.get(index),
            **style,
        )


def _local_constants(axis: Axes, row: dict[str, Any]) -> None:
    """Over those of the physical map, of the first seed: the median flow and the range."""
    local = row["local"][0]
    of_map = np.asarray(local["map"])
    t = local["t"]
    for key, colour, label in (
        ("physical", COLOURS["implicit"], "$y_t$, directions that the physics knows"),
        ("all", SEQUENCE[9], "$y_t$, all directions"),
    ):
        ratio = np.asarray(local[key]) / of_map  # one row per t, one column per flow
        axis.plot(t, np.median(ratio, 1), "o-", color=colour, label=label)
        axis.fill_between(t, ratio.min(1), ratio.max(1), color=colour, alpha=0.15, lw=0)
    if row["local_explicit"]:
        explicit = np.asarray(row["local_explicit"][0]["physical"][0]) / of_map
        label = "explicit, directions that the physics knows"
        axis.axhline(np.median(explicit), color=COLOURS["explicit"], ls="--", label=label)
    axis.axhline(1, color=COLOURS["closed_form"], ls=":", label="the physical map")
    axis.set(
        ylabel="local constant / that of the physical map",
        title=f"True constants at {len(of_map)} flows (median, range)",
    )
    _log_ticks(axis)


def _errors(axis: Axes, row: dict[str, Any]) -> None:
    _band(axis, row["error"], COLOURS["implicit"], "implicit, $y_t$")
    mean, std = np.asarray(row["error"][0]), np.asarray(row["std"][0])
    t = range(1, len(mean) + 1)
    low = np.maximum(mean - std, 0)
    axis.fill_between(t, low, mean + std, color=COLOURS["implicit"], alpha=0.15, lw=0)
    axis.axhline(row["explicit_error"], color=COLOURS["explicit"], ls="--", label="explicit")
    axis.set(
        ylabel="relative L2 error",
        ylim=(0, None),
        title="The error, clean and perturbed (band: one std)",
    )


def decision(data: dict[str, Any]) -> Figure:
    """Flows that the loop decides: which of w and -w is nearer, and how steep y_t is then."""
    flows = data["decision"]["flows"]
    figure, axes = plt.subplots(
        2, len(flows), figsize=(4.6 * len(flows), 5.6), sharex=True, sharey="row"
    )
    for column, flow in zip(axes.T, flows, strict=True):
        t = range(1, len(flow["right"]) + 1)
        column[0].plot(t, flow["right"], color=COLOURS["implicit"], lw=2, label="to $w$")
        column[0].plot(t, flow["opposite"], color=COLOURS["naive"], lw=2, label="to $-w$")
        column[0].set(title=f"test flow {flow['index']}")
        shown = [(t, value) for t, value in enumerate(flow["ratio"], 1) if value > 0]
        column[1].plot(*zip(*shown, strict=True), color="#333333")
        _log_ticks(column[1])
        iterations(column[1], TICKS, last=len(flow["right"]))
    axes[0, 0].set(ylabel="distance of $y_t$, over $|w|$")
    axes[1, 0].set(ylabel="largest $|\\Delta y_t| / |\\Delta f|$")
    axes[0, 0].legend()
    figure.suptitle("While the loop decides between $w$ and $-w$ it is steep; then it rests")
    figure.set_label(
        "Three flows. Top: how far the answer is from w and from minus w along iterations; the two "
        "lines separate. Bottom: how steep the answer is, with a peak where they separate."
    )
    return figure


def bounded_pair(data: dict[str, Any]) -> Figure:
    """The bounded pair: error and slope against t, with what the bound allows."""
    row = data["bounded_pair"]
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.4))
    blue, red, black = COLOURS["implicit"], COLOURS["explicit"], COLOURS["closed_form"]
    t = row["t"]
    axes[0].plot(t, row["error"], "o-", color=blue, label="implicit, $y_t$")
    axes[0].axhline(row["explicit_error"], color=red, ls="--", label="explicit, same bound")
    axes[0].axhline(row["least_error"], color=black, ls=":", label="least error under the bound")
    axes[0].set(ylabel="mean relative error on $w$ and $-w$", ylim=(0, None), title="Error")
    slope = np.asarray(row["slope"])
    axes[1].plot(t, np.median(slope, 1), "o-", color=blue, label="implicit, $y_t$ (median, range)")
    axes[1].fill_between(t, slope.min(1), slope.max(1), color=blue, alpha=0.15, lw=0)
    explicit = np.median(row["explicit_slope"])
    axes[1].axhline(explicit, color=red, ls="--", label="explicit, same bound")
    axes[1].axhline(row["bound"], color=COLOURS["bound"], lw=2, label="the bound L")
    target = np.median(row["target"])
    axes[1].axhline(target, color=black, ls=":", label="the physical map")
    axes[1].set(ylabel="slope, in units of the networks", title="Slope")
    axes[1].set_yscale("log")
    axes[1].set_ylim(top=10 * axes[1].get_ylim()[1])  # room for the legend
    _log_ticks(axes[1])
    for axis, place in zip(axes, ("center right", "upper right"), strict=True):
        iterations(axis, TICKS, last=t[-1])
        axis.legend(loc=place)
    figure.suptitle("One bound on the slope of both: iteration passes it, one pass cannot")
    figure.set_label(
        "Two panels against iterations, for networks under one bound on their slope. Left: the "
        "implicit error falls below that of the explicit network and below the least error that "
        "the bound allows. Right: the slope of the answer passes the bound."
    )
    return figure


def _log_ticks(axis: Axes) -> None:
    """A logarithmic y axis with plain numbers."""
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    every = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1e4)
    ticks = [tick for tick in every if low <= tick <= high]
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
