"""Figures and tables of the stories: answers along t, contrast pairs, explicit models, rest.

Each function takes the dict of the notebook's results file, whose entry ``stories`` has what
`studies.stories.recorded` gives.
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
    SMALL_TEXT,
    loop_axis,
    percent_axis,
    plot_seeds,
)
from equilibria.companion.figures.markdown import markdown_table

__all__ = [
    "pair_table",
    "stories_along_t",
    "stories_at_rest",
    "stories_explicit",
    "stories_ratio",
]

_CHANCE = 1 / 5
_TRAINED = 12  # the longest stories of training
_PLACES = {  # where a contrast pair differs: label and colour
    "any": ("one name changed in any swap", COLOURS["implicit"]),
    "first": ("one name changed in the first swap", SEQUENCE[4]),
}
_PROTOCOLS = {
    "ratio": ("answers only", "spread"),
    "released": ("as released: prompt and answers", "released_spread"),
}


def stories_along_t(data: dict[str, Any]) -> Figure:
    """The share of right last answers against t, one curve per length, a band over the seeds."""
    figure, axis = plt.subplots(figsize=(7.6, 5))
    row = data["stories"]["along_t"]
    colours = plt.get_cmap("viridis")(np.linspace(0, 0.85, len(row["lengths"])))
    for colour, n in zip(colours, row["lengths"], strict=True):
        label = f"{n} sentences" + (" (longest in training)" if n == _TRAINED else "")
        plot_seeds(axis, row["t"][str(n)], row["right"][str(n)], colour, label, marker="o")
    axis.axhline(_CHANCE, color=COLOURS["bound"], ls=":", lw=1.2, label="chance")
    loop_axis(axis, max(row["t"][str(row["lengths"][-1])]))
    axis.set(
        ylabel="last answers right",
        ylim=(-0.03, 1.05),
        title=f"Who has it in the end? ({_seeds(len(row['seeds']))})",
    )
    percent_axis(axis)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def stories_ratio(data: dict[str, Any]) -> Figure:
    """The Levenshtein ratio of contrast pairs against t, beside that of the right answers."""
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 5.4), sharey=True)
    for axis, (key, (title, spread)) in zip(axes, _PROTOCOLS.items(), strict=True):
        for row in data["stories"]["contrast"]:
            _plot_ratio(axis, row, key, spread)
        axis.set(title=title, ylim=(0, None))
    axes[0].set_ylabel("Levenshtein ratio")
    length = data["stories"]["contrast"][0]["length"]
    figure.suptitle(f"{length} sentences: with more loops, one word changes more of the answers")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def _plot_ratio(axis: Axes, row: dict[str, Any], key: str, spread: str) -> None:
    label, colour = _PLACES[row["where"]]
    values = np.asarray(row[key])  # one row per t, one column per seed
    middle = values.mean(1)
    axis.plot(row["t"], values, "-", lw=1, color=colour, alpha=0.5)
    axis.plot(row["t"], middle, "o-", ms=4, color=colour, label=f"{label} (one thin line per seed)")
    if row["where"] == "any":  # two bands would hide each other
        over_pairs = np.asarray(row[spread]).mean(1)
        low, high = np.maximum(middle - over_pairs, 0), middle + over_pairs
        label = "their standard deviation over pairs"
        axis.fill_between(row["t"], low, high, color=colour, alpha=0.12, lw=0, label=label)
    right = row["right"][key]
    axis.axhline(right, ls="--", lw=1.5, color=colour, label="the right answers to these")
    loop_axis(axis, row["t"][-1])


def stories_explicit(data: dict[str, Any]) -> Figure:
    """Right last answers against length: the loop, its block once, and an untied stack."""
    figure, axis = plt.subplots(figsize=(7.6, 5.2))
    rows = data["stories"]["explicit"]
    axis.axvspan(4, _TRAINED, color=COLOURS["bound"], alpha=0.12, lw=0)
    axis.text(_TRAINED, 0.03, "trained to here ", ha="right", fontsize=8, color=SMALL_TEXT)
    looks = {"loop": ("in a loop, t = 2 n", COLOURS["implicit"]), **KINDS}
    for kind, (name, colour) in looks.items():
        if kind not in rows:
            continue
        seeds = _seeds(len(rows[kind]["right"][0]))
        label = f"{name}: {rows[kind]['parameters'] / 1e3:,.0f} k weights, {seeds}"
        plot_seeds(axis, rows["lengths"], rows[kind]["right"], colour, label, marker="o")
    axis.axhline(_CHANCE, color=COLOURS["bound"], ls=":", lw=1.2, label="chance")
    axis.set(
        xlabel="sentences in the story",
        ylabel="last answers right",
        ylim=(0, 1.04),
        xticks=rows["lengths"],
        title="Stories: iteration against depth",
    )
    percent_axis(axis)
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=1)
    return figure


def stories_at_rest(data: dict[str, Any]) -> Figure:
    """The spectral radius of dG/dz at rest against its norm, one point per story."""
    figure, axis = plt.subplots(figsize=(7.2, 4.8))
    rows = data["stories"]["at_rest"]
    for row, colour in zip(rows, SEQUENCE, strict=False):
        label = f"seed {row['seed']}, {len(row['radius'])} stories"
        axis.plot(row["norm"], row["radius"], "o", ms=3.5, alpha=0.6, color=colour, label=label)
    axis.axhline(1, color=COLOURS["closed_form"], lw=1)
    axis.axvline(1, color=COLOURS["closed_form"], lw=1, ls=":")
    largest = max(max(row["norm"]) for row in rows)
    notes = (
        (0.99 * largest, 1.01, "radius 1: an equilibrium attracts only below", "right"),
        (1.03, 0.04, "norm 1: a contraction only to the left", "left"),
    )
    for x, y, text, side in notes:
        axis.text(x, y, text, ha=side, va="bottom", fontsize=8, color=SMALL_TEXT)
    axis.set(
        xlabel="norm of dG/dz",
        ylabel="spectral radius of dG/dz",
        xlim=(0.9, 1.05 * largest),
        ylim=(0, 1.1 * max(1, *(max(row["radius"]) for row in rows))),
        title=f"Where the loop ends, {rows[0]['length']} sentences",
    )
    axis.legend(loc="lower right", bbox_to_anchor=(1, 0.1))
    return figure


def pair_table(table: dict[str, Any]) -> str:
    """Table 2's layout in Markdown: two stories that differ by one word, the answers to each below.

    ``table`` is what `studies.stories.telling_pair` gives. Wrong words are struck out.
    """
    first, second = (text.split() for text in table["stories"])
    prompts = ["", ""]
    for a, b in zip(first, second, strict=True):
        marked = (a, b) if a == b else (f"**{a}**", f"**{b}**")
        prompts = [f"{prompt} {word}".strip() for prompt, word in zip(prompts, marked, strict=True)]
    rows = []
    for t, row in zip(table["t"], table["answers"], strict=True):
        rows.append([str(t), _struck(row["first"]), _struck(row["second"])])
    right = table["right"]
    rows.append(["right", " ".join(right["first"]), " ".join(right["second"])])
    return markdown_table(["t", *prompts], rows)


def _struck(words: list[str]) -> str:
    """Words in a row; those that end in * are wrong, and struck out."""
    shown = []
    for word in words:
        if word.endswith("*"):
            answer = word.removesuffix("*") or "-"
            shown.append(f"~~{answer}~~")
        else:
            shown.append(word)
    return " ".join(shown)


def _seeds(count: int) -> str:
    return "one seed" if count == 1 else f"{count} seeds"
