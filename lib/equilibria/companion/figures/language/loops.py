"""Figures that show symbols and stories together: the claim, explicit models, loops at rest.

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
    SMALL_TEXT,
    TALL,
    legend_below,
    loop_axis,
    mark_training,
    percent_axis,
    plot_seeds,
    seed_words,
)

__all__ = ["at_rest", "explicit", "steep_and_right"]


def steep_and_right(data: dict[str, Any]) -> Figure:
    """The claim in one figure: the longest stories' answers become right, and as steep, along t.

    Steepness is the ratio of word distances of contrast pairs, answers only, over that of the right
    answers.
    """
    figure, axis = plt.subplots(figsize=SIZE)
    row = data["stories"]["contrast"][0]
    steep = np.asarray(row["ratio"]) / row["right"]["ratio"]
    right = data["stories"]["along_t"]
    n, last = str(row["length"]), row["t"][-1]
    times = [t for t in right["t"][n] if t <= last]
    label = "answers that are right (the last of each story)"
    shares = right["right"][n][: len(times)]
    plot_seeds(axis, times, shares, COLOURS["implicit"], label, marker="o")
    label = "words that one changed name changes, of those that it should"
    plot_seeds(axis, row["t"], steep.tolist(), SEQUENCE[4], label, marker="o")
    axis.axhline(1, color=COLOURS["closed_form"], lw=1)
    loop_axis(axis, last)
    axis.set(ylim=(0, 1.08), title=f"Stories of {n} sentences: loops make answers right, and steep")
    percent_axis(axis)
    legend_below(figure, axis)
    figure.set_label(
        "Two curves against the number of loops, which both rise to one hundred per cent and stay: "
        "the share of right answers, and how many words of the answers one changed name changes, "
        "as a share of those that it should change."
    )
    return figure


def explicit(data: dict[str, Any]) -> Figure:
    """Right last answers against length: the loop, its block once, and an untied stack."""
    figure, (parity, stories) = plt.subplots(2, 1, figsize=TALL)
    _plot_explicit(parity, data["explicit"], chance=1 / 2)
    mark_training(parity, 2, data["longest"])
    parity.set(title="Running parity", xlabel="symbols in the question")
    _plot_explicit(stories, data["stories"]["explicit"], chance=1 / 5)
    mark_training(stories, 4, 12)
    stories.set(title="Stories", xlabel="sentences in the story")
    legend_below(figure, parity, columns=2)
    figure.set_label(
        "Two panels, parity and stories: right last answers against length, for the loop, the same "
        "block once, and a stack of blocks. Beyond the lengths of training the loop stays high, "
        "and both others fall to chance or below."
    )
    return figure


def _plot_explicit(axis: Axes, rows: dict[str, Any], *, chance: float) -> None:
    looks = {"loop": ("the loop, $t = 2n$", COLOURS["implicit"]), **KINDS}
    sizes = []
    for kind, (label, colour) in looks.items():
        if kind in rows:
            plot_seeds(axis, rows["lengths"], rows[kind]["right"], colour, label, marker="o")
            seeds = seed_words(len(rows[kind]["right"][0]))
            sizes.append(f"{kind}: {rows[kind]['parameters'] / 1e3:,.0f} k weights, {seeds}")
    axis.axhline(chance, color=COLOURS["bound"], ls=":", lw=1.2, label="chance")
    axis.set(ylabel="last answers right", ylim=(0, 1.06), xticks=rows["lengths"])
    percent_axis(axis)
    axis.text(
        0.98,
        0.74,
        "\n".join(sizes),
        transform=axis.transAxes,
        ha="right",
        va="center",
        fontsize=9,
        color=SMALL_TEXT,
    )


def at_rest(data: dict[str, Any]) -> Figure:
    """The spectral radius of dG/dz where the loop ends against its norm, one point per input."""
    figure, axis = plt.subplots(figsize=SIZE)
    tasks = (
        ("parity", "symbols", data["at_rest"], "o", COLOURS["implicit"]),
        ("stories", "sentences", data["stories"]["at_rest"], "^", SEQUENCE[4]),
    )
    for task, unit, rows, marker, colour in tasks:
        norms, radii = (np.concatenate([row[key] for row in rows]) for key in ("norm", "radius"))
        label = f"{task}, {rows[0]['length']} {unit}: {len(radii)} points, "
        label += seed_words(len(rows))
        axis.plot(norms, radii, marker, ms=4, mew=0, alpha=0.5, color=colour, label=label)
    for line in (axis.axhline, axis.axvline):
        line(1, color=COLOURS["closed_form"], lw=1)
    axis.set(
        xscale="log",
        xlabel=r"norm $\|\partial G / \partial z\|$",
        ylabel=r"spectral radius $\rho(\partial G / \partial z)$",
        title="At rest: the loop attracts below 1, and is no contraction",
    )
    axis.set_ylim(0, 1.15 * max(1, axis.dataLim.y1))
    axis.set_xlim(0.8, 1.2 * axis.dataLim.x1)
    ticks = [t for t in (1, 2, 5, 10, 20, 50) if t < 1.2 * axis.dataLim.x1]
    axis.set_xticks(ticks, [str(t) for t in ticks])
    axis.minorticks_off()
    for y, side, word in ((1.02, "bottom", "repels"), (0.98, "top", "attracts")):
        axis.text(1.04, y, word, va=side, fontsize=9, color=SMALL_TEXT)
    legend_below(figure, axis)
    figure.set_label(
        "One point per question or story: spectral radius of the derivative of the loop where it "
        "ends, against its norm. Points below the horizontal line at one attract; all points lie "
        "to the right of the vertical line at one, so the loop is no contraction in norm."
    )
    return figure
