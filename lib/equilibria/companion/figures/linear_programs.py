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
_CORRECTED: dict[str, Any] = {"color": COLOURS["implicit"], "lw": 1.2, "alpha": 0.7}
_AS_RELEASED: dict[str, Any] = {"color": SEQUENCE[4], "marker": "o", "ms": 4, "lw": 1.2}
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
    figure, axis = plt.subplots(figsize=(8.4, 4.6))
    for kind in ("explicit", "implicit"):
        rows = _sorted_by_size(data["table"][kind])
        places = range(len(rows))
        when = ", t = 64" if kind == "implicit" else ""
        axis.errorbar(
            places,
            [row["test"] for row in rows.values()],
            [row["spread"] or 0 for row in rows.values()],
            marker="o",
            capsize=4,
            color=COLOURS[kind],
            label=f"{kind}, here{when}",
        )
        if kind == "implicit":
            early = [row["at_8"] for row in rows.values()]
            _at_8(axis, places, early)
        axis.plot(
            places,
            [row["published"] for row in rows.values()],
            marker="s",
            ls=":",
            mfc="none",
            color=COLOURS[kind],
            label=f"{kind}, published{when.replace('64', '8')}",
        )
    axis.set_xticks(places, list(rows))
    axis.set(
        xlabel="embedding size",
        ylabel="test error |y - y*| / (|y*| + 1)",
        ylim=(0, None),
        title="Table 1: test error by embedding size",
    )
    figure.legend(*_sorted_legend(axis), loc="outside lower center", ncols=3)
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
    axis.set(ylabel="test error", ylim=(0, None), title="Test error along t")
    axis.legend(loc="upper right")
    return figure


def lipschitz_along_t(data: dict[str, Any]) -> Figure:
    """|dy_t| / |dx| and the error against t under both protocols, one panel per perturbed input."""
    kinds = data["kinds"]
    figure, axes = plt.subplots(2, 3, figsize=(12, 7.2))
    panels = axes.flatten()
    for axis, (kind, row) in zip(panels, kinds.items(), strict=False):
        _slopes(axis, row)
        axis.set(title=f"{kind} perturbed", yscale="log")
    for axis in axes[:, 0]:
        axis.set_ylabel("|dy_t| / |dx|")
    _errors_of_both_protocols(panels[-1], data)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    figure.suptitle(f"How steep y_t is, by the input that is moved (embedding {data['width']})")
    return figure


def _slopes(axis: Axes, row: dict[str, Any]) -> None:
    """The slopes of one kind of perturbation; k = 0, where they are zero, is left out."""
    corrected = row["implicit"]
    _curve(axis, corrected["ratio"], **_CORRECTED, label="corrected, mean")
    _curve(axis, corrected["median"], color=COLOURS["implicit"], lw=2.5, label="corrected, median")
    _curve(axis, row["as_released"]["ratio"][1:], **_AS_RELEASED, label="as released, mean")
    explicit = row["explicit"]["ratio"][-1]
    axis.axhline(explicit, color=COLOURS["explicit"], ls="--", label="explicit network, mean")
    target = row["true_ratio"]
    axis.axhline(target, color=COLOURS["closed_form"], ls=":", label="the target (HiGHS), mean")
    _iteration_axis(axis)


def _errors_of_both_protocols(axis: Axes, data: dict[str, Any]) -> None:
    """The error along t, averaged over the kinds of perturbation."""
    rows = data["kinds"].values()
    corrected = [row["implicit"]["error"] for row in rows]
    released = [row["as_released"]["error"][1:] for row in rows]
    _curve(axis, _mean_curve(corrected), **_CORRECTED)
    _curve(axis, _mean_curve(released), **_AS_RELEASED)
    published = data["published_error"]
    axis.axhline(published, color=COLOURS["published"], ls="-.", lw=1.2)
    side = axis.get_yaxis_transform()
    note = "published, at its last t"
    axis.text(0.98, published, note, transform=side, ha="right", va="bottom", **_NOTE)
    _iteration_axis(axis)
    axis.set(title="error, all kinds", ylim=(0, None))


def _mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    """The mean of curves of one length, entry by entry."""
    return [sum(values) / len(curves) for values in zip(*curves, strict=True)]


def error_by_kind(data: dict[str, Any]) -> Figure:
    """Error on the perturbed programs, by kind of perturbation, against the published bars."""
    kinds = data["kinds"]
    figure, axis = plt.subplots(figsize=(8.4, 4.2))
    for offset, model in ((-0.2, "explicit"), (0.2, "implicit")):
        rows = [row[model] for row in kinds.values()]
        places = [place + offset for place in range(len(rows))]
        errors = [row["error"][-1] for row in rows]
        when = f", t = {len(rows[0]['error'])}" if model == "implicit" else ""
        axis.bar(places, errors, 0.36, color=COLOURS[model], label=f"{model}, here{when}")
        if model == "implicit":
            _at_8(axis, places, [row["error"][7] for row in rows], linestyle="")
        axis.scatter(
            places,
            [row["published"] for row in rows],
            marker="_",
            s=260,
            color="k",
            zorder=3,
            label="published" if model == "implicit" else None,
        )
    axis.set_xticks(range(len(kinds)), list(kinds))
    axis.set(
        xlabel="perturbed input",
        ylabel="error on the perturbed programs",
        ylim=(0, 0.38),
        title=f"Error by kind of perturbation (embedding {data['width']})",
    )
    axis.legend(*_sorted_legend(axis), loc="upper center", ncols=4)
    return figure


def _at_8(axis: Axes, places: Sequence[float], errors: list[float], linestyle: str = "--") -> None:
    """Errors of the implicit network at the paper's t."""
    axis.plot(
        places,
        errors,
        marker="o",
        mfc="white",
        ls=linestyle,
        color=COLOURS["implicit"],
        label="implicit, here, t = 8",
    )


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


def _sorted_legend(axis: Axes) -> tuple[list[Any], list[str]]:
    """Handles and labels in the order of the labels, so that each network's stand together."""
    handles, labels = axis.get_legend_handles_labels()
    order = sorted(range(len(labels)), key=labels.__getitem__)
    return [handles[i] for i in order], [labels[i] for i in order]


def _iteration_axis(axis: Axes) -> None:
    iterations(axis, (1, 2, 4, 8, 16, 32, 64), label="iteration t")


def _curve(axis: Axes, values: Sequence[float], **style: Any) -> None:
    """One value per iteration, from t = 1."""
    axis.plot(range(1, len(values) + 1), values, **style)


def _sorted_by_size(rows: dict[str, Any]) -> dict[str, Any]:
    """The rows by growing size, which is their key as text."""
    return {size: rows[size] for size in sorted(rows, key=int)}
