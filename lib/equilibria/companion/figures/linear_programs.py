"""Figures of notebook 04: linear programs (paper, Table 1, Figs. 6-7).

Each function takes the dict that the notebook saved as its results.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, SEQUENCE, iterations

__all__ = [
    "error_along_t",
    "error_by_kind",
    "feasibility",
    "lipschitz_along_t",
    "residuals",
    "table_1",
    "transfer",
    "trap",
]

_METHODS = ("Picard", "damped Picard", "Anderson")
_SIZE_COLOURS = [SEQUENCE[i] for i in (1, 2, 0, 4)]  # by embedding, or by size of the programs
_NOTE: dict[str, Any] = {"color": "#555555", "fontsize": 8}


def residuals(data: dict[str, Any]) -> Figure:
    """Residual of one solve, per program, for plain Picard, damped Picard and Anderson."""
    methods = [method for method in _METHODS if method in data["residuals"]]
    figure, axes = plt.subplots(1, len(methods), figsize=(11, 3.8), sharey=True)
    for axis, method in zip(axes, methods, strict=True):
        for row in data["residuals"][method]:
            axis.semilogy(range(1, len(row) + 1), row, color=COLOURS["implicit"], alpha=0.3, lw=1)
        axis.axhline(data["tolerance"], color=COLOURS["bound"], ls="--", lw=1)
        axis.set(title=f"{method}: {data['solved'][method]:.0%} solved", xlabel="evaluations of G")
    axes[0].set_ylabel("relative residual")
    last = axes[-1]
    above = data["tolerance"] * 1.3
    side = last.get_yaxis_transform()
    last.text(0.98, above, "tolerance", transform=side, ha="right", **_NOTE)
    figure.suptitle("One solve: every line is one test program")
    return figure


def table_1(data: dict[str, Any]) -> Figure:
    """Test error against embedding size, explicit and implicit, with the published values."""
    figure, axis = plt.subplots(figsize=(7.4, 4.4))
    for kind in ("explicit", "implicit"):
        rows = _sorted_by_size(data["table"][kind])
        places = range(len(rows))
        axis.errorbar(
            places,
            [row["test"] for row in rows.values()],
            [row["spread"] or 0 for row in rows.values()],
            marker="o",
            capsize=4,
            color=COLOURS[kind],
            label=f"{kind}, here (mean, spread over seeds)",
        )
        axis.plot(
            places,
            [row["published"] for row in rows.values()],
            marker="s",
            ls=":",
            mfc="none",
            color=COLOURS[kind],
            label=f"{kind}, published",
        )
    axis.set_xticks(places, list(rows))
    axis.set(
        xlabel="embedding size",
        ylabel="test error |y - y*| / (|y*| + 1)",
        ylim=(0, None),
        title="The smallest implicit network beats every explicit one",
    )
    axis.legend(loc="lower left", ncols=2)
    return figure


def error_along_t(data: dict[str, Any]) -> Figure:
    """Error against t for every embedding; explicit networks as levels."""
    figure, axis = plt.subplots(figsize=(6.8, 4.2))
    rows = _sorted_by_size(data["along_t"])
    for colour, (width, row) in zip(_SIZE_COLOURS, rows.items(), strict=False):
        _curve(axis, row["mean"], color=colour, label=f"implicit, embedding {width}")
        axis.axhline(data["table"]["explicit"][width]["test"], color=colour, ls=":", lw=1.2)
    axis.plot([], [], color="k", ls=":", label="explicit, same embedding")
    trained = data["trained_steps"]
    axis.axvspan(1, trained, color=COLOURS["bound"], alpha=0.12, lw=0)
    bottom = axis.get_xaxis_transform()
    axis.text(trained, 0.02, "trained to here ", transform=bottom, ha="right", va="bottom", **_NOTE)
    _iteration_axis(axis)
    axis.set(
        ylabel="test error", ylim=(0, None), title="The error falls with t, settles, and stays"
    )
    axis.legend(loc="upper right")
    return figure


def lipschitz_along_t(data: dict[str, Any]) -> Figure:
    """Mean and median difference ratio |dy_t| / |dx| against t, one panel per perturbed input."""
    kinds = data["kinds"]
    figure, axes = plt.subplots(1, len(kinds), figsize=(14, 4))
    for axis, (kind, row) in zip(axes, kinds.items(), strict=True):
        blue = COLOURS["implicit"]
        _curve(
            axis, row["implicit"]["ratio"], color=blue, lw=1, alpha=0.6, label="implicit y_t, mean"
        )
        _curve(axis, row["implicit"]["median"], color=blue, lw=2.5, label="implicit y_t, median")
        explicit = row["explicit"]["ratio"][-1]
        axis.axhline(explicit, color=COLOURS["explicit"], ls="--", label="explicit, mean")
        target = row["true_ratio"]
        axis.axhline(target, color=COLOURS["closed_form"], ls=":", label="the target (HiGHS), mean")
        _iteration_axis(axis)
        axis.set(title=f"{kind} perturbed", yscale="log")
    axes[0].set_ylabel("|dy_t| / |dx|")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(f"How steep y_t is, by the input that is moved (embedding {data['width']})")
    return figure


def error_by_kind(data: dict[str, Any]) -> Figure:
    """Error on the perturbed programs, by kind of perturbation, against the published bars."""
    kinds = data["kinds"]
    figure, axis = plt.subplots(figsize=(7, 3.8))
    for offset, model in ((-0.2, "explicit"), (0.2, "implicit")):
        rows = [row[model] for row in kinds.values()]
        places = [place + offset for place in range(len(rows))]
        errors = [row["error"][-1] for row in rows]
        axis.bar(places, errors, 0.36, color=COLOURS[model], label=f"{model}, here")
        axis.scatter(
            places,
            [row["published"] for row in rows],
            marker="_",
            s=260,
            color="k",
            zorder=3,
            label="published" if model == "explicit" else None,
        )
    axis.set_xticks(range(len(kinds)), list(kinds))
    axis.set(
        xlabel="perturbed input",
        ylabel="error on the perturbed programs",
        ylim=(0, 0.38),
        title=f"Error by kind of perturbation (embedding {data['width']})",
    )
    axis.legend(loc="upper center", ncols=3)
    return figure


def feasibility(data: dict[str, Any]) -> Figure:
    """Constraint violation and objective gap against t, next to the L2 error."""
    panels = {
        "violation": ("Violation of the constraints", "|(A y - b)_+| / |y*|"),
        "gap": ("Gap of the objective", "mean |c'y - c'y*| / mean |c'y*|"),
    }
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6))
    curves = data["along_t"][str(data["width"])]
    for axis, (name, (title, label)) in zip(axes, panels.items(), strict=True):
        _curve(axis, curves[name], color=COLOURS["implicit"], label="implicit, y_t")
        explicit = data["explicit_extra"][name]
        axis.axhline(explicit, color=COLOURS["explicit"], ls="--", label="explicit")
        _iteration_axis(axis)
        axis.set(ylabel=label, ylim=(0, None), title=title)
    axes[0].legend()
    return figure


def transfer(data: dict[str, Any]) -> Figure:
    """Error against t on larger programs than those of training."""
    figure, axis = plt.subplots(figsize=(6.4, 3.8))
    rows = _sorted_by_size(data["transfer"])
    for colour, (size, row) in zip(_SIZE_COLOURS, rows.items(), strict=False):
        note = " (trained)" if size == "50" else ""
        _curve(axis, row["implicit"], color=colour, label=f"{size} variables{note}")
        axis.axhline(row["explicit"], color=colour, ls=":", lw=1.2)
    axis.plot([], [], color="k", ls=":", label="explicit")
    _iteration_axis(axis)
    axis.set(
        ylabel="error",
        ylim=(0, None),
        title=f"Larger programs, no retraining (embedding {data['width']})",
    )
    axis.legend()
    return figure


def trap(data: dict[str, Any]) -> Figure:
    """The same network trained by plain unrolling and towards an equilibrium."""
    figure, axis = plt.subplots(figsize=(6.4, 3.8))
    unrolled, equilibrium = data["trap"]["unrolled"], data["trap"]["equilibrium"]
    _curve(
        axis, unrolled, color=COLOURS["naive"], label="trained by unrolling 3, then 6 iterations"
    )
    _curve(
        axis, equilibrium, color=COLOURS["implicit"], label="trained from random depths and starts"
    )
    axis.axvline(6, color=COLOURS["bound"], ls="--", lw=1)
    axis.text(6.2, 0.03, "unrolled depth", transform=axis.get_xaxis_transform(), **_NOTE)
    _iteration_axis(axis)
    axis.set(
        ylabel="test error (embedding 8)",
        ylim=(0, None),
        title="Broken on purpose: no equilibrium without training for one",
    )
    axis.legend()
    return figure


def _iteration_axis(axis: Axes) -> None:
    iterations(axis, (1, 2, 4, 8, 16, 32, 64), label="iteration t")


def _curve(axis: Axes, values: Sequence[float], **style: Any) -> None:
    """One value per iteration, from t = 1."""
    axis.plot(range(1, len(values) + 1), values, **style)


def _sorted_by_size(rows: dict[str, Any]) -> dict[str, Any]:
    """The rows by growing size, which is their key as text."""
    return {size: rows[size] for size in sorted(rows, key=int)}
