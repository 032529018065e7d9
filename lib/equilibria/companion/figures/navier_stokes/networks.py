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

__all__ = ["errors", "far_beyond", "rest", "solve", "sweep", "transfer", "viscosity"]

_ERROR_TICKS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2)  # of a relative error
_KIND_COLOURS = {
    "plain": COLOURS["naive"],
    "explicit": COLOURS["explicit"],
    "implicit": COLOURS["implicit"],
}


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
        xlabel="evaluations of $G$",
        ylabel="relative residual $|G(z, q) - z| / |G(z, q)|$",
        title=f"How the network's own loop comes to rest: {count} test flows",
    )
    axis.legend()
    figure.set_label(
        "Residuals of single flows against evaluations of G, on a logarithmic axis: straight lines "
        "for Picard's iteration, fewer evaluations for Anderson's method."
    )
    return figure


def errors(data: dict[str, Any]) -> Figure:
    """Test error per flow and by seed, of the three networks of equal size."""
    figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.2), width_ratios=[1.3, 1])
    _errors_per_flow(axes[0], data["per_flow"])
    _errors_by_seed(axes[1], data["table"])
    figure.set_label(
        "Left: how many test flows have which relative error, for the plain, the explicit and the "
        "implicit network. Right: their mean errors over seeds, with the published values."
    )
    return figure


def _errors_per_flow(axis: Axes, per_flow: dict[str, list[float]]) -> None:
    least = min(min(values) for values in per_flow.values())
    most = max(max(values) for values in per_flow.values())
    edges = np.geomspace(0.9 * least, 1.1 * most, 40).tolist()
    for kind, values in per_flow.items():
        label = f"{kind}: mean {np.mean(values):.3f}"
        axis.hist(values, bins=edges, color=_KIND_COLOURS[kind], alpha=0.6, label=label)
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


def _errors_by_seed(axis: Axes, table: dict[str, Any]) -> None:
    for place, (kind, row) in enumerate(table.items()):
        error, spread = row["error"], row["spread"] or 0
        axis.bar(place, error, 0.55, yerr=spread, capsize=5, color=_KIND_COLOURS[kind])
        axis.text(place, error / 2, f"{error:.3f}", ha="center", va="center", color="white")
        if row["published"] is not None:
            axis.scatter(
                place,
                row["published"],
                marker="_",
                s=600,
                color=COLOURS["published"],
                zorder=3,
                label="published" if kind == "implicit" else None,
            )
    seeds = [
        f"{kind}\n" + ("one seed" if row["seeds"] == 1 else f"{row['seeds']} seeds")
        for kind, row in table.items()
    ]
    axis.set_xticks(range(len(table)), seeds)
    millions = table["explicit"]["parameters"] / 1e6
    axis.set(ylabel="relative L2 error", title=f"{millions:.2f} M weights each")
    axis.legend()


def viscosity(data: dict[str, Any]) -> Figure:
    """Viscosity as a dial for steepness: error of the pair, and iterations to rest, against nu."""
    rows = data["viscosity"]
    figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.1))
    for kind in ("explicit", "implicit"):
        shown = [row for row in rows if row["error"][kind] is not None]
        axes[0].errorbar(
            [row["viscosity"] for row in shown],
            [row["error"][kind] for row in shown],
            yerr=[2 * row["allowance"][kind] for row in shown],
            marker="o",
            capsize=4,
            color=COLOURS[kind],
            label=kind,
        )
    shown = [row for row in rows if row["steps"] is not None]
    axes[1].plot(
        [row["viscosity"] for row in shown],
        [row["steps"] for row in shown],
        "o-",
        color=COLOURS["implicit"],
    )
    axes[0].set(ylabel="relative L2 error (two standard errors)", ylim=(0, None), title="Error")
    axes[1].set(ylabel="evaluations of G to 1e-3", ylim=(0, None), title="Iterations to rest")
    every = [row["viscosity"] for row in rows]
    for axis in axes:
        axis.set(xscale="log", xlabel="viscosity (the smaller, the steeper)")
        axis.set(xlim=(1.1 * max(every), 0.9 * min(every)))
        axis.set_xticks(every, [f"{value:g}" for value in every])
        axis.minorticks_off()
    for row in rows:
        for axis, value in zip(axes, (row["error"]["implicit"], row["steps"]), strict=True):
            if value is None:
                _mark_not_run(axis, row["viscosity"])
    axes[0].legend()
    figure.set_label(
        "Against falling viscosity: the errors of the explicit and of the implicit network, and "
        "how many evaluations the implicit one needs to come to rest."
    )
    return figure


def _mark_not_run(axis: Axes, x: float) -> None:
    """Say at ``x`` that there is no number, so that a gap is not taken for a result."""
    axis.text(
        x,
        0.04,
        "not run",
        transform=axis.get_xaxis_transform(),
        rotation=90,
        ha="center",
        va="bottom",
        fontsize=8,
        color="grey",
    )


