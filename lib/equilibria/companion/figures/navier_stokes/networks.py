"""What the networks answer, and how their loop comes to rest."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, SEQUENCE, iterations
from equilibria.companion.figures.navier_stokes.solvers import METHOD_COLOURS
from equilibria.companion.figures.navier_stokes.steepness import TICKS

__all__ = ["errors", "far_beyond", "physics", "regularity", "solve", "sweep", "transfer"]

_ERROR_TICKS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)  # of a relative error


def solve(data: dict[str, Any]) -> Figure:
    """The network's own solve: residual against evaluations of G, one line per flow."""
    figure, axis = plt.subplots(figsize=(6.8, 4))
    for name in ("Picard", "Anderson"):
        for index, curve in enumerate(data["solve"][name]):
            label = name if index == 0 else None
            evaluations = range(1, len(curve) + 1)
            colour = METHOD_COLOURS[name]
            axis.semilogy(evaluations, curve, color=colour, lw=1, alpha=0.8, label=label)
    axis.axhline(1e-3, color=COLOURS["bound"], ls=":", label="where the tables stop")
    count = len(data["solve"]["Picard"])
    axis.set(
        xlabel="evaluations of G",
        ylabel="relative residual |G(z, q) - z| / |G(z, q)|",
        title=f"How the network's own loop comes to rest: {count} test flows",
    )
    axis.legend()
    return figure


def errors(data: dict[str, Any]) -> Figure:
    """Test error per flow and by seed, implicit against explicit."""
    figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.2), width_ratios=[1.3, 1])
    _errors_per_flow(axes[0], data["per_flow"])
    _errors_by_seed(axes[1], data["table"], data["ratio"])
    return figure


def _errors_per_flow(axis: Axes, per_flow: dict[str, list[float]]) -> None:
    least = min(min(values) for values in per_flow.values())
    most = max(max(values) for values in per_flow.values())
    edges = np.geomspace(0.9 * least, 1.1 * most, 40).tolist()
    for kind in ("explicit", "implicit"):
        label = f"{kind}: mean {np.mean(per_flow[kind]):.3f}"
        axis.hist(per_flow[kind], bins=edges, color=COLOURS[kind], alpha=0.65, label=label)
    axis.set(
        xscale="log",
        xlabel="relative L2 error",
        ylabel="flows",
        title=f"{len(per_flow['implicit'])} test flows, one seed",
    )
    ticks = [tick for tick in _ERROR_TICKS if edges[0] <= tick <= edges[-1]]
    axis.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axis.minorticks_off()
    axis.legend()


def _errors_by_seed(axis: Axes, table: dict[str, Any], ratio: float) -> None:
    kinds = ("explicit", "implicit")
    for place, kind in enumerate(kinds):
        row = table[kind]
        error, spread = row["error"], row["spread"] or 0
        axis.bar(place, error, 0.55, yerr=spread, capsize=5, color=COLOURS[kind])
        axis.text(place, error / 2, f"{error:.3f}", ha="center", va="center", color="white")
        axis.scatter(
            place,
            row["published"],
            marker="_",
            s=600,
            color=COLOURS["published"],
            zorder=3,
            label="published (other data)" if place == 0 else None,
        )
    axis.set_xticks((0, 1), [f"{kind}\n{table[kind]['seeds']} seed(s)" for kind in kinds])
    millions = table["explicit"]["parameters"] / 1e6
    axis.set(ylabel="relative L2 error", title=f"same {millions:.2f} M weights: ratio {ratio:.2f}")
    axis.legend()


def far_beyond(data: dict[str, Any]) -> Figure:
    """Error far beyond the iterations of training, and of a network without an equilibrium."""
    figure, axis = plt.subplots(figsize=(7.4, 4.3))
    row = data["far"]
    blue = COLOURS["implicit"]
    depth = row["unrolled_steps"]
    trap = f"trap: undamped, trained by unrolling {depth} iterations"
    for key, style in (
        ("random", dict(color=blue, lw=0.8, alpha=0.6, label="implicit, from noise")),
        ("implicit", dict(color=blue, lw=2, label="implicit, from z = 0")),
        ("unrolled", dict(color=COLOURS["naive"], label=trap)),
    ):
        axis.plot(range(1, len(row[key]) + 1), row[key], **style)
    axis.axhline(row["explicit"], color=COLOURS["explicit"], ls="--", label="explicit")
    axis.axvspan(*row["visit"], color=COLOURS["bound"], alpha=0.15, lw=0)
    axis.axvline(depth, color=COLOURS["bound"], ls="--", lw=1)
    _note_above_axis(axis, depth, " unrolled depth")
    iterations(axis, TICKS, last=len(row["implicit"]))
    axis.set(
        ylabel="relative L2 error", ylim=(0, 1.1), title="Far beyond the iterations of training"
    )
    axis.legend(loc="upper right")
    return figure


