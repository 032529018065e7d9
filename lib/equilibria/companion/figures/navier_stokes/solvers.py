"""Classical solvers of the equation, alone and from a network's answer."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, SEQUENCE

__all__ = ["METHOD_COLOURS", "classical", "head_start", "race"]

METHOD_COLOURS = {"Picard": SEQUENCE[4], "Anderson": SEQUENCE[5], "Newton-Krylov": SEQUENCE[9]}


def classical(data: dict[str, Any]) -> Figure:
    """Residual against evaluations for three classical methods, one panel per amplitude."""
    rows = data["classical"]
    figure, axes = plt.subplots(1, len(rows), figsize=(3.9 * len(rows), 4.4), sharey=True)
    for axis, (amplitude, methods) in zip(axes, rows.items(), strict=True):
        for name, colour in METHOD_COLOURS.items():
            curves = methods[name]["residuals"]
            solved = round(methods[name]["solved"] * len(curves))
            for index, curve in enumerate(curves):
                label = f"{name}: {solved} of {len(curves)} solved" if index == 0 else None
                evaluations = range(1, len(curve) + 1)
                axis.loglog(evaluations, curve, color=colour, lw=1, alpha=0.8, label=label)
        axis.set(title=f"std(w) = {amplitude}", xlabel="evaluations of P", ylim=(1e-13, 5))
        axis.set_yticks([1e-8, 1e-6, 1e-4, 1e-2, 1])
        axis.legend(loc="lower left")
    axes[0].set_ylabel("relative residual")
    figure.suptitle(
        "Solved from the forcing: "
        "w = P(w) = $(\\nu\\Delta)^{-1}(u\\cdot\\nabla w - \\mathrm{curl}\\, f)$, one line per flow"
    )
    return figure


def race(data: dict[str, Any]) -> Figure:
    """Error against measured seconds per flow, from the file of timings.

    The networks, and solvers from rest and from the networks' answers.
    """
    implicit, explicit = COLOURS["implicit"], COLOURS["explicit"]
    anderson, newton = METHOD_COLOURS["Anderson"], METHOD_COLOURS["Newton-Krylov"]
    figure, axis = plt.subplots(figsize=(7.6, 4.6))
    for name, colour, marker, line in (
        ("implicit network, y_t", implicit, "o", "-"),
        ("explicit network", explicit, "X", "none"),
        ("Anderson from rest", anderson, "^", "-"),
        ("Anderson from explicit", explicit, "^", "--"),
        ("Anderson from implicit", implicit, "^", "--"),
        ("followed from rest", SEQUENCE[4], "s", "none"),
        ("Newton-Krylov from implicit", newton, "D", "none"),
    ):
        row = data["race"][name]
        error = np.maximum(row["error"], 1e-9)
        axis.loglog(row["seconds"], error, color=colour, marker=marker, ls=line, ms=6, label=name)
    axis.set(
        xlabel="seconds per flow, in one batch, on the machine that ran this",
        ylabel="relative L2 error",
        title=f"Error against time, mean of {data['race_flows']} flows",
    )
    axis.legend(fontsize="small", loc="lower left")
    return figure


def head_start(data: dict[str, Any]) -> Figure:
    """Evaluations that two solvers need per flow, from rest and from a network's answer."""
    starts = (
        (-0.27, "rest", "from rest", SEQUENCE[4]),
        (0, "explicit", "from the explicit answer", COLOURS["explicit"]),
        (0.27, "implicit", "from the implicit answer", COLOURS["implicit"]),
    )
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 4), sharey=True)
    for axis, (solver, rows) in zip(axes, data["head_start"].items(), strict=True):
        count = len(rows["rest"]["steps"])
        for offset, name, label, colour in starts:
            row = rows[name]
            mean = "" if row["mean"] is None else f": mean {row['mean']:.0f}"
            place = np.arange(count) + offset
            bars = axis.bar(place, row["steps"], 0.26, color=colour, label=label + mean)
            for bar, right in zip(bars, row["right"], strict=True):
                if not right:
                    bar.set(facecolor="none", edgecolor=colour, hatch="////")
        axis.set(xlabel="test flow", xticks=list(range(count)), title=solver)
        axis.legend(loc="upper right")
    axes[0].set(ylabel="evaluations to residual 1e-8", ylim=(0, 1.4 * axes[0].get_ylim()[1]))
    figure.suptitle(
        "A network's answer as the first guess of a solver "
        "(means over flows solved from everywhere)"
    )
    return figure
