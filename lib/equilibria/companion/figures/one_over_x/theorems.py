"""Drawings of Theorems 2.4 and 2.5: Fig. 1, sufficiency, necessity, and the edge of the theory."""

from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from equilibria.companion.figures import COLOURS, SEQUENCE
from equilibria.companion.figures.one_over_x.marks import SIZE, TALL, Json, towards_zero

__all__ = ["attempts", "conceptual", "limit", "necessity", "steps", "sufficiency"]

_AUTOMATIC = SEQUENCE[4]  # the colour of the automatic step, where the paper's is drawn too


def _pieces(data: Json) -> list[slice]:
    """The pieces of Fig. 1: each is a line of its own, so that none crosses a singularity."""
    n = data["piece"]
    return [slice(k * n, (k + 1) * n) for k in range(3)]


def conceptual(data: Json) -> Figure:
    """Fig. 1: y_t by the paper's step, one panel per t (`conceptual` of results.json)."""
    rows = -(-len(data["times"]) // 2)
    figure, axes = pyplot.subplots(
        rows, 2, figsize=(6.4, 2.5 * rows), sharex=True, sharey=True, squeeze=False
    )
    panels = zip(axes.flat, data["times"], data["iterates"]["paper"], strict=True)
    for axis, t, y in panels:
        for piece in _pieces(data):
            x = data["x"][piece]
            axis.plot(x, y[piece], color=COLOURS["implicit"], linewidth=2.5)
            target = data["target"][piece]
            axis.plot(x, target, color=COLOURS["closed_form"], linestyle="--", linewidth=1)
        axis.set(ylim=(-20, 20), title=f"$t$ = {t:,}".replace(",", " "))
    for axis in axes[-1]:
        axis.set_xlabel("$x$")
    figure.suptitle("$y_t$ (blue) grows into a target with two singularities (dashed)", size=12)
    figure.set_label(
        f"{len(data['times'])} panels from t = 1 to t = {data['times'][-1]}. The blue curve is "
        "nearly flat at first, follows the target far from its singularities at 0 and 1 soon, and "
        "climbs both at last."
    )
    return figure


def steps(data: Json) -> Figure:
    """Both steps eps(x) of Fig. 1, the paper's and the automatic (`conceptual`)."""
    figure, axes = pyplot.subplots(figsize=(SIZE[0], 3.6))
    names = {
        "paper": (COLOURS["implicit"], r"the paper's $\min(0.5,\, x^2(x-1)^2)$"),
        "automatic": (_AUTOMATIC, r"by our rule, from bounds on the slope of $F$"),
    }
    for name, (colour, label) in names.items():
        for k, piece in enumerate(_pieces(data)):
            # Only one piece is named in the legend.
            shown = label if k == 0 else None
            step = data["step"][name][piece]
            axes.plot(data["x"][piece], step, color=colour, linewidth=2, label=shown)
    axes.set(
        xlabel="$x$",
        ylabel=r"step $\epsilon(x)$",
        ylim=(0, 0.75),
        title="Both steps vanish at 0 and 1, where the target is singular",
    )
    axes.legend(loc="upper center")
    figure.set_label(
        "Two step sizes over x: the paper's, and one that was found by a rule. Both go to zero at "
        "x = 0 and at x = 1; the paper's is larger elsewhere."
    )
    return figure


def sufficiency(data: Json) -> Figure:
    """The slopes of seven targets blow up, those of their operators do not (`sufficiency`)."""
    figure, axes = pyplot.subplots(figsize=TALL)
    distance = data["distance"]
    black, blue, orange = COLOURS["closed_form"], COLOURS["implicit"], COLOURS["naive"]
    for one in data["targets"].values():
        axes.plot(distance, one["target"], color=black, linestyle="--", linewidth=1.2)
        axes.plot(distance, one["operator"], color=blue, linewidth=2)
    broken = data["targets"]["reciprocal"]["constant_step"]
    axes.plot(distance, broken, color=orange, linewidth=2)
    for height, names in _ends(data):
        place = (distance[-1], 3 * height)
        axes.annotate(", ".join(names), place, ha="right", va="bottom", fontsize=10)
    handles = [
        Line2D([], [], color=black, linestyle="--", label=r"targets: $|dF/dx|$"),
        Line2D([], [], color=orange, label=r"operator for $1/x$ with a constant $\epsilon$"),
        Line2D([], [], color=COLOURS["bound"], linestyle=":", label="guaranteed: at most 1"),
        Line2D([], [], color=blue, label=r"operators: $\mathrm{Lip}_x(G)\,/\,(1+|y|)$"),
    ]
    axes.axhline(1, color=COLOURS["bound"], linestyle=":", linewidth=2)
    towards_zero(axes)
    axes.set(
        ylim=(0.02, 1e14),
        ylabel="largest slope in $x$ so far",
        title="Seven targets blow up; their operators do not",
    )
    axes.legend(handles=handles, loc="upper left")
    figure.set_label(
        "Slopes in x against the distance to a singularity, for seven targets. Each target's slope "
        "rises by orders of magnitude; each operator's stays level, below the guaranteed 1. With a "
        "constant step the operator for 1/x is as singular as its target."
    )
    return figure


def _ends(data: Json) -> list[tuple[float, list[str]]]:
    """The highest end and the names of targets whose lines end within a decade of each other."""
    ends = sorted((one["target"][-1], one["label"]) for one in data["targets"].values())
    groups: list[tuple[float, list[str]]] = []
    for height, name in ends:
        if groups and height < 10 * groups[-1][0]:
            groups[-1] = (height, [*groups[-1][1], name])
        else:
            groups.append((height, [name]))
    return groups


def necessity(data: Json, attained: Json) -> Figure:
    """Measured |dy*/dx| against its bound (`necessity`, and `sufficiency` for the built ones)."""
    figure, axes = pyplot.subplots(figsize=TALL)
    built = [one["necessity"] for one in attained["targets"].values()]
    bound = [value for one in built for value in one["bound"]]
    measured = [value for one in built for value in one["measured"]]
    axes.plot([1e-3, 1e8], [1e-3, 1e8], color=COLOURS["bound"], linewidth=1.5)
    axes.annotate("the bound", (3e5, 3e5), (-8, 8), textcoords="offset points", ha="right")
    label = "by Theorem 2.4: on it by construction"
    axes.plot(bound, measured, "o", color=COLOURS["naive"], markersize=4, label=label)
    markers = dict(zip(data["turning"], ("^", "s", "D"), strict=True))
    for angle, one in data["turning"].items():
        label = rf"turning by {angle} rad a step"
        axes.plot(
            one["bound"],
            one["measured"],
            markers[angle],
            color=COLOURS["implicit"],
            markersize=4,
            label=label,
        )
    learned = data["learned"]
    label = "twelve learned operators"
    axes.plot(
        learned["bound"], learned["measured"], ".", color=COLOURS["explicit"], ms=4, label=label
    )
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(0.3, 2e6),
        ylim=(0.1, 2e6),
        xlabel=r"bound $\mathrm{Lip}_x(G)(y^*)\,/\,(1-\mu)$",
        ylabel="measured $|dy^*/dx|$",
        title="No fixed point is steeper than its bound",
    )
    axes.legend(loc="upper left")
    figure.set_label(
        "Measured slope of the fixed point against its bound, on logarithmic axes with a diagonal. "
        "Operators built by Theorem 2.4 lie on the diagonal, learned ones on or below it, and "
        "turning operators leave it downwards: their slopes stop rising while the bound rises on."
    )
    return figure