def regularity(data: dict[str, Any]) -> Figure:
    """The modulus of G in the latent state at the equilibrium, and the observed rate, per flow."""
    figure, axis = plt.subplots(figsize=(6.6, 3.8))
    rows = data["regularity"]
    place = range(len(rows["mu"]))
    blue = COLOURS["implicit"]
    rate = "observed rate of convergence"
    axis.plot(place, rows["mu"], "o", color=blue, label="mu, |dG/dz| at z*")
    axis.plot(place, rows["rate"], "s", color=blue, mfc="none", label=rate)
    axis.axhline(1, color=COLOURS["closed_form"], lw=1)
    axis.set(
        xlabel="test flow",
        ylabel="contraction modulus",
        xticks=list(place),
        ylim=(0, None),
        title="The loop converges; is it a contraction?",
    )
    axis.legend()
    return figure


def sweep(data: dict[str, Any]) -> Figure:
    """Table 5: error and training memory against weights.

    FNO++ by depth and by width, beside the one implicit block.
    """
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.3))
    for kind, marker, colour in (("depth", "o", COLOURS["explicit"]), ("width", "s", SEQUENCE[5])):
        for axis, key in zip(axes, ("error", "memory"), strict=True):
            _sweep_line(axis, data["sweep"][kind], kind, key, marker, colour)
    own = data["table"]["implicit"]
    for axis, key, label in (
        (axes[0], "error", "implicit, its equilibrium"),
        (axes[1], "memory", "implicit, any number of iterations"),
    ):
        axis.scatter(
            own["parameters"] / 1e6,
            own[key],
            marker="*",
            s=180,
            color=COLOURS["implicit"],
            zorder=3,
            label=label,
        )
        axis.axhline(own[key], color=COLOURS["implicit"], lw=1, ls=":")
        axis.set(
            xlabel="weights (millions)",
            ylim=(0, 1.08 * axis.get_ylim()[1]),
            xlim=(None, axis.get_xlim()[1] + 0.15 * np.ptp(axis.get_xlim())),
        )
        axis.legend()
    axes[0].set(ylabel="test error", title="Depth and width against iterations")
    axes[1].set(
        ylabel="kept for the backward pass (MB)",
        title=f"Training memory of one flow, {data['n']} x {data['n']}",
    )
    return figure


def _sweep_line(
    axis: Axes, rows: list[dict[str, Any]], kind: str, key: str, marker: str, colour: str
) -> None:
    weights = [row["parameters"] / 1e6 for row in rows]
    values = [row[key] for row in rows]
    axis.plot(weights, values, marker=marker, color=colour, label=f"explicit, by {kind}")
    for row, x in zip(rows[1:], weights[1:], strict=True):
        axis.annotate(
            f"{kind} {row['size']}",
            (x, row[key]),
            textcoords="offset points",
            xytext=(-4, -12),
            fontsize=8,
            color=colour,
        )


def physics(data: dict[str, Any]) -> Figure:
    """How far each answer is from solving the equation, against t."""
    figure, axis = plt.subplots(figsize=(6.8, 4))
    row = data["physics"]
    t = range(1, len(row["implicit"]) + 1)
    axis.plot(t, row["implicit"], color=COLOURS["implicit"], lw=2, label="implicit, y_t")
    axis.axhline(row["explicit"], color=COLOURS["explicit"], ls="--", label="explicit")
    axis.axhline(1, color=COLOURS["bound"], ls=":", label="a fluid at rest")
    iterations(axis, TICKS, last=len(row["implicit"]))
    axis.set(
        ylabel="residual of the equation / |curl f|",
        ylim=(0, 1.05),
        title="How far each answer is from solving the equation",
    )
    axis.legend()
    return figure


def transfer(data: dict[str, Any]) -> Figure:
    """Errors on other grids and at other amplitudes than those of training."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2))
    resolution, amplitude = data["resolution"], data["amplitude"]
    _transfer_panel(axes[0], resolution)
    _transfer_panel(axes[1], amplitude)
    axes[0].set(
        xlabel="grid points n of n x n",
        title=f"Another grid, the same weights: {resolution['flows'][0]} flows",
    )
    values = amplitude["values"]
    counts = zip(values, amplitude["flows"], strict=True)
    axes[1].set_xticks(values, [f"{value:g}\n{count} flows" for value, count in counts])
    axes[1].set(xlabel="std(w)", title="Another strength of forcing, labels by the same rule")
    return figure


def _transfer_panel(axis: Axes, row: dict[str, Any]) -> None:
    values = row["values"]
    for kind in ("explicit", "implicit"):
        axis.plot(values, row[kind], marker="o", color=COLOURS[kind], label=kind)
    for value, error, solved in zip(values, row["implicit"], row["solved"], strict=True):
        if solved < 1:  # an answer that is no equilibrium
            axis.annotate(
                f"{solved:.0%} solved",
                (value, error),
                textcoords="offset points",
                xytext=(8, 2),
                fontsize=8,
                color=COLOURS["implicit"],
            )
    axis.set(ylabel="relative L2 error", ylim=(0, None))
    axis.set_xticks(values, [f"{value:g}" for value in values])
    for trained in row["trained"]:
        axis.axvline(trained, color=COLOURS["bound"], ls="--", lw=1)
        _note_above_axis(axis, trained, " trained")
    axis.legend()


def _note_above_axis(axis: Axes, x: float, text: str) -> None:
    """A small note just above the x axis, in grey."""
    place = axis.get_xaxis_transform()
    axis.text(x, 0.02, text, transform=place, fontsize=8, color="#555555")
