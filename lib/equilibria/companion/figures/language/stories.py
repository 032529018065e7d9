"""Figures and tables of the stories: answers along t, and contrast pairs.

Each function takes the dict of the notebook's results file, whose entry ``stories`` has what
`studies.stories.recorded` gives.
"""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, SEQUENCE
from equilibria.companion.figures.language.shared import (
    SIZE,
    legend_below,
    loop_axis,
    percent_axis,
    plot_seeds,
    seed_words,
)
from equilibria.companion.figures.markdown import markdown_table

__all__ = ["pair_table", "parts_table", "ratio_table", "stories_along_t", "stories_ratio", "struck"]

_CHANCE = 1 / 5
_TRAINED = 12  # the longest stories of training
_PROTOCOLS = {  # label, its spread over pairs, colour
    "released": ("as released: story and answers", "released_spread", SEQUENCE[4]),
    "ratio": ("answers only", "spread", COLOURS["implicit"]),
}
_PARTS = {
    "plain": "as in training",
    "phrasing": "a phrasing that training never had",
    "question": "a question that training never had",
    "roles": "pairs of names that training never had",
    "order": "idle sentences in a row, which training never had",
}


def stories_along_t(data: dict[str, Any]) -> Figure:
    """The share of right last answers against t, one curve per length, a band over the seeds."""
    figure, axis = plt.subplots(figsize=SIZE)
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
        title=f"Who has it in the end? ({seed_words(len(row['seeds']))})",
    )
    percent_axis(axis)
    legend_below(figure, axis, columns=2)
    figure.set_label(
        "The share of right last answers against the number of loops, one curve per length of "
        "story. Each curve leaves chance, later for longer stories, and stays where it arrives."
    )
    return figure


def parts_table(data: dict[str, Any]) -> str:
    """Right last answers at t = 2 n of what training never had: least to largest seed."""
    rows = []
    for part, words in _PARTS.items():
        shares = [100 * share for share in data["stories"]["parts"][part]]
        rows.append([words, f"{_span(shares)} %"])
    return markdown_table(["stories of 24 sentences", "last answers right"], rows)


def stories_ratio(data: dict[str, Any]) -> Figure:
    """The Levenshtein ratio of contrast pairs against t, beside that of the right answers."""
    figure, axis = plt.subplots(figsize=(SIZE[0], SIZE[1] + 0.6))
    row = data["stories"]["contrast"][0]
    for key, (label, spread, colour) in _PROTOCOLS.items():
        values = np.asarray(row[key])  # one row per t, one column per seed
        middle = values.mean(1)
        axis.plot(row["t"], values, "-", lw=1, color=colour, alpha=0.5)
        axis.plot(row["t"], middle, "o-", ms=4, color=colour, label=label)
        axis.axhline(row["right"][key], ls="--", lw=1.5, color=colour, label="the right answers")
        if key == "ratio":  # two bands would hide each other
            over_pairs = np.asarray(row[spread]).mean(1)
            low, high = np.maximum(middle - over_pairs, 0), middle + over_pairs
            band = "standard deviation over the pairs"
            axis.fill_between(row["t"], low, high, color=colour, alpha=0.12, lw=0, label=band)
    loop_axis(axis, row["t"][-1])
    axis.set(
        ylabel="ratio of word distances",
        ylim=(0, None),
        title=f"One changed name, {row['length']} sentences, one thin line per seed",
    )
    legend_below(figure, axis, columns=2)
    figure.set_label(
        "The ratio of the word distance of two answers to that of their stories, against the "
        "number of loops. Both curves, answers only and as released, climb to the dashed lines of "
        "the right answers and stay there."
    )
    return figure


def ratio_table(data: dict[str, Any]) -> str:
    """The contrast pairs against t: ratios, wrong words, right answers, least to largest seed."""
    row, first = data["stories"]["contrast"]
    rows = []
    for place, t in enumerate(row["t"]):
        if t & (t - 1) == 0 or t == row["t"][-1]:  # powers of two, and the last one
            cells = [_span(row[key][place]) for key in ("ratio", "released", "distance")]
            last = [100 * share for share in row["last"][place]]
            cells += [_span(last, ".0f") + " %", _span(first["ratio"][place])]
            rows.append([str(t), *cells])
    right = [f"{found:.1f}" for found in (row["right"]["ratio"], row["right"]["released"])]
    rows.append(["right", *right, "0", "100 %", f"{first['right']['ratio']:.1f}"])
    header = [
        "t",
        "ratio, answers only",
        "ratio, as released",
        "words wrong",
        "last answers right",
        "ratio, answers only, first swap",
    ]
    return markdown_table(header, rows)


def _span(values: list[float], form: str = ".1f") -> str:
    """The least and the largest value, or the one that they share."""
    low, high = format(min(values), form), format(max(values), form)
    return low if low == high else f"{low} to {high}"


def pair_table(table: dict[str, Any]) -> str:
    """Table 2's layout in Markdown: two stories that differ by one word, and the answers to each.

    ``table`` is what `studies.stories.telling_pair` gives. Wrong words are struck out.
    """
    first, second = (text.split() for text in table["stories"])
    stories = ["", ""]
    for a, b in zip(first, second, strict=True):
        marked = (a, b) if a == b else (f"**{a}**", f"**{b}**")
        stories = [f"{story} {word}".strip() for story, word in zip(stories, marked, strict=True)]
    (changed,) = {(a, b) for a, b in zip(first, second, strict=True) if a != b}
    rows = []
    for t, row in zip(table["t"], table["answers"], strict=True):
        rows.append([str(t), _struck(row["first"]), _struck(row["second"])])
    right = table["right"]
    rows.append(["right", " ".join(right["first"]), " ".join(right["second"])])
    header = ["t", *(f"answers to the story with **{name}**" for name in changed)]
    return f"{stories[0]}\n\n{stories[1]}\n\n{markdown_table(header, rows)}"


def _struck(words: list[str]) -> str:
    """Words in a row; those that end in * are wrong."""
    return " ".join(
        struck(word.removesuffix("*")) if word.endswith("*") else word for word in words
    )


def struck(word: str) -> str:
    """A wrong answer in Markdown; the model may also say nothing."""
    return f"~~{word or '-'}~~"
