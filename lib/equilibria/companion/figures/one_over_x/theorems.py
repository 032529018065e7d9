"""Drawings of Theorems 2.4 and 2.5: Fig. 1, sufficiency, necessity, and the edge of the theory."""

from collections.abc import Callable

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from equilibria.companion.figures import COLOURS, SEQUENCE
from equilibria.companion.figures.one_over_x.marks import Json, towards_zero

__all__ = ["conceptual", "limit", "necessity", "sufficiency"]

_AUTOMATIC = SEQUENCE[9]  # the colour of the automatic step, where the paper's is drawn too
_ONE_MINUS_MU = SEQUENCE[4]


def conceptual(data: Json) -> Figure:
    """Fig. 1: y_t at t = 1, 2 and many, and the step eps(x) (`conceptual` of results.json)."""
    count = len(data["times"])
    figure, axes = pyplot.subplots(1, count + 1, figsize=(3.6 * (count + 1), 3.9))
    # Each piece is a line of its own, so that no line crosses a singularity.
    n = data["piece"]
    pieces = [slice(k * n, (k + 1) * n) for k in range(3)]
    for index, t in enumerate(data["times"]):
        _iterates_at(axes[index], data, index, pieces)
        axes[index].set(ylim=(-25, 25), xlabel="x", title=f"t = {t}")
    axes[0].set_ylabel("y")
    axes[0].legend(loc="lower left")
    _steps(axes[-1], data, pieces)
    axes[-1].set(xlabel="x", title=r"step $\epsilon(x)$", ylim=(0, 0.75))
    axes[-1].legend(loc="upper center")
    title = "Fig. 1 of the paper: two singularities grow out of a simple operator"
    figure.suptitle(title, fontsize="medium")
    return figure


def _iterates_at(axes: Axes, data: Json, index: int, pieces: list[slice]) -> None:
    """The target and both iterates at one t."""
    automatic = data["iterates"]["automatic"][index]
    paper = data["iterates"]["paper"][index]
    for k, piece in enumerate(pieces):
        x = data["x"][piece]
        first = k == 0  # only one piece is named in the legend
        axes.plot(
            x,
            data["target"][piece],
            color=COLOURS["closed_form"],
            linestyle="--",
            linewidth=1,
            zorder=5,
            label="target F" if first else "",
        )
        label = r"$y_t$, automatic $\epsilon$" if first else ""
        axes.plot(x, automatic[piece], color=_AUTOMATIC, linewidth=1.5, label=label)
        label = r"$y_t$, paper's $\epsilon$" if first else ""
        axes.plot(x, paper[piece], color=COLOURS["implicit"], label=label)


def _steps(axes: Axes, data: Json, pieces: list[slice]) -> None:
    """Both steps eps(x)."""
    for k, piece in enumerate(pieces):
        x = data["x"][piece]
        first = k == 0
        label = r"paper: min(0.5, $x^2(x-1)^2$)" if first else ""
        axes.plot(x, data["step"]["paper"][piece], color=COLOURS["implicit"], label=label)
        label = "automatic" if first else ""
        axes.plot(x, data["step"]["automatic"][piece], color=_AUTOMATIC, label=label)


def _one_panel_per_target(
    data: Json, ylabel: str, draw: Callable[[Axes, Json], None], handles: list[Line2D], title: str
) -> Figure:
    """One panel per target, in the library's order, with the legend in place of the last."""
    figure, axes = pyplot.subplots(2, 4, figsize=(13, 6.4))
    flat = axes.flatten()
    for axis, name in zip(flat, data["order"], strict=False):  # the last axis holds the legend
        draw(axis, data["targets"][name])
        towards_zero(axis)
        axis.minorticks_off()
        axis.set_title(data["targets"][name]["label"])
    for axis in axes[:, 0]:
        axis.set_ylabel(ylabel)
    flat[-1].axis("off")
    flat[-1].legend(handles=handles, loc="center")
    figure.suptitle(title, fontsize="medium")
    return figure


