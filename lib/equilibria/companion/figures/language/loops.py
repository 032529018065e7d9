"""Figures of what is measured of a loop: steepness, contraction, paths and early exit."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from equilibria.companion.figures import COLOURS, SEQUENCE
from equilibria.companion.figures.language.shared import SMALL_TEXT, TITLES, loop_axis

__all__ = ["contraction", "exits", "paths", "steepness"]

_STEEPNESS_TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200)


def steepness(data: dict[str, Any]) -> Figure:
    """True local Lipschitz constants of the state and of the logits, and the discrete one."""
    figure, axis = plt.subplots(figsize=(7.2, 5.2))
    row = data["steepness"]
    for which, colour, label in (
        ("latent", COLOURS["implicit"], "|dz_t/dx|, latent state"),
        ("logits", SEQUENCE[4], "|d logits/dx|, last position"),
    ):
        values = np.asarray(row[which])  # one row per t, one column per question
        label = f"{label}: median (band: all {values.shape[1]} questions)"
        axis.plot(row["t"], np.median(values, 1), "o-", ms=4, color=colour, label=label)
        axis.fill_between(row["t"], values.min(1), values.max(1), color=colour, alpha=0.15, lw=0)
    axis.plot(
        row["discrete_t"],
        row["discrete"],
        "s--",
        ms=4,
        mfc="none",
        color=COLOURS["closed_form"],
        label="answers that change with one symbol, worst",
    )
    loop_axis(axis, max(row["t"][-1], row["discrete_t"][-1]))
    everything = [*np.ravel(row["latent"]), *np.ravel(row["logits"]), *row["discrete"]]
    low, high = 0.7 * min(everything), 1.4 * max(everything)
    title = f"{TITLES['parity'].capitalize()}, n = {row['length']}"
    axis.set(ylabel="Lipschitz constant", yscale="log", ylim=(low, high), title=title)
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("")
    axis.set_yticks([tick for tick in _STEEPNESS_TICKS if low <= tick <= high])
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=1)
    return figure


def contraction(data: dict[str, Any]) -> Figure:
    """The modulus |dG/dz| where the loop ends, and the rate of convergence, per question."""
    figure, axis = plt.subplots(figsize=(7.2, 4))
    row = data["contraction"]
    questions = range(1, len(row["modulus"]) + 1)
    colour = COLOURS["implicit"]
    axis.plot(questions, row["modulus"], "o", color=colour, label="modulus |dG/dz| at z*")
    axis.plot(
        questions, row["rate"], "s", mfc="none", color=colour, label="observed rate of convergence"
    )
    axis.axhline(1, color=COLOURS["closed_form"], lw=1, label="1: no contraction above")
    axis.set(
        xlabel="question",
        ylabel="factor per loop",
        ylim=(0, None),
        xticks=questions,
        title="Running parity: one step, and many",
    )
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def paths(data: dict[str, Any]) -> Figure:
    """The latent states of two questions that differ in one symbol, at the last position.

    Left on their two principal axes; right how far they are apart and how far they still move.
    """
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), width_ratios=[1.4, 1])
    row = data["paths"]
    colours = (COLOURS["implicit"], COLOURS["explicit"])
    for points, colour, label in zip(row["points"], colours, row["labels"], strict=True):
        _plot_path(axes[0], np.asarray(points), colour, label)
    axes[0].set(
        xlabel=f"first axis ({row['share'][0]:.0%} of the variance)",
        ylabel=f"second axis ({row['share'][1]:.0%})",
        title="One symbol apart, and parting",
    )
    axes[0].legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.16))
    loops = range(1, len(row["apart"]) + 1)
    for which, style, face, colour, label in (
        ("apart", "o-", COLOURS["implicit"], COLOURS["implicit"], "|z_t - z'_t| / |z_t|"),
        ("moved", "s:", "none", COLOURS["bound"], "|z_t - z_(t-1)| / |z_t|"),
    ):
        axes[1].plot(loops, row[which], style, ms=4, mfc=face, color=colour, label=label)
    loop_axis(axes[1], len(row["apart"]))
    axes[1].set(yscale="log", ylabel="relative distance", title="Apart, and at rest")
    axes[1].legend()
    return figure


def _plot_path(axis: Axes, path: NDArray[np.float64], colour: str, label: str) -> None:
    """One path (steps, 2), with its first, second and last loop named."""
    axis.plot(path[:, 0], path[:, 1], "-", lw=1, color=colour, alpha=0.7)
    axis.scatter(path[:, 0], path[:, 1], s=14, color=colour, label=label)
    for t in (1, 2, len(path)):
        axis.annotate(
            f"t = {t}",
            (path[t - 1, 0], path[t - 1, 1]),
            xytext=(6, -12 if t > 2 else 4),
            textcoords="offset points",
            fontsize=8,
            color=colour,
        )


def exits(data: dict[str, Any]) -> Figure:
    """Early exit: the loops spent against what they buy, at falling tolerances."""
    figure, axis = plt.subplots(figsize=(7.2, 4.2))
    rows, fixed = data["exits"], data["fixed"]
    loops = [row["loops"] for row in rows]
    axis.plot(
        loops,
        [row["right"] for row in rows],
        "o-",
        color=COLOURS["implicit"],
        label="each question stops by itself, at the tolerance below the point",
    )
    for row in rows:
        axis.annotate(
            f"{row['tol']:g}",
            (row["loops"], row["right"]),
            xytext=(0, -6),
            textcoords="offset points",
            ha="center",
            va="top",
            rotation=90,
            fontsize=8,
            color=SMALL_TEXT,
        )
    axis.plot(
        fixed["t"],
        fixed["right"],
        "s--",
        ms=4,
        mfc="none",
        color=COLOURS["bound"],
        label="the same t for all",
    )
    axis.set(
        xlabel="mean loops per question",
        ylabel="last answers right",
        ylim=(0, 1.05),
        xlim=(0, 1.1 * max(loops + fixed["t"])),
        title=f"Early exit: running parity, n = {fixed['length']}",
    )
    axis.legend(loc="lower right")
    return figure
