"""Figures of notebook 05: reasoning with a looped transformer (paper Table 2, Figs. 8-9). Each takes the dict of its results file."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from equilibria.companion.figures import COLOURS, SEQUENCE, iterations

__all__ = [
    "answers_along_t",
    "broken",
    "contraction",
    "exits",
    "explicit",
    "flips",
    "loops_to_answer",
    "pairs_along_t",
    "paths",
    "reasoning_along_t",
    "steepness",
]

_TITLES = {"parity": "running parity", "sums": "running sums modulo 5", "senses": "word senses"}
_KINDS = {
    "once": ("the same block once", COLOURS["explicit"]),
    "stack": ("untied stack, as deep as the loop in training", COLOURS["naive"]),
}
_PARTS = {
    "phrasing": ("new phrasings", COLOURS["implicit"]),
    "context": ("new contexts", SEQUENCE[4]),
}


def _loops(axis, last: int, *, label: str = "loops t") -> None:
    iterations(axis, (1, 2, 4, 8, 16, 32, 64, 128, 256, 512), last=last, label=label)


def _seeds(axis, t, values, colour, label, *, style: str = "-", marker: str | None = None) -> None:
    """Mean over seeds, with a band from the least to the largest; values: a row a t, a column a seed."""
    rows = np.asarray(values, dtype=float)
    axis.plot(t, rows.mean(1), ls=style, marker=marker, ms=4, color=colour, label=label)
    if rows.shape[1] > 1:
        axis.fill_between(t, rows.min(1), rows.max(1), color=colour, alpha=0.15, lw=0)


def reasoning_along_t(data: dict) -> Figure:
    """Share of right last answers against t, one curve a length, for both tasks."""
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.3), sharey=True)
    for axis, (task, row) in zip(axes, data["along_t"].items()):
        shown = [n for n in ("8", "16", "32", "64") if n in row["right"]]
        for colour, n in zip(plt.cm.viridis(np.linspace(0, 0.85, len(shown))), shown):
            _seeds(
                axis,
                row["t"][n],
                row["right"][n],
                colour,
                f"n = {n}" + (" (longest in training)" if int(n) == data["longest"] else ""),
            )
        axis.axhline(row["chance"], color=COLOURS["bound"], ls=":", lw=1.2, label="chance")
        _loops(axis, max(row["t"][shown[-1]]))
        seeds = len(row["seeds"])
        axis.set(
            title=f"{_TITLES[task]}, {'one seed' if seeds == 1 else f'{seeds} seeds (band: least to largest)'}",
            ylim=(-0.03, 1.05),
        )
    axes[0].legend(loc="lower left")
    axes[0].set_ylabel("last answers right")
    axes[0].yaxis.set_major_formatter(PercentFormatter(1))
    return figure


def loops_to_answer(data: dict) -> Figure:
    """Loops until 99 % of the last answers are right and stay so, against the number of symbols."""
    figure, axis = plt.subplots(figsize=(7.2, 5))
    lengths = data["along_t"]["parity"]["lengths"]
    axis.axvspan(2, data["longest"], color=COLOURS["bound"], alpha=0.12, lw=0)
    axis.text(
        data["longest"],
        0.97,
        "trained to here ",
        transform=axis.get_xaxis_transform(),
        ha="right",
        va="top",
        fontsize=8,
        color="#555555",
    )
    for (task, row), colour, shift in zip(
        data["along_t"].items(), (COLOURS["implicit"], SEQUENCE[4]), (0, 0.6)
    ):
        for place, seed in enumerate(row["seeds"]):
            found = [
                (n + shift, row["loops"][str(n)][place])
                for n in row["lengths"]
                if row["loops"][str(n)][place] is not None
            ]
            if found:
                axis.plot(
                    *zip(*found),
                    "o-",
                    ms=4,
                    lw=1,
                    alpha=0.8,
                    color=colour,
                    label=f"{_TITLES[task]}, a line a seed" if place == 0 else None,
                )
        missing = sum(value is None for n in row["lengths"] for value in row["loops"][str(n)])
        if missing:
            axis.plot(
                [],
                [],
                " ",
                label=f"({_TITLES[task]}: {missing} of {len(row['lengths']) * len(row['seeds'])} never get there)",
            )
    for factor, style in ((1, "--"), (0.25, ":")):
        axis.plot(
            lengths,
            [factor * n for n in lengths],
            color=COLOURS["bound"],
            ls=style,
            lw=1.2,
            label="t = n" if factor == 1 else "t = n / 4",
        )
    axis.set(
        xlabel="symbols n in the question",
        ylabel="loops to 99 % right",
        ylim=(0, None),
        title="Longer questions need more loops",
        xticks=lengths,
    )
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def explicit(data: dict) -> Figure:
    """The loop, the same block once and an untied stack: right last answers of parity against length."""
    figure, axis = plt.subplots(figsize=(7.2, 5))
    rows = data["explicit"]
    axis.axvspan(2, data["longest"], color=COLOURS["bound"], alpha=0.12, lw=0)
    axis.text(
        data["longest"],
        0.03,
        "trained to here ",
        transform=axis.get_xaxis_transform(),
        ha="right",
        fontsize=8,
        color="#555555",
    )
    for kind, label, colour in (
        ("loop", "in a loop, t = 2 n", COLOURS["implicit"]),
        *((kind, *_KINDS[kind]) for kind in ("once", "stack")),
    ):
        _seeds(
            axis,
            rows["lengths"],
            rows[kind]["right"],
            colour,
            f"{label}: {rows[kind]['parameters'] / 1e3:,.0f} k weights",
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
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=1)
    return figure


def flips(data: dict) -> Figure:
    """The discrete Lipschitz constant: answers that change with one input symbol, against t."""
    figure, axes = plt.subplots(1, len(data["flips"]), figsize=(5.9 * len(data["flips"]), 5))
    for axis, (n, row) in zip(
        np.atleast_1d(axes), sorted(data["flips"].items(), key=lambda item: int(item[0]))
    ):
        for which, style in (("worst", "-"), ("mean", "--")):
            axis.plot(
                row["t"],
                row[which],
                ls=style,
                color=COLOURS["implicit"],
                label=f"loop, {which} over positions",
            )
            axis.axhline(
                row[f"target_{which}"],
                ls=style,
                lw=1.2,
                color=COLOURS["published"],
                label=f"the right answers, {which}",
            )
        for kind, (label, colour) in _KINDS.items():
            if kind in row:
                axis.axhline(
                    row[kind]["worst"], color=colour, ls=":", lw=1.5, label=f"{label}, worst"
                )
        right = axis.twinx()
        right.plot(row["t"], row["right"], color=COLOURS["closed_form"], lw=1, alpha=0.6)
        right.set(ylim=(0, 1.06), ylabel="last answers right")
        right.yaxis.set_major_formatter(PercentFormatter(1))
        right.grid(False)
        axis.plot(
            [],
            [],
            color=COLOURS["closed_form"],
            lw=1,
            alpha=0.6,
            label="last answers right (scale on the right)",
        )
        _loops(axis, row["t"][-1])
        axis.set(ylabel="answers that change", ylim=(0, 1.06 * int(n)), title=f"n = {n}")
    figure.legend(
        *np.atleast_1d(axes)[0].get_legend_handles_labels(), loc="outside lower center", ncols=3
    )
    figure.suptitle(
        "Flip one input symbol of the parity: y_t becomes as steep as the target, and right"
    )
    return figure


def answers_along_t(data: dict) -> Figure:
    """Word F1 and exact answers against t on the held-out questions; explicit models as levels."""
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.3), sharey=True)
    rows = data["senses"]
    for axis, measure, title in zip(
        axes, ("f1", "exact"), ("word F1 with the definition", "answers right, word by word")
    ):
        for part, (label, colour) in _PARTS.items():
            _seeds(axis, rows["t"][part], rows[measure][part], colour, f"loop, {label}", marker="o")
            for kind, style in (("once", ":"), ("stack", "--")):
                if kind in rows:
                    axis.axhline(
                        np.mean(rows[kind][measure][part]),
                        color=colour,
                        ls=style,
                        lw=1.2,
                        label=f"{_KINDS[kind][0].split(',')[0]}, {label}",
                    )
        _loops(axis, rows["t"]["phrasing"][-1])
        axis.axvline(data["mean_depth"], color=COLOURS["bound"], lw=1, ls="-.")
        axis.text(
            data["mean_depth"],
            0.6,
            " mean depth in training",
            transform=axis.get_xaxis_transform(),
            fontsize=8,
            color="#555555",
        )
        axis.set(title=title, ylim=(-0.02, 1.03))
    axes[0].set_ylabel("mean over held-out questions")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def pairs_along_t(data: dict) -> Figure:
    """Figs. 8-9 for the contrast pairs: Levenshtein ratio, distance to the right answer, share of equal answers, against t."""
    figure, axes = plt.subplots(1, 3, figsize=(14, 4.9))
    rows = data["pairs"]
    t, ratio, spread = (
        rows["t"],
        np.asarray(rows["ratio"]).mean(1),
        np.asarray(rows["spread"]).mean(1),
    )
    axes[0].fill_between(
        t,
        np.maximum(ratio - spread, 0),
        ratio + spread,
        color=COLOURS["implicit"],
        alpha=0.12,
        lw=0,
        label="one std over pairs",
    )
    _seeds(
        axes[0],
        t,
        rows["ratio"],
        COLOURS["implicit"],
        "here, mean over pairs and seeds",
        marker="o",
    )
    axes[0].axhline(
        rows["right_ratio"],
        color=COLOURS["closed_form"],
        ls="--",
        lw=1.2,
        label="the right answers",
    )
    low, high = data["published"]["ratio"]
    axes[0].fill_between(
        [2, 16],
        low,
        high,
        color=COLOURS["published"],
        alpha=0.2,
        lw=0,
        label=f"Huginn, published: {low} at few loops to {high}",
    )
    axes[0].set(
        ylabel="words that differ, answers over questions",
        ylim=(0, None),
        title="The paper's ratio",
    )
    _seeds(axes[1], t, rows["distance"], COLOURS["implicit"], "loop", marker="o")
    _seeds(axes[2], t, rows["same"], COLOURS["implicit"], "loop", marker="o")
    for kind, (label, colour) in _KINDS.items():
        if kind in rows:
            for axis, measure in zip(axes, ("ratio", "distance", "same")):
                axis.axhline(
                    np.mean(rows[kind][measure]),
                    color=colour,
                    ls=":",
                    lw=1.5,
                    label=label.split(",")[0],
                )
    axes[1].set(ylabel="words to edit", ylim=(0, None), title="Distance to the right answer")
    axes[2].set(
        ylabel="share of pairs", ylim=(0, None), title="Pairs that get one and the same answer"
    )
    axes[2].yaxis.set_major_formatter(PercentFormatter(1))
    for axis in axes:
        _loops(axis, t[-1])
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


def steepness(data: dict) -> Figure:
    """True local Lipschitz constants from the embedded input to the state and to the logits, beside the discrete ones."""
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 4.9))
    for axis, (task, row) in zip(axes, data["steepness"].items()):
        for which, colour, label in (
            ("latent", COLOURS["implicit"], "|dz_t/dx|, latent state"),
            ("logits", SEQUENCE[4], "|d logits/dx|, last position"),
        ):
            values = np.asarray(row[which])
            axis.plot(
                row["t"],
                np.median(values, 1),
                "o-",
                ms=4,
                color=colour,
                label=f"{label}: median (band: all questions)",
            )
            axis.fill_between(
                row["t"], values.min(1), values.max(1), color=colour, alpha=0.15, lw=0
            )
        axis.plot(
            row["discrete_t"],
            row["discrete"],
            "s--",
            ms=4,
            mfc="none",
            color=COLOURS["closed_form"],
            label="answers that change with one symbol, worst"
            if task == "parity"
            else "words that differ, answers over questions",
        )
        _loops(axis, max(row["t"][-1], row["discrete_t"][-1]))
        everything = [*np.ravel(row["latent"]), *np.ravel(row["logits"]), *row["discrete"]]
        axis.set(
            yscale="log",
            ylim=(0.7 * min(everything), 1.4 * max(everything)),
            title=_TITLES[task]
            + (f", n = {row['length']}" if "length" in row else f", {values.shape[1]} questions"),
        )
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("")
        axis.set_yticks(
            [
                t
                for t in (0.5, 1, 2, 5, 10, 20, 50, 100, 200)
                if axis.get_ylim()[0] <= t <= axis.get_ylim()[1]
            ]
        )
        axis.legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.17))
    axes[0].set_ylabel("Lipschitz constant")
    return figure


def paths(data: dict) -> Figure:
    """Latent states of a contrast pair, at the token from which the answer starts, on two principal axes."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), width_ratios=[1.4, 1])
    row = data["paths"]
    points = np.asarray(row["points"])
    for path, colour, label in zip(
        points, (COLOURS["implicit"], COLOURS["explicit"]), row["labels"]
    ):
        axes[0].plot(*path.T, "-", lw=1, color=colour, alpha=0.7)
        axes[0].scatter(*path.T, s=14, color=colour, label=label)
        for t in (1, 2, len(path)):
            axes[0].annotate(
                f"t = {t}",
                path[t - 1],
                xytext=(6, -12 if t > 2 else 4),
                textcoords="offset points",
                fontsize=8,
                color=colour,
            )
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
    _loops(axes[1], len(row["apart"]))
    axes[1].set(yscale="log", ylabel="relative distance", title="Apart, and at rest")
    axes[1].legend()
    return figure