def sufficiency(data: Json) -> Figure:
    """Lip_x(G) settles as the grid refines, while the slope of F blows up (`sufficiency`)."""
    distance = data["distance"]
    black, orange, blue = COLOURS["closed_form"], COLOURS["naive"], COLOURS["implicit"]

    def draw(axis: Axes, one: Json) -> None:
        axis.plot(distance, one["target"], color=black, linestyle="--")
        axis.plot(distance, one["constant_step"], color=orange)
        axis.plot(distance, one["operator"], color=blue, linewidth=2.5)
        axis.plot(distance, one["operator_here"], color=_AUTOMATIC, linewidth=1)
        axis.axhline(1, color=COLOURS["bound"], linestyle=":")
        axis.set_ylim(bottom=1e-2)

    slope_of_g = "$\\mathrm{Lip}_x(G)/(1+|y|)$"
    blows_up = f"{slope_of_g},\nconstant $\\epsilon$ = 0.5: blows up"
    settles = f"{slope_of_g},\nautomatic $\\epsilon(x)$: settles"
    here = "the same, at this distance only"
    guaranteed = "guaranteed by the construction"
    handles = [
        Line2D([], [], color=black, linestyle="--", label="|dF/dx|: blows up"),
        Line2D([], [], color=orange, label=blows_up),
        Line2D([], [], color=blue, linewidth=2.5, label=settles),
        Line2D([], [], color=_AUTOMATIC, linewidth=1, label=here),
        Line2D([], [], color=COLOURS["bound"], linestyle=":", label=guaranteed),
    ]
    return _one_panel_per_target(
        data,
        "steepness in x, largest so far",
        draw,
        handles,
        "Sufficiency: every target is the fixed point of an operator without a singularity",
    )


def necessity(data: Json) -> Figure:
    """Bound and measured local constant side by side, and 1 - mu (`sufficiency`)."""
    grey, blue = COLOURS["bound"], COLOURS["implicit"]

    def draw(axis: Axes, one: Json) -> None:
        distance, curves = one["distance"], one["necessity"]
        axis.plot(distance, curves["bound"], color=grey, linewidth=4, alpha=0.6)
        axis.plot(distance, curves["measured"], "o", color=blue, markersize=4)
        axis.plot(distance, curves["one_minus_mu"], color=_ONE_MINUS_MU)

    bound = "bound: $\\mathrm{Lip}_x(G)(y^*) / (1 - \\mu)$"
    measured = "measured $|dy^*/dx|$"
    slow = "1 - $\\mu(x)$: small means\nmany iterations"
    handles = [
        Line2D([], [], color=grey, linewidth=4, alpha=0.6, label=bound),
        Line2D([], [], color=blue, marker="o", linestyle="", markersize=4, label=measured),
        Line2D([], [], color=_ONE_MINUS_MU, label=slow),
    ]
    return _one_panel_per_target(
        data,
        r"local constant of $y^*$, and 1 - $\mu$",
        draw,
        handles,
        r"Necessity: a steep fixed point needs $\mu \to 1$, and here the bound is attained",
    )


def limit(data: Json) -> Figure:
    """The modulus of sign x, approached in x and by smoothing (`limit` of results.json)."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    distance = data["distance"]
    grey, blue = COLOURS["bound"], COLOURS["implicit"]
    automatic = r"automatic $\epsilon(x)$"

    allowed, gap = data["approach"]["allowed"], data["approach"]["one_minus_mu"]
    label = "necessity: at most K|x|, K = 2"
    left.plot(distance, allowed, color=grey, linestyle="--", label=label)
    left.plot(distance, gap, "o-", color=blue, markersize=4, label=automatic)
    left.set(ylabel=r"1 - $\mu(x)$", title=r"sign x: $\mu(x) \to 1$ as x $\to$ 0 ...")

    allowed, gap = data["smoothed"]["allowed"], data["smoothed"]["one_minus_mu"]
    label = r"necessity: 1 - $\mu(0) \leq$ Lip$_x$(G) w"
    right.plot(distance, allowed, color=grey, linestyle="--", label=label)
    right.plot(distance, gap, "o", color=blue, markersize=4, label=automatic)
    right.set(ylabel=r"least 1 - $\mu$", title=r"... and for tanh(x/w) as w $\to$ 0")

    towards_zero(left, "|x|")
    towards_zero(right, "width w")
    left.legend(loc="upper right")
    right.legend(loc="upper right")
    return figure
