"""Figures of notebook 04: linear programs (paper Table 1, Figs. 6-7). Each takes the dict of its results file."""

import matplotlib.pyplot as plt
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

_WIDTHS = [SEQUENCE[i] for i in (1, 2, 0, 4)]  # one colour a size


def _steps(axis, label="iteration t"):
    iterations(axis, (1, 2, 4, 8, 16, 32, 64), label=label)


def residuals(data: dict) -> Figure:
    """Residual of one solve, per program, for plain Picard, damped Picard and Anderson."""
    order = [name for name in ("Picard", "damped Picard", "Anderson") if name in data["residuals"]]
    figure, axes = plt.subplots(1, len(order), figsize=(11, 3.8), sharey=True)
    for axis, method in zip(axes, order):
        for row in data["residuals"][method]:
            axis.semilogy(range(1, len(row) + 1), row, color=COLOURS["implicit"], alpha=0.3, lw=1)
        axis.axhline(data["tolerance"], color=COLOURS["bound"], ls="--", lw=1)
        axis.set(title=f"{method}: {data['solved'][method]:.0%} solved", xlabel="evaluations of G")
    axes[0].set_ylabel("relative residual")
    axes[-1].text(
        0.98,
        data["tolerance"] * 1.3,
        "tolerance",
        transform=axes[-1].get_yaxis_transform(),
        ha="right",
        color="#555555",
        fontsize=8,
    )
    figure.suptitle("One solve: every line is one test program")
    return figure


def table_1(data: dict) -> Figure:
    """Test error against embedding size, explicit and implicit, with the published values."""
    figure, axis = plt.subplots(figsize=(7.4, 4.4))
    for kind in ("explicit", "implicit"):
        rows = data["table"][kind]
        widths = sorted(map(int, rows))
        mean = [rows[str(w)]["test"] for w in widths]
        spread = [rows[str(w)]["spread"] or 0 for w in widths]
        axis.errorbar(
            range(len(widths)),
            mean,
            spread,
            marker="o",
            capsize=4,
            color=COLOURS[kind],
            label=f"{kind}, here (mean, spread over seeds)",
        )
        axis.plot(
            range(len(widths)),
            [rows[str(w)]["published"] for w in widths],
            marker="s",
            ls=":",
            mfc="none",
            color=COLOURS[kind],
            label=f"{kind}, published",
        )
    axis.set_xticks(range(len(widths)), widths)
    axis.set(
        xlabel="embedding size",
        ylabel="test error |y - y*| / (|y*| + 1)",
        ylim=(0, None),
        title="The smallest implicit network beats every explicit one",
    )
    axis.legend(loc="lower left", ncols=2)
    return figure


def error_along_t(data: dict) -> Figure:
    """Error against t for every embedding; explicit networks as levels."""
    figure, axis = plt.subplots(figsize=(6.8, 4.2))
    for colour, (width, row) in zip(
        _WIDTHS, sorted(data["along_t"].items(), key=lambda item: int(item[0]))
    ):
        axis.plot(
            range(1, len(row["mean"]) + 1),
            row["mean"],
            color=colour,
            label=f"implicit, embedding {width}",
        )
        axis.axhline(data["table"]["explicit"][width]["test"], color=colour, ls=":", lw=1.2)
    axis.plot([], [], color="k", ls=":", label="explicit, same embedding")
    axis.axvspan(1, data["trained_steps"], color=COLOURS["bound"], alpha=0.12, lw=0)
    axis.text(
        data["trained_steps"],
        0.02,
        "trained to here ",
        transform=axis.get_xaxis_transform(),
        ha="right",
        va="bottom",
        fontsize=8,
        color="#555555",
    )
    _steps(axis)
    axis.set(
        ylabel="test error", ylim=(0, None), title="The error falls with t, settles, and stays"
    )
    axis.legend(loc="upper right")
    return figure


