"""Drawings of the operators made for 1/x: residuals, iterates, slopes and iterations."""

from matplotlib import pyplot
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, SEQUENCE
from equilibria.companion.figures import iterations as iteration_axis
from equilibria.companion.figures.one_over_x.marks import GREY, SIZE, TALL, Json, shades

__all__ = ["curves", "iterations", "operator_slopes", "residuals", "steepness"]


def residuals(data: Json) -> Figure:
    """Residuals of a few solves, beside the slope that the modulus predicts (solve.json)."""
    figure, axes = pyplot.subplots(figsize=SIZE)
    black = COLOURS["closed_form"]
    colours = shades(len(data["x"]) + 1)[1:]
    for colour, one in zip(colours, data["solves"], strict=True):
        t = range(1, len(one["residual"]) + 1)
        axes.plot(t, one["residual"], color=colour, label=f"measured at $x$ = {one['x']:g}")
        axes.plot(t, one["predicted"], color=black, linestyle=":", linewidth=2)
    label = r"predicted by $\mu(x) = 1 - \eta x$"
    axes.plot([], [], color=black, linestyle=":", linewidth=2, label=label)
    axes.axhline(data["tol"], color=COLOURS["bound"], linewidth=1, label="tolerance")
    axes.set(
        yscale="log",
        xlabel="iteration $t$",
        ylabel=r"$|G(y_t, x) - y_t| \,/\, |G(y_t, x)|$",
        title=r"The residual falls at the rate $\mu(x)$",
    )
    axes.legend()
    figure.set_label(
        "Residuals against iterations on a logarithmic axis: three straight lines, the flatter the "
        "smaller x is; the predicted lines lie on the measured ones."
    )
    return figure


def curves(data: Json) -> Figure:
    """y_t climbs 1/x; dots are the closed form (`curves` of results.json)."""
    figure, axes = pyplot.subplots(figsize=SIZE)
    x, top = data["x"], max(max(y) for y in data["iterates"])
    rows = zip(
        shades(len(data["times"])),
        data["times"],
        data["iterates"],
        data["closed_form"],
        strict=True,
    )
    for colour, t, y, exact in rows:
        axes.plot(x, y, color=colour, linewidth=2.5, label=f"$t$ = {t}")
        axes.plot(x[::20], exact[::20], ".", color=colour, markersize=7)
    black = COLOURS["closed_form"]
    axes.plot(x, data["target"], color=black, linestyle="--", linewidth=1.5, label="$1/x$")
    axes.set(
        xlabel="$x$",
        ylabel="$y_t(x)$",
        xlim=(0, 0.5),
        ylim=(0, 1.1 * top),
        title="A simple operator, iterated, climbs a singular target",
    )
    handles, labels = axes.get_legend_handles_labels()
    # From the top curve to the lowest, as they lie in the picture.
    axes.legend(handles[::-1], labels[::-1], loc="upper right")
    figure.set_label(
        "Seven curves over x, one per number of iterations t. Each follows 1/x from the right and "
        "then levels off at a finite height, which doubles when t doubles; with more iterations it "
        "follows 1/x further up."
    )
    return figure


def operator_slopes(data: Json) -> Figure:
    """|dG/dx| of both operators towards x = 0 (`operator_slopes` of results.json)."""
    figure, axes = pyplot.subplots(figsize=SIZE)
    x = data["x"]
    axes.plot(x, data["naive"], color=COLOURS["naive"], label=r"naive: $\eta/x^2$, any $y$")
    sizes = sorted(data["regular"], key=int)
    for style, size in zip(("-", "--"), sizes, strict=True):
        axes.plot(
            x,
            data["regular"][size],
            color=COLOURS["implicit"],
            linestyle=style,
            label=rf"regular: $\eta|y|$ at $|y|$ = {size}",
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="$x$",
        ylabel=r"$|\partial G/\partial x|$",
        title="Only the naive operator is singular at 0",
    )
    axes.legend()
    figure.set_label(
        "Slopes in x of two operators against x. The naive operator's slope rises without end as x "
        "tends to 0; the regular operator's slope is the same for every x."
    )
    return figure


def steepness(data: list[Json]) -> Figure:
    """The largest |dy_t/dx| on [d, 1], and the error at d, against t (`steepness`)."""
    figure, (above, below) = pyplot.subplots(2, 1, figsize=TALL, sharex=True)
    for colour, one in zip(SEQUENCE, data, strict=False):  # more colours than intervals
        # y_1 = eta is flat: it has no place on a logarithmic axis.
        steep = [i for i, t in enumerate(one["times"]) if t > 1]
        t = [one["times"][i] for i in steep]
        label = f"$d$ = {one['interval']:g}"
        above.plot(t, [one["closed_form"][i] for i in steep], color=colour, linewidth=1)
        above.plot(t, [one["measured"][i] for i in steep], "o", color=colour, label=label)
        above.axhline(one["limit"], color=colour, linestyle=":", linewidth=2)
        below.plot(one["times"], one["error"], color=colour)
    above.plot([], [], color=GREY, linewidth=1, label="closed form")
    above.plot([], [], color=GREY, linestyle=":", linewidth=2, label="$1/d^2$: slope of $1/x$")
    above.set(
        yscale="log",
        ylabel=r"largest $|dy_t/dx|$ on $[d, 1]$",
        title="Steepness rises to that of the target ...",
    )
    above.legend()
    below.set(ylabel="relative error at $x = d$", title="... while the error falls")
    iteration_axis(below, (1, 10, 100, 1000), label="iteration $t$")
    figure.set_label(
        "Above: the largest slope of y_t against t for three intervals; each rises and settles at "
        "one over d squared, the slope of 1/x at the interval's left end. Below: the relative "
        "error there falls from one to zero."
    )
    return figure


def iterations(data: Json) -> Figure:
    """How many iterations each x needs (`iterations` of results.json)."""
    figure, axes = pyplot.subplots(figsize=SIZE)
    axes.plot(
        data["x"],
        data["predicted"],
        color=COLOURS["closed_form"],
        linewidth=1,
        label=r"predicted by $\mu(x) = 1 - \eta x$",
    )
    blue = COLOURS["implicit"]
    axes.plot(data["x"], data["needed"], "o", color=blue, markersize=4, label="measured")
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="$x$",
        ylabel="iterations to the tolerance",
        title="The steeper the target, the more iterations",
    )
    axes.legend()
    figure.set_label(
        "Iterations that are needed against x, on logarithmic axes: counted dots lie on the "
        "predicted line; a tenth of x takes ten times as many."
    )
    return figure
