"""Figures of the reasoning tasks: accuracy against loops and length, and steepness."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, SEQUENCE
from equilibria.companion.figures.language.shared import (
    KINDS,
    SMALL_TEXT,
    TITLES,
    loop_axis,
    percent_axis,
    plot_seeds,
)

__all__ = ["broken", "explicit", "flips", "loops_to_answer", "reasoning_along_t"]


def reasoning_along_t(data: dict[str, Any]) -> Figure:
    """The share of right last answers against t for both tasks, one curve per length."""
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.3), sharey=True)
    for axis, (task, row) in zip(axes, data["along_t"].items(), strict=True):
        lengths = [n for n in ("8", "16", "32", "64") if n in row["right"]]
        colours = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(lengths)))
        for colour, n in zip(colours, lengths, strict=True):
            label = f"n = {n}"
            if int(n) == data["longest"]:
                label += " (longest in training)"
            plot_seeds(axis, row["t"][n], row["right"][n], colour, label)
        axis.axhline(row["chance"], color=COLOURS["bound"], ls=":", lw=1.2, label="chance")
        loop_axis(axis, max(row["t"][lengths[-1]]))
        seeds = len(row["seeds"])
        spread = "one seed" if seeds == 1 else f"{seeds} seeds (band: least to largest)"
        axis.set(title=f"{TITLES[task]}, {spread}", ylim=(-0.03, 1.05))
    axes[0].legend(loc="lower left")
    axes[0].set_ylabel("last answers right")
    percent_axis(axes[0])
    return figure


def loops_to_answer(data: dict[str, Any]) -> Figure:
    """Loops until 99 % of the last answers are right and stay so, against the number of symbols."""
    figure, axis = plt.subplots(figsize=(7.2, 5))
    lengths = data["along_t"]["parity"]["lengths"]
    _mark_training(axis, data["longest"], height=0.97, va="top")
    # the sums are shifted a little to the right, so that the points of both tasks can be told apart
    looks = ((COLOURS["implicit"], 0), (SEQUENCE[4], 0.6))
    for (task, row), (colour, shift) in zip(data["along_t"].items(), looks, strict=True):
        _plot_loops(axis, task, row, colour, shift)
    for factor, style, label in ((1, "--", "t = n"), (0.25, ":", "t = n / 4")):
        loops = [factor * n for n in lengths]
        axis.plot(lengths, loops, color=COLOURS["bound"], ls=style, lw=1.2, label=label)
    axis.set(
        xlabel="symbols n in the question",
        ylabel="loops to 99 % right",
        ylim=(0, None),
        title="Longer questions need more loops",
        xticks=lengths,
    )
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _plot_loops(axis: Axes, task: str, row: dict[str, Any], colour: str, shift: float) -> None:
    """One line per seed; a line in the legend counts the seeds that never get there."""
    for place in range(len(row["seeds"])):
        loops = {n: row["loops"][str(n)][place] for n in row["lengths"]}
        reached = [n for n in row["lengths"] if loops[n] is not None]
        if reached:
            axis.plot(
                [n + shift for n in reached],
                [loops[n] for n in reached],
                "o-",
                ms=4,
                lw=1,
                alpha=0.8,
                color=colour,
                label=f"{TITLES[task]}, one line per seed" if place == 0 else None,
            )
    missing = sum(row["loops"][str(n)].count(None) for n in row["lengths"])
    if missing:
        asked = len(row["lengths"]) * len(row["seeds"])
        label = f"({TITLES[task]}: {missing} of {asked} never get there)"
        axis.plot([], [], " ", label=label)


def _mark_training(axis: Axes, longest: int, *, height: float, va: str = "baseline") -> None:
    """Shade the lengths of training."""
    axis.axvspan(2, longest, color=COLOURS["bound"], alpha=0.12, lw=0)
    axis.text(
        longest,
        height,
        "trained to here ",
        transform=axis.get_xaxis_transform(),
        ha="right",
        va=va,
        fontsize=8,
        color=SMALL_TEXT,
    )


def explicit(data: dict[str, Any]) -> Figure:
    """Right last answers of parity against length: the loop, one block, and an untied stack."""
    figure, axis = plt.subplots(figsize=(7.2, 5))
    rows = data["explicit"]
    _mark_training(axis, data["longest"], height=0.03)
    looks = {"loop": ("in a loop, t = 2 n", COLOURS["implicit"]), **KINDS}
    for kind, (label, colour) in looks.items():
        weights = f"{rows[kind]['parameters'] / 1e3:,.0f} k weights"
        plot_seeds(
            axis,
            rows["lengths"],
            rows[kind]["right"],
            colour,
            f"{label}: {weights}",
            marker="o",
        )
    axis.axhline(0.5, color=COLOURS["bound"], ls=":", lw=1.2, label="chance")
    axis.set(
        xlabel="symbols n in the question",
        ylabel="last answers right",
        ylim=(0, 1.04),
        xticks=rows["lengths"],
        title="Running parity: iteration against depth",
    )
    percent_axis(axis)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=1)
    return figure


def flips(data: dict[str, Any]) -> Figure:
    """The discrete Lipschitz constant: answers that change with one input symbol, against t."""
    panels = len(data["flips"])
    figure, grid = plt.subplots(1, panels, figsize=(5.9 * panels, 5))
    axes = np.atleast_1d(grid)
    for axis, n in zip(axes, sorted(data["flips"], key=int), strict=True):
        _plot_flips(axis, int(n), data["flips"][n])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    figure.suptitle(
        "Flip one input symbol of the parity: y_t becomes as steep as the target, and right"
    )
    return figure


def _plot_flips(axis: Axes, n: int, row: dict[str, Any]) -> None:
    for which, style in (("worst", "-"), ("mean", "--")):
        label = f"loop, {which} over positions"
        axis.plot(row["t"], row[which], ls=style, color=COLOURS["implicit"], label=label)
        label = f"the right answers, {which}"
        target = row[f"target_{which}"]
        axis.axhline(target, ls=style, lw=1.2, color=COLOURS["published"], label=label)
    for kind, (name, colour) in KINDS.items():
        if kind in row:
            axis.axhline(row[kind]["worst"], color=colour, ls=":", lw=1.5, label=f"{name}, worst")
    # the accuracy has a scale of its own, and an empty curve for the legend of this one
    look: dict[str, Any] = {"color": COLOURS["closed_form"], "lw": 1, "alpha": 0.6}
    accuracy_axis = axis.twinx()
    accuracy_axis.plot(row["t"], row["right"], **look)
    accuracy_axis.set(ylim=(0, 1.06), ylabel="last answers right")
    percent_axis(accuracy_axis)
    accuracy_axis.grid(False)
    axis.plot([], [], **look, label="last answers right (scale on the right)")
    loop_axis(axis, row["t"][-1])
    axis.set(ylabel="answers that change", ylim=(0, 1.06 * n), title=f"n = {n}")


def broken(data: dict[str, Any]) -> Figure:
    """Two broken models beside the trained loop: parity against t.

    In one the norm after each loop is switched off; the other was trained once and then looped.
    """
    figure, axis = plt.subplots(figsize=(7.2, 4.2))
    row = data["broken"]
    for name, colour, label in (
        ("loop", COLOURS["implicit"], "trained in a loop"),
        ("no_norm", COLOURS["naive"], "its norm in the loop switched off"),
        ("once", COLOURS["explicit"], "the block trained once, looped all the same"),
    ):
        axis.plot(row["t"], row[name], "o-", ms=4, color=colour, label=label)
    axis.axhline(0.5, color=COLOURS["bound"], ls=":", lw=1.2, label="chance")
    loop_axis(axis, row["t"][-1])
    axis.set(
        ylabel="last answers right",
        ylim=(0, 1.05),
        title=f"Broken on purpose: running parity, n = {row['length']}",
    )
    percent_axis(axis)
    axis.legend(loc="upper left")
    return figure