def contraction(data: dict) -> Figure:
    """Modulus |dG/dz| at the end of the loop and the observed rate of convergence, question by question."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True)
    for axis, (task, row) in zip(axes, data["contraction"].items()):
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
        axis.set(xlabel="question", title=_TITLES[task], xticks=questions, ylim=(0, None))
    axes[0].set_ylabel("factor a loop")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


def exits(data: dict) -> Figure:
    """Early exit: loops spent against what they buy, at falling tolerances."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    for axis, (task, rows), measure, label in zip(
        axes, data["exits"].items(), ("right", "f1"), ("last answers right", "word F1")
    ):
        axis.plot(
            [row["loops"] for row in rows],
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
                color="#555555",
            )
        fixed = data["fixed"][task]
        axis.plot(
            fixed["t"],
            fixed["value"],
            "s--",
            ms=4,
            mfc="none",
            color=COLOURS["bound"],
            label="the same t for all",
        )
        axis.set(
            xlabel="mean loops a question" if task == "parity" else "mean loops a token",
            ylabel=label,
            ylim=(0, 1.05),
            title=_TITLES[task] + (f", n = {fixed['length']}" if "length" in fixed else ""),
            xlim=(0, 1.1 * max([row["loops"] for row in rows] + fixed["t"])),
        )
        axis.legend(loc="lower right")
    figure.suptitle("Loops spent under early exit, tolerance below each point")
    return figure


def broken(data: dict) -> Figure:
    """Parity with the loop's norm switched off, and a block trained once and then looped, beside the trained loop."""
    figure, axis = plt.subplots(figsize=(7.2, 4.2))
    row = data["broken"]
    for name, colour, label in (
        ("loop", COLOURS["implicit"], "trained in a loop"),
        ("no_norm", COLOURS["naive"], "its norm in the loop switched off"),
        ("once", COLOURS["explicit"], "the block trained once, looped all the same"),
    ):
        axis.plot(row["t"], row[name], "o-", ms=4, color=colour, label=label)
    axis.axhline(0.5, color=COLOURS["bound"], ls=":", lw=1.2, label="chance")
    _loops(axis, row["t"][-1])
    axis.set(
        ylabel="last answers right",
        ylim=(0, 1.05),
        title=f"Broken on purpose: running parity, n = {row['length']}",
    )
    axis.yaxis.set_major_formatter(PercentFormatter(1))
    axis.legend(loc="upper left")
    return figure
