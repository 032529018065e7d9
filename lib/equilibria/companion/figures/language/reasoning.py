"""Figures of parity and sums: one question loop by loop, accuracy, steepness, broken models.

Each function takes the dict of the notebook's results file.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, SEQUENCE
from equilibria.companion.figures.language.shared import (
    KINDS,
    SIZE,
    TALL,
    TITLES,
    legend_below,
    loop_axis,
    mark_training,
    percent_axis,
    plot_seeds,
    seed_words,
)

__all__ = ["broken", "dots", "flips", "loops_to_answer", "reasoning_along_t"]

_MARKERS = {"once": "x", "stack": "+"}  # of the explicit models, which make one pass


def dots(data: dict[str, Any]) -> Figure:
    """One question, loop by loop: a dot for each right answer, a cross for each wrong one."""
    row = data["one_question"]
    right = np.asarray(row["right"])  # (t, symbols)
    figure, axis = plt.subplots(figsize=(6.4, 6.4))
    looks = (
        (right, "o", COLOURS["implicit"], "right"),
        (~right, "x", COLOURS["explicit"], "wrong"),
    )
    for chosen, marker, colour, label in looks:
        t, place = np.nonzero(chosen)
        axis.plot(place + 1, t + 1, marker, ms=5, color=colour, label=label)
    steps, symbols = right.shape
    edge = range(1, min(steps, symbols) + 1)
    axis.plot(edge, edge, color=COLOURS["bound"], ls="--", lw=1.2, label="$t$ = place")
    axis.set(
        xlabel="question and its parity, symbol by symbol",
        ylabel="loops $t$",
        ylim=(steps + 0.7, 0.3),  # downwards, as one reads
        yticks=[1, *range(4, steps + 1, 4)],
        title="Each loop carries the right answers further",
    )
    pairs = zip(row["symbols"], row["answers"], strict=True)
    axis.set_xticks(range(1, symbols + 1), [f"{symbol}\n{answer}" for symbol, answer in pairs])
    axis.grid(False)
    legend_below(figure, axis, columns=3)
    figure.set_label(
        "A grid with one column per symbol and one row per loop. Dots, right answers, fill it from "
        "the left; crosses, wrong ones, stay on the right and are gone after enough loops."
    )
    return figure


def reasoning_along_t(data: dict[str, Any]) -> Figure:
    """The share of right last answers against t for both tasks, one curve per length."""
    figure, axes = plt.subplots(2, 1, figsize=TALL, sharex=True)
    for axis, (task, row) in zip(axes, data["along_t"].items(), strict=True):
        lengths = [n for n in ("8", "16", "32", "64") if n in row["right"]]
        colours = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(lengths)))
        for colour, n in zip(colours, lengths, strict=True):
            label = f"$n$ = {n}"
            if int(n) == data["longest"]:
                label += " (longest in training)"
            plot_seeds(axis, row["t"][n], row["right"][n], colour, label)
        axis.axhline(row["chance"], color=COLOURS["bound"], ls=":", lw=1.2, label="chance")
        title = TITLES[task].capitalize()
        axis.set(title=f"{title} ({seed_words(len(row['seeds']))})", ylim=(-0.03, 1.05))
        axis.set_ylabel("last answers right")
        loop_axis(axis, max(row["t"][lengths[-1]]))
        percent_axis(axis)
    axes[0].set_xlabel("")
    legend_below(figure, axes[0], columns=2)
    figure.set_label(
        "Two panels, running parity and running sums: the share of right last answers against the "
        "number of loops, one curve per length. Each curve leaves chance, later for longer "
        "questions, and then stays where it arrives."
    )
    return figure


def loops_to_answer(data: dict[str, Any]) -> Figure:
    """Loops until 99 % of the last answers are right and stay so, against the number of symbols."""
    figure, axis = plt.subplots(figsize=SIZE)
    lengths = data["along_t"]["parity"]["lengths"]
    mark_training(axis, 2, data["longest"], height=0.93)
    # the sums are shifted a little to the right, so that the points of both tasks can be told apart
    looks = ((COLOURS["implicit"], 0), (SEQUENCE[4], 0.6))
    for (task, row), (colour, shift) in zip(data["along_t"].items(), looks, strict=True):
        _plot_loops(axis, task, row, colour, shift)
    for factor, style, label in ((1, "--", "$t = n$"), (0.25, ":", "$t = n / 4$")):
        loops = [factor * n for n in lengths]
        axis.plot(lengths, loops, color=COLOURS["bound"], ls=style, lw=1.2, label=label)
    axis.set(
        xlabel="symbols $n$ in the question",
        ylabel="loops to 99 % right",
        ylim=(0, None),
        title="Longer questions need more loops",
        xticks=lengths,
    )
    legend_below(figure, axis, columns=2)
    figure.set_label(
        "The number of loops until ninety-nine per cent of the answers are right, against the "
        "number of symbols: it grows in proportion, near the line of one loop per symbol."
    )
    return figure


def _plot_loops(axis: Axes, task: str, row: dict[str, Any], colour: str, shift: float) -> None:
    """One line per seed; a line in the legend counts the seeds that never get there."""
    for place in range(len(row["seeds"])):
        loops = {n: row["loops"][str(n)][place] for n in row["lengths"]}
        reached = [n for n in row["lengths"] if loops[n] is not None]
        if reached:
            label = f"{TITLES[task]}, one line per seed" if place == 0 else None
            places = [n + shift for n in reached]
            values = [loops[n] for n in reached]
            axis.plot(places, values, "o-", ms=4, lw=1, alpha=0.8, color=colour, label=label)
    missing = sum(row["loops"][str(n)].count(None) for n in row["lengths"])
    if missing:
        asked = len(row["lengths"]) * len(row["seeds"])
        axis.plot([], [], " ", label=f"({TITLES[task]}: {missing} of {asked} never get there)")


def flips(data: dict[str, Any]) -> Figure:
    """The discrete Lipschitz constant: answers that change with the worst input symbol, along t."""
    figure, axis = plt.subplots(figsize=SIZE)
    lengths = sorted(data["flips"], key=int)
    for n, colour in zip(lengths, (COLOURS["implicit"], SEQUENCE[4]), strict=False):
        row = data["flips"][n]
        axis.axhline(row["target_worst"], ls="--", lw=1.2, color=colour)
        axis.plot(row["t"], row["worst"], "o-", ms=4, color=colour, label=f"the loop, $n$ = {n}")
        for kind, marker in _MARKERS.items():
            axis.plot([1], [row[kind]], marker, ms=8, mew=2, color=colour)
    grey = COLOURS["bound"]
    for kind, marker in _MARKERS.items():
        axis.plot([], [], marker, ms=8, mew=2, color=grey, label=KINDS[kind][0])
    axis.plot([], [], "--", lw=1.2, color=grey, label="the right answers, $n$")
    loop_axis(axis, data["flips"][lengths[-1]]["t"][-1])
    axis.set(
        ylabel="answers that change",
        ylim=(0, 1.06 * int(lengths[-1])),
        title="Change the worst symbol: the loop becomes as steep as it should",
    )
    legend_below(figure, axis, columns=2)
    figure.set_label(
        "How many answers change with the worst symbol, against the number of loops, for two "
        "lengths. Each curve climbs to the dashed line of the right answers and stays on it."
    )
    return figure


def broken(data: dict[str, Any]) -> Figure:
    """Two broken models beside the trained loop: parity against t.

    In one the norm after each loop is switched off; the other was trained once and then looped.
    """
    figure, axis = plt.subplots(figsize=SIZE)
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
        title=f"Broken on purpose: running parity, $n$ = {row['length']}",
    )
    percent_axis(axis)
    legend_below(figure, axis)
    figure.set_label(
        "Right last answers against the number of loops. The trained loop rises to one hundred per "
        "cent; without its norm, and trained without a loop, it stays at chance."
    )
    return figure
