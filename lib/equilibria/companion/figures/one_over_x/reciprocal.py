"""Drawings of the operators made for 1/x: residuals, iterates, slopes and iterations."""

from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from equilibria.companion.figures import COLOURS, SEQUENCE
from equilibria.companion.figures.one_over_x.marks import GREY, Json, shades

__all__ = ["curves", "iterations", "operator_slopes", "residuals", "steepness"]


def residuals(data: Json) -> Figure:
    """Residuals of a few solves, beside the slope that the modulus predicts (solve.json)."""
    figure, axes = pyplot.subplots(figsize=(7, 4))
    black = COLOURS["closed_form"]
    colours = shades(len(data["x"]) + 1)[1:]
    for colour, one in zip(colours, data["solves"], strict=True):
        t = range(1, len(one["residual"]) + 1)
        axes.plot(t, one["residual"], color=colour, label=f"x = {one['x']:g}: measured")
        axes.plot(t, one["predicted"], color=black, linestyle=":", linewidth=2)
    label = r"predicted: slope $\ln\mu(x)$, $\mu(x) = 1 - \eta x$"
    axes.plot([], [], color=black, linestyle=":", linewidth=2, label=label)
    label = "tolerance of the stop test"
    axes.axhline(data["tol"], color=COLOURS["bound"], linewidth=1, label=label)
    axes.set(
        yscale="log",
        xlabel="iteration t",
        ylabel="relative residual of $y_t$",
        title="One solve: the residual falls at the rate of the contraction modulus",
    )
    axes.legend()
    return figure


def curves(data: Json) -> Figure:
    """y_t climbs 1/x from right to left; dots are the closed form (`curves` of results.json)."""
    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    x = data["x"]
    rows = zip(
        shades(len(data["times"])),
        data["times"],
        data["iterates"],
        data["closed_form"],
        strict=True,
    )
    for colour, t, y, exact in rows:
        axes.plot(x, y, color=colour, label=f"$y_t$, t = {t}")
        axes.plot(x[::20], exact[::20], ".", color=colour, markersize=6)
    axes.plot(
        x,
        data["target"],
        color=COLOURS["closed_form"],
        linestyle="--",
        linewidth=1.5,
        label="1/x",
    )
    axes.plot([], [], ".", color=GREY, label=r"closed form $(1-(1-\eta x)^t)/x$")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="x",
        ylabel="$y_t(x)$",
        ylim=(0.3, 1.5e3),
        title="A simple operator, iterated, climbs a singular target",
    )
    axes.legend(loc="upper right")
    return figure


def operator_slopes(data: Json) -> Figure:
    """|dG/dx| and mu of both operators towards x = 0 (`operator_slopes` of results.json)."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    _slopes_in_x(left, data)
    _moduli(right, data)
    left.legend()
    right.legend()
    return figure


def _slopes_in_x(axes: Axes, data: Json) -> None:
    x = data["x"]
    axes.plot(x, data["naive"], color=COLOURS["naive"], label=r"naive: $\eta/x^2$, any y")
    sizes = sorted(data["regular"], key=int)
    for style, size in zip(("-", "--"), sizes, strict=True):
        axes.plot(
            x,
            data["regular"][size],
            color=COLOURS["implicit"],
            linestyle=style,
            label=rf"regular: $\eta|y|$ at |y| = {size}",
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="x",
        ylabel=r"$|\partial G/\partial x|$",
        title="Only the naive operator is singular at 0 ...",
    )


def _moduli(axes: Axes, data: Json) -> None:
    x = data["x"]
    naive, regular = data["modulus"]["naive"], data["modulus"]["regular"]
    axes.plot(x, naive, color=COLOURS["naive"], label=r"naive: $1-\eta$")
    axes.plot(x, regular, color=COLOURS["implicit"], label=r"regular: $1-\eta x$")
    axes.set(
        xscale="log",
        xlabel="x",
        ylabel=r"contraction modulus $\mu(x)$",
        ylim=(0, 1.05),
        title="... and the regular one pays in its modulus",
    )


def steepness(data: list[Json]) -> Figure:
    """The largest |dy_t/dx| and the error at the edge d against t (`steepness`)."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 5))
    for colour, one in zip(SEQUENCE, data, strict=False):  # more colours than intervals
        _steepness_on(left, one, colour)
        right.plot(one["times"], one["error"], color=colour)
    handles, _ = left.get_legend_handles_labels()
    at_t = "bound at t steps: $y_t(d)^2$"
    limit = r"necessity bound: Lip$_x(G)/(1-\mu) = 1/d^2$"
    handles += [
        Line2D([], [], linewidth=1, color=GREY, label="closed form"),
        Line2D([], [], linestyle="--", linewidth=1, color=GREY, label=at_t),
        Line2D([], [], linestyle=":", color=COLOURS["bound"], label=limit),
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=3)
    left.set(
        xscale="log",
        yscale="log",
        xlabel="iteration t",
        ylabel=r"$\sup_{[d,1]} |dy_t/dx|$",
        title="Steepness rises with t and settles at the bound ...",
    )
    right.set(
        xscale="log",
        yscale="log",
        ylim=(1e-5, 2),
        xlabel="iteration t",
        ylabel="relative error of $y_t$ at x = d",
        title="... while the error falls",
    )
    return figure


def _steepness_on(axes: Axes, one: Json, colour: str) -> None:
    """One interval [d, 1]: measured, by the closed form, and both bounds."""
    times, limit = one["times"], one["limit"]
    # y_1 = eta is flat: it has no place on a logarithmic axis.
    steep = [i for i, t in enumerate(times) if t > 1]
    t = [times[i] for i in steep]
    measured = [one["measured"][i] for i in steep]
    exact = [one["closed_form"][i] for i in steep]
    label = f"d = {one['interval']:g}, measured"
    axes.plot(t, measured, "o", color=colour, markersize=4, label=label)
    axes.plot(t, exact, color=colour, linewidth=1)
    axes.plot(times, one["bound"], color=colour, linestyle="--", linewidth=1)
    axes.axhline(limit, color=COLOURS["bound"], linestyle=":", linewidth=1.2)
    axes.annotate(
        f"$1/d^2$ = {limit:.5g}",
        (1, limit),
        textcoords="offset points",
        xytext=(0, 3),
        fontsize=8,
        color=GREY,
    )


def iterations(data: Json) -> Figure:
    """How many iterations each x needs (`iterations` of results.json)."""
    figure, axes = pyplot.subplots(figsize=(7, 4))
    axes.plot(
        data["x"],
        data["predicted"],
        color=COLOURS["closed_form"],
        linewidth=1,
        label=r"predicted: $\lceil \ln tol / \ln(1-\eta x) \rceil$",
    )
    blue = COLOURS["implicit"]
    axes.plot(data["x"], data["needed"], "o", color=blue, markersize=4, label="measured")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="x",
        ylabel=f"iterations to relative error {data['tol']:g}",
        title="The steeper the target, the more iterations it takes",
    )
    axes.legend()
    return figure
