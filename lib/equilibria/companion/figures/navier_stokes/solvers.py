"""Classical solvers of the equation, alone and from a network's answer."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
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
    figure.set_label(
        "Residuals against evaluations of three classical methods at three amplitudes of the "
        "flow; the larger it is, the fewer methods arrive."
    )
    return figure


def head_start(data: dict[str, Any]) -> Figure:
    """Newton-Krylov from rest and from the networks' answers: where it ends, and when."""
    rows = data["head_start"]
    count = len(rows["rest"]["right"])
    figure, axes = plt.subplots(1, 2, figsize=(10.5, 3.9))
    labels = {"rest": "from rest", "explicit": "from explicit", "implicit": "from implicit"}
    for place, name in enumerate(labels):
        row = rows[name]
        right, solved = sum(row["right"]), sum(row["solved"])
        colour = COLOURS.get(name, SEQUENCE[4])
        axes[0].bar(place, solved, 0.6, color="none", edgecolor=colour, hatch="////")
        axes[0].bar(place, right, 0.6, color=colour)
    axes[0].set_xticks(range(3), list(labels.values()))
    axes[0].set(
        ylabel="flows", ylim=(0, count), title="Ends at w (filled) or at another steady flow"
    )
    for name, label in labels.items():
        steps = sorted(rows[name]["steps"])
        axes[1].plot(
            range(1, count + 1), steps, "o-", color=COLOURS.get(name, SEQUENCE[4]), label=label
        )
    axes[1].set(xlabel="flows, sorted", ylabel="evaluations to 1e-8", title="Work of the solver")
    axes[1].set_yscale("log")
    axes[1].legend()
    figure.suptitle("A network's answer as the first guess of Newton-Krylov")
    figure.set_label(
        "Newton-Krylov from rest and from the networks' answers. Left: on how many flows it ends "
        "at w. Right: evaluations per flow."
    )
    return figure


def race(data: dict[str, Any]) -> Figure:
    """Error against measured seconds per flow, from the file of timings."""
    figure, axis = plt.subplots(figsize=(7, 4.2))
    rows = data["race"]
    for name, colour in (("explicit", COLOURS["explicit"]), ("implicit", COLOURS["implicit"])):
        row = rows[name]
        x, y = row["network_seconds"], row["error"]
        axis.loglog([x], [y], "o", color=colour, ms=9, label=f"{name} network")
        axis.annotate(
            "",
            xy=(row["seconds"], 1e-8),
            xytext=(x, y),
            arrowprops={"arrowstyle": "->", "color": colour},
        )
    axis.loglog([rows["rest"]["seconds"]], [1], "s", color=SEQUENCE[4], label="solver from rest")
    axis.set(
        xlabel="seconds per flow on the machine that ran this",
        ylabel="relative L2 error",
        ylim=(1e-9, 3),
        title="From a network's answer the solver goes on (arrows)",
    )
    axis.legend()
    figure.set_label(
        "Error against seconds per flow of the networks, and arrows to where a classical solver "
        "goes on from their answers."
    )
    return figure