def far_beyond(data: dict[str, Any]) -> Figure:
    """Error far beyond the iterations of training, and of a network without an equilibrium."""
    figure, axis = plt.subplots(figsize=(7.4, 4.3))
    row = data["far"]
    for index, curve in enumerate(row["implicit"]):
        label = "implicit, one line per seed" if index == 0 else None
        axis.plot(row["t"], curve, "o-", ms=3, color=COLOURS["implicit"], label=label)
    depth = row["unrolled_steps"]
    if row["unrolled"] is not None:
        trap = f"trap: undamped, trained by unrolling {depth} iterations"
        shown = np.minimum(row["unrolled"], 10)
        axis.plot(row["t"], shown, "s-", ms=3, color=COLOURS["naive"], label=trap)
        axis.axvline(depth, color=COLOURS["bound"], ls="--", lw=1)
    axis.axhline(row["explicit"], color=COLOURS["explicit"], ls="--", label="explicit")
    axis.axvspan(*row["visit"], color=COLOURS["bound"], alpha=0.15, lw=0)
    iterations(axis, TICKS, last=row["t"][-1])
    axis.set(
        ylabel="relative L2 error",
        ylim=(0, 1.2),
        title=f"Far beyond the iterations of training: {row['flows']} test flows",
    )
    axis.legend(loc="upper right")
    figure.set_label(
        "Error against iterations up to 200. The implicit network falls and stays; a network that "
        "was trained by unrolling three iterations is best there and gets worse beyond."
    )
    return figure


def rest(data: dict[str, Any]) -> Figure:
    """The spectral radius of dG/dz at rest over all test flows, and its norm at a few."""
    figure, axis = plt.subplots(figsize=(6.8, 3.9))
    radii, mu = data["rest"]["radii"], data["regularity"]["mu"]
    axis.hist(
        radii,
        bins=20,
        color=COLOURS["implicit"],
        lw=0,
        label=f"spectral radius, {len(radii)} flows",
    )
    for index, value in enumerate(mu):
        label = f"norm (the modulus $\\mu$), {len(mu)} flows" if index == 0 else None
        axis.axvline(value, color=SEQUENCE[9], lw=1, label=label)
    axis.axvline(1, color=COLOURS["closed_form"], ls=":", lw=2, label="1")
    axis.set(
        xlabel="of $\\partial G/\\partial z$ at rest",
        ylabel="flows",
        title="The loop converges; is it a contraction?",
    )
    axis.legend()
    figure.set_label(
        "How many test flows have which spectral radius of dG/dz at rest, with lines for its norm "
        "at ten flows, and a dotted line at one."
    )
    return figure


def sweep(data: dict[str, Any]) -> Figure:
    """Table 5: error and training memory against weights.

    FNO++ by depth and by width, beside the one implicit block.
    """
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.3))
    rows = data["table_5"]
    for kind, marker, colour in (("depth", "o", COLOURS["explicit"]), ("width", "s", SEQUENCE[5])):
        line = [row for row in rows if row["kind"] == kind]
        if kind == "width":  # depth 1 is the smallest width
            line = [row for row in rows if row["name"] == "explicit"] + line
        for axis, key in zip(axes, ("error", "memory"), strict=True):
            _sweep_line(axis, line, kind, key, marker, colour)
    own = next(row for row in rows if row["name"] == "implicit")
    # one range for both, in which networks that are not trained leave a gap
    most = 1.15 * max(row["parameters"] for row in rows) / 1e6
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
        axis.set(xlabel="weights (millions)", xlim=(0, most), ylim=(0, 1.08 * axis.get_ylim()[1]))
        axis.legend()
    axes[0].set(ylabel="test error", title="Depth and width against iterations")
    for row in rows:
        if row["error"] is None:
            _mark_not_run(axes[0], row["parameters"] / 1e6)
    axes[1].set(ylabel="kept for the backward pass (MB)", title="Training memory of one flow")
    figure.set_label(
        "Against the number of weights: test error and training memory of deeper and of wider "
        "explicit networks, with a star for the one implicit block."
    )
    return figure


def _sweep_line(
    axis: Axes, rows: list[dict[str, Any]], kind: str, key: str, marker: str, colour: str
) -> None:
    rows = [row for row in rows if row[key] is not None]  # an error, where it was trained
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


def transfer(data: dict[str, Any]) -> Figure:
    """Errors on other grids and at other speeds than those of the test flows."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2))
    for axis, key, label, title in (
        (axes[0], "resolution", "grid points n of n x n", "Another grid, the same weights"),
        (axes[1], "speed", "largest speed of the flows", "Another strength of forcing"),
    ):
        row = data[key]
        for kind in ("explicit", "implicit"):
            axis.plot(row["values"], row[kind], "o-", color=COLOURS[kind], label=kind)
        axis.set(xlabel=label, ylabel="relative L2 error", ylim=(0, None), title=title)
        axis.set_xticks(row["values"], [f"{value:g}" for value in row["values"]])
        axis.legend()
    figure.set_label(
        "Errors of the explicit and of the implicit network on other grids, and at other largest "
        "speeds of the flows."
    )
    return figure
