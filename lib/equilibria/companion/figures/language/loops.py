"""Figures of what is measured of any loop: steepness, contraction and early exit."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, SEQUENCE
from equilibria.companion.figures.language.shared import SMALL_TEXT, TITLES, loop_axis

__all__ = ["contraction", "exits", "steepness"]

_STEEPNESS_TICKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200)
# What an answer costs and buys under early exit, per task: measure, and labels of both axes.
_EXITS = {
    "parity": ("right", "mean loops a question", "last answers right"),
    "senses": ("f1", "mean loops a token", "word F1"),
}
_DISCRETE = {
    "parity": "answers that change with one symbol, worst",
    "senses": "words that differ, answers over questions",
}


def steepness(data: dict[str, Any]) -> Figure:
    """True local Lipschitz constants of the state and of the logits, and the discrete ones."""
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.9))
    for axis, (task, row) in zip(axes, data["steepness"].items(), strict=True):
        _plot_steepness(axis, task, row)
    axes[0].set_ylabel("Lipschitz constant")
    return figure


def _plot_steepness(axis: Axes, task: str, row: dict[str, Any]) -> None:
    for which, colour, label in (
        ("latent", COLOURS["implicit"], "|dz_t/dx|, latent state"),
        ("logits", SEQUENCE[4], "|d logits/dx|, last position"),
    ):
        values = np.asarray(row[which])  # one row per t, one column per question
        axis.plot(
            row["t"],
            np.median(values, 1),
            "o-",
            ms=4,
            color=colour,
            label=f"{label}: median (band: all questions)",
        )
        axis.fill_between(row["t"], values.min(1), values.max(1), color=colour, alpha=0.15, lw=0)
    axis.plot(
        row["discrete_t"],
        row["discrete"],
        "s--",
        ms=4,
        mfc="none",
        color=COLOURS["closed_form"],
        label=_DISCRETE[task],
    )
    loop_axis(axis, max(row["t"][-1], row["discrete_t"][-1]))
    everything = [*np.ravel(row["latent"]), *np.ravel(row["logits"]), *row["discrete"]]
    low, high = 0.7 * min(everything), 1.4 * max(everything)
    questions = len(row["latent"][0])
    asked = f"n = {row['length']}" if "length" in row else f"{questions} questions"
    axis.set(yscale="log", ylim=(low, high), title=f"{TITLES[task]}, {asked}")
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("")
    axis.set_yticks([tick for tick in _STEEPNESS_TICKS if low <= tick <= high])
    axis.legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.17))


def contraction(data: dict[str, Any]) -> Figure:
    """The modulus |dG/dz| where the loop ends, and the rate of convergence, per question."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True)
    for axis, (task, row) in zip(axes, data["contraction"].items(), strict=True):
        questions = range(1, len(row["modulus"]) + 1)
        axis.plot(
            questions, row["modulus"], "o", color=COLOURS["implicit"], label="modulus |dG/dz| at z*"
        )
        axis.plot(
            questions,
            row["rate"],
            "s",
            mfc="none",
            color=COLOURS["implicit"],
            label="observed rate of convergence",
        )
        axis.axhline(1, color=COLOURS["closed_form"], lw=1)
        axis.set(xlabel="question", title=TITLES[task], xticks=questions, ylim=(0, None))
    axes[0].set_ylabel("factor a loop")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def exits(data: dict[str, Any]) -> Figure:
    """Early exit: the loops spent against what they buy, at falling tolerances."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    for axis, (task, rows) in zip(axes, data["exits"].items(), strict=True):
        _plot_exits(axis, task, rows, data["fixed"][task])
    figure.suptitle("Loops spent under early exit, tolerance below each point")
    return figure


def _plot_exits(axis: Axes, task: str, rows: list[dict[str, Any]], fixed: dict[str, Any]) -> None:
    measure, cost, gain = _EXITS[task]
    loops = [row["loops"] for row in rows]
    axis.plot(
        loops,
        [row[measure] for row in rows],
        "o-",
        color=COLOURS["implicit"],
        label="each question stops by itself",
    )
    for row in rows:
        axis.annotate(
            f"{row['tol']:g}",
            (row["loops"], row[measure]),
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
        fixed["value"],
        "s--",
        ms=4,
        mfc="none",
        color=COLOURS["bound"],
        label="the same t for all",
    )
    title = TITLES[task]
    if "length" in fixed:
        title += f", n = {fixed['length']}"
    axis.set(
        xlabel=cost,
        ylabel=gain,
        ylim=(0, 1.05),
        title=title,
        xlim=(0, 1.1 * max(loops + fixed["t"])),
    )
    axis.legend(loc="lower right")