def limit(data: Json) -> Figure:
    """The modulus of sign x on the way to 0 (`limit` of results.json)."""
    figure, axes = pyplot.subplots(figsize=SIZE)
    distance, approach = data["distance"], data["approach"]
    allowed = r"Theorem 2.5 allows at most $K|x|$, $K = 2$"
    axes.plot(distance, approach["allowed"], color=COLOURS["bound"], linestyle="--", label=allowed)
    label = r"our step $\epsilon(x)$"
    axes.plot(distance, approach["one_minus_mu"], "o-", color=COLOURS["implicit"], label=label)
    towards_zero(axes, "$|x|$")
    axes.set(
        ylabel=r"$1 - \mu(x)$",
        title=r"sign $x$: towards its jump each step does less",
    )
    axes.legend()
    figure.set_label(
        "One minus the contraction modulus for sign x against the distance from the jump. It falls "
        "to zero, and stays below a line that falls to zero too."
    )
    return figure


def attempts(data: Json, names: dict[str, str]) -> Figure:
    """Lip_x(G)/(1+|y|) of steps of one's own towards 0 (`lab`); names: step -> label."""
    figure, axes = pyplot.subplots(figsize=SIZE)
    for colour, (name, label) in zip(SEQUENCE, names.items(), strict=False):
        one = data[name]
        axes.plot(one["distance"], one["steepness"], "o-", color=colour, markersize=4, label=label)
    towards_zero(axes, "$x$")
    axes.set(
        ylabel=r"slope of $G$ in $x$, over $1+|y|$",
        title=r"Steps for $\sqrt{x}$: a line that rises is not regular",
    )
    axes.legend()
    figure.set_label(
        "Slopes in x of operators for the square root against x, one line per attempted step. Two "
        "rise without end as x tends to 0, one stays level."
    )
    return figure
