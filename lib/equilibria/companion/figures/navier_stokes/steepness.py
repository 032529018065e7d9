"""How steep the answers are, how wrong, and why (paper, Fig. 4)."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, SEQUENCE, iterations

__all__ = ["TICKS", "bounded_pair", "decision", "steepness"]

TICKS = (1, 2, 4, 8, 16, 32, 64, 128, 200)


def steepness(data: dict[str, Any]) -> Figure:
    """Fig. 4, against t: L_t by both protocols, true local constants, and the error."""
    figure, axes = plt.subplots(1, 3, figsize=(15.5, 4.6))
    row = data["steepness"]
    _protocols(axes[0], row)
    _local_constants(axes[1], row)
    _errors(axes[2], row)
    for axis in axes:
        iterations(axis, TICKS, last=len(row["lipschitz"][0]))
        axis.legend(fontsize="small")
    figure.suptitle("How steep y_t is, and how wrong")
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
            label=label if first else None,
            **style,
        )


def _protocols(axis: Axes, row: dict[str, Any]) -> None:
    _band(axis, row["lipschitz"], COLOURS["implicit"], "corrected, physical units")
    axis.axhline(
        row["map"], color=COLOURS["closed_form"], ls=":", label="corrected: the physical map"
    )
    released = "as released, divided fields"
    _band(axis, row["as_released"], COLOURS["naive"], released, ls="-.")
    axis.set(ylabel="L_t, in the units of each protocol", title="Waves, 200 flows")
    _log_ticks(axis)


def _local_constants(axis: Axes, row: dict[str, Any]) -> None:
    """Over those of the physical map, of the first seed: the median flow and the range."""
    local = row["local"][0]
    of_map = np.asarray(local["map"])
    t = local["t"]
    for key, colour, label in (
        ("physical", COLOURS["implicit"], "y_t, directions that the physics knows"),
        ("all", SEQUENCE[9], "y_t, all directions"),
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
    _band(axis, row["error"], COLOURS["implicit"], "implicit, y_t")
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
        column[0].plot(t, flow["right"], color=COLOURS["implicit"], lw=2, label="to w")
        column[0].plot(t, flow["opposite"], color=COLOURS["naive"], lw=2, label="to -w")
        column[0].set(title=f"test flow {flow['index']}")
        shown = [(t, value) for t, value in enumerate(flow["ratio"], 1) if value > 0]
        column[1].plot(*zip(*shown, strict=True), color="#333333")
        _log_ticks(column[1])
        iterations(column[1], TICKS, last=len(flow["right"]))
    axes[0, 0].set(ylabel="distance of y_t / |w|")
    axes[1, 0].set(ylabel="largest |dy_t| / |df|")
    axes[0, 0].legend()
    figure.suptitle("While the loop decides between w and -w it is steep; then it rests")
    return figure


def bounded_pair(data: dict[str, Any]) -> Figure:
    """The bounded pair: error and slope against t, with what the bound allows."""
    row = data["bounded_pair"]
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.4))
    blue, red, black = COLOURS["implicit"], COLOURS["explicit"], COLOURS["closed_form"]
    t = row["t"]
    axes[0].plot(t, row["error"], "o-", color=blue, label="implicit, y_t")
    axes[0].axhline(row["explicit_error"], color=red, ls="--", label="explicit, same bound")
    axes[0].axhline(row["least_error"], color=black, ls=":", label="least error under the bound")
    axes[0].set(ylabel="mean relative error on w and -w", ylim=(0, None), title="Error")
    slope = np.asarray(row["slope"])
    axes[1].plot(t, np.median(slope, 1), "o-", color=blue, label="implicit, y_t (median, range)")
    axes[1].fill_between(t, slope.min(1), slope.max(1), color=blue, alpha=0.15, lw=0)
    explicit = np.median(row["explicit_slope"])
    axes[1].axhline(explicit, color=red, ls="--", label="explicit, same bound")
    axes[1].axhline(row["bound"], color=COLOURS["bound"], lw=2, label="the bound L")
    target = np.median(row["target"])
    axes[1].axhline(target, color=black, ls=":", label="the physical map")
    axes[1].set(ylabel="slope, in units of the networks", title="Slope")
    _log_ticks(axes[1])
    for axis in axes:
        iterations(axis, TICKS, last=t[-1])
        axis.legend()
    figure.suptitle("One bound on the slope of both: iteration passes it, one pass cannot")
    return figure


def _log_ticks(axis: Axes) -> None:
    """A logarithmic y axis with plain numbers."""
    axis.set_yscale("log")
    low, high = axis.get_ylim()
    every = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1e4)
    ticks = [tick for tick in every if low <= tick <= high]
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