def lipschitz_along_t(data: dict) -> Figure:
    """Mean and median difference ratio |dy_t| / |dx| against t, one panel per perturbed input."""
    kinds = data["kinds"]
    figure, axes = plt.subplots(1, len(kinds), figsize=(14, 4))
    for axis, (kind, row) in zip(axes, kinds.items()):
        t = range(1, len(row["implicit"]["ratio"]) + 1)
        axis.plot(
            t,
            row["implicit"]["ratio"],
            color=COLOURS["implicit"],
            lw=1,
            alpha=0.6,
            label="implicit y_t, mean",
        )
        axis.plot(
            t,
            row["implicit"]["median"],
            color=COLOURS["implicit"],
            lw=2.5,
            label="implicit y_t, median",
        )
        axis.axhline(
            row["explicit"]["ratio"][-1], color=COLOURS["explicit"], ls="--", label="explicit, mean"
        )
        axis.axhline(
            row["true_ratio"],
            color=COLOURS["closed_form"],
            ls=":",
            label="the target (HiGHS), mean",
        )
        _steps(axis)
        axis.set(title=f"{kind} perturbed", yscale="log")
    axes[0].set_ylabel("|dy_t| / |dx|")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    figure.suptitle(f"How steep y_t is, by the input that is moved (embedding {data['width']})")
    return figure


def error_by_kind(data: dict) -> Figure:
    """Error on the perturbed programs, by kind of perturbation, against the published bars."""
    kinds = list(data["kinds"])
    figure, axis = plt.subplots(figsize=(7, 3.8))
    for offset, kind in ((-0.2, "explicit"), (0.2, "implicit")):
        place = [i + offset for i in range(len(kinds))]
        axis.bar(
            place,
            [data["kinds"][k][kind]["error"][-1] for k in kinds],
            0.36,
            color=COLOURS[kind],
            label=f"{kind}, here",
        )
        axis.scatter(
            place,
            [data["kinds"][k][kind]["published"] for k in kinds],
            marker="_",
            s=260,
            color="k",
            zorder=3,
            label="published" if kind == "explicit" else None,
        )
    axis.set_xticks(range(len(kinds)), kinds)
    axis.set(
        xlabel="perturbed input",
        ylabel="error on the perturbed programs",
        ylim=(0, 0.38),
        title=f"Error by kind of perturbation (embedding {data['width']})",
    )
    axis.legend(loc="upper center", ncols=3)
    return figure


def feasibility(data: dict) -> Figure:
    """Constraint violation and objective gap against t, next to the L2 error."""
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.6))
    for axis, name, label in zip(
        axes, ("violation", "gap"), ("|(A y - b)_+| / |y*|", "mean |c'y - c'y*| / mean |c'y*|")
    ):
        row = data["along_t"][str(data["width"])]
        axis.plot(
            range(1, len(row[name]) + 1),
            row[name],
            color=COLOURS["implicit"],
            label="implicit, y_t",
        )
        axis.axhline(
            data["explicit_extra"][name], color=COLOURS["explicit"], ls="--", label="explicit"
        )
        _steps(axis)
        axis.set(
            ylabel=label,
            ylim=(0, None),
            title={"violation": "Violation of the constraints", "gap": "Gap of the objective"}[
                name
            ],
        )
    axes[0].legend()
    return figure


def transfer(data: dict) -> Figure:
    """Error against t on larger programs than those of training."""
    figure, axis = plt.subplots(figsize=(6.4, 3.8))
    for colour, (size, row) in zip(
        _WIDTHS, sorted(data["transfer"].items(), key=lambda item: int(item[0]))
    ):
        axis.plot(
            range(1, len(row["implicit"]) + 1),
            row["implicit"],
            color=colour,
            label=f"{size} variables" + (" (trained)" if size == "50" else ""),
        )
        axis.axhline(row["explicit"], color=colour, ls=":", lw=1.2)
    axis.plot([], [], color="k", ls=":", label="explicit")
    _steps(axis)
    axis.set(
        ylabel="error",
        ylim=(0, None),
        title=f"Larger programs, no retraining (embedding {data['width']})",
    )
    axis.legend()
    return figure


def trap(data: dict) -> Figure:
    """The same network trained by plain unrolling and towards an equilibrium."""
    figure, axis = plt.subplots(figsize=(6.4, 3.8))
    for name, colour, label in (
        ("unrolled", COLOURS["naive"], "trained by unrolling 3, then 6 iterations"),
        ("equilibrium", COLOURS["implicit"], "trained from random depths and starts"),
    ):
        row = data["trap"][name]
        axis.plot(range(1, len(row) + 1), row, color=colour, label=label)
    axis.axvline(6, color=COLOURS["bound"], ls="--", lw=1)
    axis.text(
        6.2,
        0.03,
        "unrolled depth",
        transform=axis.get_xaxis_transform(),
        fontsize=8,
        color="#555555",
    )
    _steps(axis)
    axis.set(
        ylabel="test error (embedding 8)",
        ylim=(0, None),
        title="Broken on purpose: no equilibrium without training for one",
    )
    axis.legend()
    return figure
