"""Figures of the word senses: answers, contrast pairs, and paths of their states."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from equilibria.companion.figures import COLOURS, SEQUENCE
from equilibria.companion.figures.language.shared import (
    KINDS,
    SMALL_TEXT,
    loop_axis,
    percent_axis,
    plot_seeds,
)

__all__ = ["answers_along_t", "pairs_along_t", "paths"]

# The two parts of the held-out questions: label and colour.
_PARTS = {
    "phrasing": ("new phrasings", COLOURS["implicit"]),
    "context": ("new contexts", SEQUENCE[4]),
}


def _short(label: str) -> str:
    """A label up to its first comma."""
    return label.split(",")[0]


def answers_along_t(data: dict[str, Any]) -> Figure:
    """Word F1 and exact answers against t on held-out questions; explicit models as levels."""
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.3), sharey=True)
    titles = {"f1": "word F1 with the definition", "exact": "answers right, word by word"}
    for axis, (measure, title) in zip(axes, titles.items(), strict=True):
        _plot_answers(axis, data, measure)
        axis.set(title=title, ylim=(-0.02, 1.03))
    axes[0].set_ylabel("mean over held-out questions")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _plot_answers(axis: Axes, data: dict[str, Any], measure: str) -> None:
    rows = data["senses"]
    for part, (name, colour) in _PARTS.items():
        curve = rows[measure][part]
        plot_seeds(axis, rows["t"][part], curve, colour, f"loop, {name}", marker="o")
        for kind, style in (("once", ":"), ("stack", "--")):
            if kind in rows:
                level = np.mean(rows[kind][measure][part])
                label = f"{_short(KINDS[kind][0])}, {name}"
                axis.axhline(level, color=colour, ls=style, lw=1.2, label=label)
    loop_axis(axis, rows["t"]["phrasing"][-1])
    axis.axvline(data["mean_depth"], color=COLOURS["bound"], lw=1, ls="-.")
    axis.text(
        data["mean_depth"],
        0.6,
        " mean depth in training",
        transform=axis.get_xaxis_transform(),
        fontsize=8,
        color=SMALL_TEXT,
    )


def pairs_along_t(data: dict[str, Any]) -> Figure:
    """Figs. 8-9 for the contrast pairs, against t.

    Left the Levenshtein ratio, in the middle the distance to the right answer, right the share of
    pairs with equal answers.
    """
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.9))
    rows = data["pairs"]
    _plot_ratio(axes[0], rows, data["published"]["ratio"])
    plot_seeds(axes[1], rows["t"], rows["distance"], COLOURS["implicit"], "loop", marker="o")
    plot_seeds(axes[2], rows["t"], rows["same"], COLOURS["implicit"], "loop", marker="o")
    for kind, (label, colour) in KINDS.items():
        if kind in rows:
            for axis, measure in zip(axes, ("ratio", "distance", "same"), strict=True):
                level = np.mean(rows[kind][measure])
                axis.axhline(level, color=colour, ls=":", lw=1.5, label=_short(label))
    axes[1].set(ylabel="words to edit", ylim=(0, None), title="Distance to the right answer")
    axes[2].set(
        ylabel="share of pairs", ylim=(0, None), title="Pairs that get one and the same answer"
    )
    percent_axis(axes[2])
    for axis in axes:
        loop_axis(axis, rows["t"][-1])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def _plot_ratio(axis: Axes, rows: dict[str, Any], published: tuple[float, float]) -> None:
    t, ratio, spread = rows["t"], np.mean(rows["ratio"], axis=1), np.mean(rows["spread"], axis=1)
    axis.fill_between(
        t,
        np.maximum(ratio - spread, 0),
        ratio + spread,
        color=COLOURS["implicit"],
        alpha=0.12,
        lw=0,
        label="one std over pairs",
    )
    label = "here, mean over pairs and seeds"
    plot_seeds(axis, t, rows["ratio"], COLOURS["implicit"], label, marker="o")
    axis.axhline(
        rows["right_ratio"],
        color=COLOURS["closed_form"],
        ls="--",
        lw=1.2,
        label="the right answers",
    )
    low, high = published
    axis.fill_between(
        [2, 16],
        low,
        high,
        color=COLOURS["published"],
        alpha=0.2,
        lw=0,
        label=f"Huginn, published: {low} at few loops to {high}",
    )
    axis.set(
        ylabel="words that differ, answers over questions",
        ylim=(0, None),
        title="The paper's ratio",
    )


def paths(data: dict[str, Any]) -> Figure:
    """The latent states of a contrast pair, at the token from which the answer starts.

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
        title="One word apart, and parting",
    )
    axes[0].legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.16))
    axes[1].plot(
        range(1, len(row["apart"]) + 1),
        row["apart"],
        "o-",
        ms=4,
        color=COLOURS["implicit"],
        label="|z_t - z'_t| / |z_t|, same token",
    )
    axes[1].plot(
        range(1, len(row["moved"]) + 1),
        row["moved"],
        "s:",
        ms=4,
        mfc="none",
        color=COLOURS["bound"],
        label="|z_t - z_(t-1)| / |z_t|",
    )
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
