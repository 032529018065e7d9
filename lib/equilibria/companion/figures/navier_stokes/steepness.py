"""How steep the answers are, and how wrong (paper, Fig. 4)."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, iterations

__all__ = ["TICKS", "steepness"]

TICKS = (1, 2, 4, 8, 16, 32, 50, 100, 200)
_LOCAL_TICKS = (1, 2, 4, 8, 16, 32, 64, 128)


def steepness(data: dict[str, Any]) -> Figure:
    """Fig. 4, against t: L_t by both protocols, true local constants, and the error.

    Local constants are shown over those of the physical map.
    """
    figure, axes = plt.subplots(1, 3, figsize=(15.5, 4.6))
    row = data["steepness"]
    steps = len(row["lipschitz"])
    _protocols(axes[0], row)
    _local_constants(axes[1], row)
    _errors(axes[2], row, data["along_all"])
    iterations(axes[0], TICKS, last=steps)
    axes[0].legend(fontsize="small", loc="center right")
    iterations(axes[1], _LOCAL_TICKS, last=row["local_t"][-1])
    axes[1].legend(fontsize="small", loc="upper right")
    iterations(axes[2], TICKS, last=steps)
    axes[2].legend(fontsize="small", loc="upper right")
    figure.suptitle("How steep y_t is, and how wrong")
    return figure


def _protocols(axis: Axes, row: dict[str, Any]) -> None:
    blue = COLOURS["implicit"]
    t = range(1, len(row["lipschitz"]) + 1)
    axis.plot(t, row["lipschitz"], color=blue, lw=2, label="corrected: implicit, y_t")
    axis.axhline(
        row["target"], color=COLOURS["closed_form"], ls=":", label="corrected: the physical map"
    )
    axis.axhline(
        row["explicit_lipschitz"],
        color=COLOURS["explicit"],
        ls="--",
        label="corrected: explicit",
    )
    released = zip(row["as_released_t"], row["as_released"], strict=True)
    shown = [(t, value) for t, value in released if value > 0]
    if shown:
        label = f"as released: implicit (0 before t = {shown[0][0]})"
        axis.plot(*zip(*shown, strict=True), color=COLOURS["naive"], ls="-.", lw=2, label=label)
    title = f"{len(row['waves'])} waves at {row['flows']} flows, two protocols"
    axis.set(ylabel="L_t, in the units of each protocol", yscale="log", title=title)
    low, high = axis.get_ylim()
    every = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
    ticks = [tick for tick in every if low <= tick <= high]
    axis.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()


def _local_constants(axis: Axes, row: dict[str, Any]) -> None:
    # one row per t, one column per flow
    implicit = np.asarray(row["local"]) / np.asarray(row["physical"])
    explicit = np.asarray(row["local_explicit"]) / np.asarray(row["physical"])
    t = row["local_t"]
    columns = zip(cycle("os^Dv"), implicit.T, explicit, strict=False)  # markers repeat
    for flow, (marker, curve, level) in enumerate(columns):
        first = flow == 0
        axis.plot(
            t,
            curve,
            color=COLOURS["implicit"],
            marker=marker,
            ms=5,
            label="implicit y_t, one line per flow" if first else None,
        )
        axis.plot(
            t,
            [level] * len(curve),
            color=COLOURS["explicit"],
            ls="--",
            marker=marker,
            ms=4,
            label="explicit" if first else None,
        )
    axis.axhline(1, color=COLOURS["closed_form"], ls=":", label="the physical map at that flow")
    axis.set(
        ylabel="local constant / that of the physics",
        ylim=(0, 1.4 * max(implicit.max(), explicit.max(), 1)),
        title="All directions",
    )


def _errors(axis: Axes, row: dict[str, Any], on_all_flows: list[dict[str, Any]]) -> None:
    times = range(1, len(row["lipschitz"]) + 1)
    mean, std = np.asarray(row["error_mean"]), np.asarray(row["error_std"])
    colour = COLOURS["implicit"]
    label = f"implicit, y_t, {row['flows']} flows (band: one std)"
    axis.plot(times, mean, color=colour, lw=2, label=label)
    axis.fill_between(
        times, np.maximum(mean - std, 1e-3), mean + std, color=colour, alpha=0.15, lw=0
    )
    for record in on_all_flows[:1]:
        curve = zip(record["t"], record["mean"], strict=True)
        points = [(t, value) for t, value in curve if t in times]
        label = f"all {record['flows']} test flows"
        axis.plot(*zip(*points, strict=True), "o", ms=4, color=colour, label=label)
    axis.axhline(row["explicit_error"], color=COLOURS["explicit"], ls="--", label="explicit")
    axis.set(
        ylabel="relative L2 error", ylim=(0, None), title="The error meanwhile, clean and perturbed"
    )
