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
    """Fig. 4, against t: L_t of the paper's protocol, true local constants, and the error.

    Local constants are shown over those of the physical map.
    """
    figure, axes = plt.subplots(1, 3, figsize=(14.5, 4.3))
    row = data["steepness"]
    steps = len(row["lipschitz"])
    _protocol(axes[0], row)
    _local_constants(axes[1], row)
    _errors(axes[2], row)
    iterations(axes[0], TICKS, last=steps)
    axes[0].legend(fontsize="small", loc="best")
    iterations(axes[1], _LOCAL_TICKS, last=row["local_t"][-1])
    axes[1].legend(fontsize="small", loc="upper right")
    iterations(axes[2], TICKS, last=steps)
    axes[2].legend(fontsize="small", loc="upper right")
    figure.suptitle("How steep y_t is, and how wrong")
    return figure


def _protocol(axis: Axes, row: dict[str, Any]) -> None:
    t = range(1, len(row["lipschitz"]) + 1)
    axis.plot(t, row["lipschitz"], color=COLOURS["implicit"], lw=2, label="implicit, y_t")
    axis.axhline(row["target"], color=COLOURS["closed_form"], ls=":", label="the physical map")
    axis.axhline(row["explicit_lipschitz"], color=COLOURS["explicit"], ls="--", label="explicit")
    axis.set(ylabel="L_t", yscale="log", title="The paper's fifteen directions")
    low, high = axis.get_ylim()
    ticks = [tick for tick in (5, 10, 20, 50, 100, 200, 500, 1000) if low <= tick <= high]
    axis.set_yticks(ticks, [str(tick) for tick in ticks])


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
            label="implicit, y_t, a line a flow" if first else None,
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


def _errors(axis: Axes, row: dict[str, Any]) -> None:
    t = range(1, len(row["lipschitz"]) + 1)
    mean, std = np.asarray(row["error_mean"]), np.asarray(row["error_std"])
    colour = COLOURS["implicit"]
    axis.plot(t, mean, color=colour, lw=2, label="implicit, y_t (band: one std)")
    axis.fill_between(t, np.maximum(mean - std, 1e-3), mean + std, color=colour, alpha=0.15, lw=0)
    axis.axhline(row["explicit_error"], color=COLOURS["explicit"], ls="--", label="explicit")
    axis.set(
        ylabel="relative L2 error", ylim=(0, None), title="The error meanwhile, clean and perturbed"
    )
