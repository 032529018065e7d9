"""Drawings of notebook 01: each takes what `results.json` or `toy.json` holds and returns a figure; only `slider` computes."""

import os

import numpy
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from equilibria.companion.figures import COLOURS, SEQUENCE

__all__ = [
    "broken_toy",
    "conceptual",
    "curves",
    "iterations",
    "limit",
    "markdown",
    "necessity",
    "operator_slopes",
    "panels",
    "residuals",
    "slider",
    "steepness",
    "sufficiency",
    "toy",
]


def _shades(count: int) -> list:
    """Light to dark blue: more iterations, darker."""
    return [pyplot.get_cmap("Blues")(v) for v in numpy.linspace(0.35, 1.0, count)]


def _towards_zero(axes, label: str = "distance to the singularity") -> None:
    axes.set(xscale="log", yscale="log", xlabel=label)
    axes.invert_xaxis()


def residuals(data: dict) -> Figure:
    """`residuals` of results.json: one solve, beside the slope that the modulus predicts."""
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for colour, one in zip(_shades(len(data["x"]) + 1)[1:], data["solves"]):
        t = range(1, len(one["residual"]) + 1)
        axes.plot(t, one["residual"], color=colour, label=f"x = {one['x']:g}: measured")
        axes.plot(t, one["predicted"], color=COLOURS["closed_form"], linestyle=":", linewidth=2)
    axes.plot(
        [],
        [],
        color=COLOURS["closed_form"],
        linestyle=":",
        linewidth=2,
        label=r"predicted: slope $\ln\mu(x)$, $\mu(x) = 1 - \eta x$",
    )
    axes.axhline(
        data["tol"], color=COLOURS["bound"], linewidth=1, label="tolerance of the stop test"
    )
    axes.set(
        yscale="log",
        xlabel="iteration t",
        ylabel="relative residual of $y_t$",
        title="One solve: the residual falls at the rate of the contraction modulus",
    )
    axes.legend()
    return figure


def curves(data: dict) -> Figure:
    """`curves`: y_t climbs 1/x from right to left; dots are the closed form."""
    figure, axes = pyplot.subplots(figsize=(7, 4.5))
    for colour, t, y, exact in zip(
        _shades(len(data["times"])), data["times"], data["iterates"], data["closed_form"]
    ):
        axes.plot(data["x"], y, color=colour, label=f"$y_t$, t = {t}")
        axes.plot(data["x"][::20], exact[::20], ".", color=colour, markersize=6)
    axes.plot(
        data["x"],
        data["target"],
        color=COLOURS["closed_form"],
        linestyle="--",
        linewidth=1.5,
        label="1/x",
    )
    axes.plot([], [], ".", color="#555555", label=r"closed form $(1-(1-\eta x)^t)/x$")
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


def operator_slopes(data: dict) -> Figure:
    """`operator_slopes`: |dG/dx| and mu of the naive and of the regular operator towards x = 0."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    left.plot(data["x"], data["naive"], color=COLOURS["naive"], label=r"naive: $\eta/x^2$, any y")
    for style, (size, values) in zip(
        ("-", "--"), sorted(data["regular"].items(), key=lambda entry: int(entry[0]))
    ):
        left.plot(
            data["x"],
            values,
            color=COLOURS["implicit"],
            linestyle=style,
            label=rf"regular: $\eta|y|$ at |y| = {size}",
        )
    left.set(
        xscale="log",
        yscale="log",
        xlabel="x",
        ylabel=r"$|\partial G/\partial x|$",
        title="Only the naive operator is singular at 0 ...",
    )
    right.plot(
        data["x"], data["modulus"]["naive"], color=COLOURS["naive"], label=r"naive: $1-\eta$"
    )
    right.plot(
        data["x"],
        data["modulus"]["regular"],
        color=COLOURS["implicit"],
        label=r"regular: $1-\eta x$",
    )
    right.set(
        xscale="log",
        xlabel="x",
        ylabel=r"contraction modulus $\mu(x)$",
        ylim=(0, 1.05),
        title="... and the regular one pays in its modulus",
    )
    left.legend()
    right.legend()
    return figure


def steepness(data: list) -> Figure:
    """`steepness`: sup |dy_t/dx| and the error at the edge d against t, for each d."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 5))
    for colour, one in zip(SEQUENCE, data):
        d, t = one["interval"], one["times"]
        shown = [i for i, n in enumerate(t) if n > 1]  # y_1 = eta is flat: no point on a log axis
        left.plot(
            [t[i] for i in shown],
            [one["measured"][i] for i in shown],
            "o",
            color=colour,
            markersize=4,
            label=f"d = {d:g}, measured",
        )
        left.plot(
            [t[i] for i in shown], [one["closed_form"][i] for i in shown], color=colour, linewidth=1
        )
        left.plot(t, one["bound"], color=colour, linestyle="--", linewidth=1)
        left.axhline(one["limit"], color=COLOURS["bound"], linestyle=":", linewidth=1.2)
        left.annotate(
            f"$1/d^2$ = {one['limit']:.5g}",
            (1, one["limit"]),
            textcoords="offset points",
            xytext=(0, 3),
            fontsize=8,
            color="#555555",
        )
        right.plot(t, one["error"], color=colour)
    handles, _ = left.get_legend_handles_labels()
    grey = dict(color="#555555")
    handles += [
        Line2D([], [], linewidth=1, **grey, label="closed form"),
        Line2D([], [], linestyle="--", linewidth=1, **grey, label="bound at t steps: $y_t(d)^2$"),
        Line2D(
            [],
            [],
            linestyle=":",
            color=COLOURS["bound"],
            label=r"necessity bound: Lip$_x(G)/(1-\mu) = 1/d^2$",
        ),
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


def iterations(data: dict) -> Figure:
    """`iterations`: how many are needed, against x."""
    figure, axes = pyplot.subplots(figsize=(7, 4))
    axes.plot(
        data["x"],
        data["predicted"],
        color=COLOURS["closed_form"],
        linewidth=1,
        label=r"predicted: $\lceil \ln tol / \ln(1-\eta x) \rceil$",
    )
    axes.plot(
        data["x"], data["needed"], "o", color=COLOURS["implicit"], markersize=4, label="measured"
    )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="x",
        ylabel=f"iterations to relative error {data['tol']:g}",
        title="The steeper the target, the more iterations it takes",
    )
    axes.legend()
    return figure


def conceptual(data: dict) -> Figure:
    """`conceptual`: Fig. 1 at t = 1, 2, many, and the step eps(x)."""
    count = len(data["times"])
    figure, axes = pyplot.subplots(1, count + 1, figsize=(3.6 * (count + 1), 3.9))
    n = data["piece"]
    pieces = [slice(k * n, (k + 1) * n) for k in range(3)]  # never draw a line across a singularity
    for axis, t, paper, automatic in zip(
        axes, data["times"], data["iterates"]["paper"], data["iterates"]["automatic"]
    ):
        for k, piece in enumerate(pieces):
            axis.plot(
                data["x"][piece],
                data["target"][piece],
                color=COLOURS["closed_form"],
                linestyle="--",
                linewidth=1,
                zorder=5,
                label="" if k else "target F",
            )
            axis.plot(
                data["x"][piece],
                automatic[piece],
                color=SEQUENCE[9],
                linewidth=1.5,
                label="" if k else r"$y_t$, automatic $\epsilon$",
            )
            axis.plot(
                data["x"][piece],
                paper[piece],
                color=COLOURS["implicit"],
                label="" if k else r"$y_t$, paper's $\epsilon$",
            )
        axis.set(ylim=(-25, 25), xlabel="x", title=f"t = {t}")
    axes[0].set_ylabel("y")
    axes[0].legend(loc="lower left")
    for k, piece in enumerate(pieces):
        axes[-1].plot(
            data["x"][piece],
            data["step"]["paper"][piece],
            color=COLOURS["implicit"],
            label="" if k else r"paper: min(0.5, $x^2(x-1)^2$)",
        )
        axes[-1].plot(
            data["x"][piece],
            data["step"]["automatic"][piece],
            color=SEQUENCE[9],
            label="" if k else "automatic",
        )
    axes[-1].set(xlabel="x", title=r"step $\epsilon(x)$", ylim=(0, 0.75))
    axes[-1].legend(loc="upper center")
    figure.suptitle(
        "Fig. 1 of the paper: two singularities grow out of a simple operator", fontsize="medium"
    )
    return figure


def _small_multiples(data: dict, ylabel: str, draw, handles: list, title: str) -> Figure:
    """One panel per target, in the order of the library, and the legend in the place of the last."""
    figure, axes = pyplot.subplots(2, 4, figsize=(13, 6.4))
    flat = axes.flatten()
    for axis, name in zip(flat, data["order"]):
        draw(axis, data["targets"][name])
        _towards_zero(axis)
        axis.minorticks_off()
        axis.set_title(data["targets"][name]["label"])
    for axis in axes[:, 0]:
        axis.set_ylabel(ylabel)
    flat[-1].axis("off")
    flat[-1].legend(handles=handles, loc="center")
    figure.suptitle(title, fontsize="medium")
    return figure


def sufficiency(data: dict) -> Figure:
    """`sufficiency`: Lip_x(G) settles as the grid refines, the slope of F blows up."""

    def one_target(axis, one):
        axis.plot(data["distance"], one["target"], color=COLOURS["closed_form"], linestyle="--")
        axis.plot(data["distance"], one["constant_step"], color=COLOURS["naive"])
        axis.plot(data["distance"], one["operator"], color=COLOURS["implicit"], linewidth=2.5)
        axis.plot(data["distance"], one["operator_here"], color=SEQUENCE[9], linewidth=1)
        axis.axhline(1, color=COLOURS["bound"], linestyle=":")
        axis.set_ylim(bottom=1e-2)

    return _small_multiples(
        data,
        "steepness in x, largest so far",
        one_target,
        [
            Line2D([], [], color=COLOURS["closed_form"], linestyle="--", label="|dF/dx|: blows up"),
            Line2D(
                [],
                [],
                color=COLOURS["naive"],
                label="$\\mathrm{Lip}_x(G)/(1+|y|)$,\nconstant $\\epsilon$ = 0.5: blows up",
            ),
            Line2D(
                [],
                [],
                color=COLOURS["implicit"],
                linewidth=2.5,
                label="$\\mathrm{Lip}_x(G)/(1+|y|)$,\nautomatic $\\epsilon(x)$: settles",
            ),
            Line2D([], [], color=SEQUENCE[9], linewidth=1, label="the same, at this distance only"),
            Line2D(
                [],
                [],
                color=COLOURS["bound"],
                linestyle=":",
                label="guaranteed by the construction",
            ),
        ],
        "Sufficiency: every target is the fixed point of an operator without a singularity",
    )


def necessity(data: dict) -> Figure:
    """`sufficiency.targets.*.necessity`: bound and measured local constant side by side, and 1 - mu."""

    def one_target(axis, one):
        axis.plot(
            one["distance"],
            one["necessity"]["bound"],
            color=COLOURS["bound"],
            linewidth=4,
            alpha=0.6,
        )
        axis.plot(
            one["distance"],
            one["necessity"]["measured"],
            "o",
            color=COLOURS["implicit"],
            markersize=4,
        )
        axis.plot(one["distance"], one["necessity"]["one_minus_mu"], color=SEQUENCE[4])

    return _small_multiples(
        data,
        r"local constant of $y^*$, and 1 - $\mu$",
        one_target,
        [
            Line2D(
                [],
                [],
                color=COLOURS["bound"],
                linewidth=4,
                alpha=0.6,
                label="bound: $\\mathrm{Lip}_x(G)(y^*) / (1 - \\mu)$",
            ),
            Line2D(
                [],
                [],
                color=COLOURS["implicit"],
                marker="o",
                linestyle="",
                markersize=4,
                label="measured $|dy^*/dx|$",
            ),
            Line2D([], [], color=SEQUENCE[4], label="1 - $\\mu(x)$: small means\nmany iterations"),
        ],
        r"Necessity: a steep fixed point needs $\mu \to 1$, and here the bound is attained",
    )


def limit(data: dict) -> Figure:
    """`limit`: sign, approached in x and by smoothing."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4))
    left.plot(
        data["distance"],
        data["approach"]["allowed"],
        color=COLOURS["bound"],
        linestyle="--",
        label="necessity: at most K|x|, K = 2",
    )
    left.plot(
        data["distance"],
        data["approach"]["one_minus_mu"],
        "o-",
        color=COLOURS["implicit"],
        markersize=4,
        label=r"automatic $\epsilon(x)$",
    )
    left.set(ylabel=r"1 - $\mu(x)$", title=r"sign x: $\mu(x) \to 1$ as x $\to$ 0 ...")
    right.plot(
        data["distance"],
        data["smoothed"]["allowed"],
        color=COLOURS["bound"],
        linestyle="--",
        label=r"necessity: 1 - $\mu(0) \leq$ Lip$_x$(G) w",
    )
    right.plot(
        data["distance"],
        data["smoothed"]["one_minus_mu"],
        "o",
        color=COLOURS["implicit"],
        markersize=4,
        label=r"automatic $\epsilon(x)$",
    )
    right.set(ylabel=r"least 1 - $\mu$", title=r"... and for tanh(x/w) as w $\to$ 0")
    _towards_zero(left, "|x|")
    _towards_zero(right, "width w")
    left.legend(loc="upper right")
    right.legend(loc="upper right")
    return figure


def _spread(values: list) -> tuple:
    """(mean, lowest, highest) over seeds, (T,) each."""
    array = numpy.array(values)
    return array.mean(0), array.min(0), array.max(0)


def toy(data: dict) -> Figure:
    """toy.json: answers (first seed) above, sup error against t (mean and range over seeds) below, one column per bound."""
    bounds = sorted(data["implicit"], key=int)
    figure, axes = pyplot.subplots(2, len(bounds), figsize=(3.5 * len(bounds), 7.4), sharey="row")
    times, shown = data["times"], [1, 5, 25, 400]
    x = numpy.array(data["inputs"])
    for (top, bottom), bound in zip(axes.T, bounds):
        for colour, t in zip(_shades(len(shown)), shown):
            top.plot(
                x,
                data["implicit"][bound][0]["curve"][times.index(t)],
                color=colour,
                label=f"implicit $y_t$, t = {t}",
            )
        top.plot(
            x,
            data["explicit"][bound][0]["curve"][0],
            color=COLOURS["explicit"],
            linewidth=2,
            label="explicit, width 1024 (read from its training)",
        )
        top.plot(x, 1 / x, color=COLOURS["bound"], linewidth=6, alpha=0.4, zorder=0, label="1/x")
        top.set(xlabel="x", title=f"Lipschitz bound {bound}")
        mean, low, high = _spread([seed["sup_error"] for seed in data["implicit"][bound]])
        bottom.fill_between(times, low, high, color=COLOURS["implicit"], alpha=0.25)
        bottom.plot(
            times,
            mean,
            "o-",
            color=COLOURS["implicit"],
            markersize=4,
            label="implicit, width 256: sup error",
        )
        mean, low, high = _spread([seed["sup_error"] for seed in data["explicit"][bound]])
        bottom.axhspan(low[0], high[0], color=COLOURS["explicit"], alpha=0.25)
        bottom.axhline(mean[0], color=COLOURS["explicit"])
        bottom.axhline(
            data["least_error"][bound],
            color=COLOURS["bound"],
            linestyle=":",
            linewidth=2,
            label="no function with this bound gets lower",
        )
        bottom.set(xscale="log", yscale="log", xlabel="iteration t")
    axes[0, 0].set_ylabel("y")
    axes[1, 0].set_ylabel("sup error on [0.1, 1]")
    handles = [
        *axes[0, 0].get_legend_handles_labels()[0],
        *axes[1, 0].get_legend_handles_labels()[0],
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=4)
    figure.suptitle(
        "Learned 1/x: the same bound on the operator, but iterations go beyond it (bands: range over 3 seeds)",
        fontsize="medium",
    )
    return figure


def broken_toy(data: dict) -> Figure:
    """`broken` of toy.json: the trained weights with and without a contraction."""
    figure, axes = pyplot.subplots(figsize=(7, 4))
    times = range(1, len(data["contraction"]["sup_error"]) + 1)
    axes.plot(
        times,
        data["contraction"]["sup_error"],
        color=COLOURS["implicit"],
        label=rf"as trained, $\mu \leq$ {data['contraction']['modulus']:g}",
    )
    axes.plot(
        times,
        data["without"]["sup_error"],
        color=COLOURS["naive"],
        label=rf"same weights, $\mu \leq$ {data['without']['modulus']:g}: no contraction",
    )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="iteration t",
        ylabel="sup error on [0.1, 1]",
        title="Without the contraction there is no equilibrium to settle at",
    )
    axes.legend()
    return figure


def panels(data: dict) -> Figure:
    """`panels`: y_t for every step and every t, the slider's static stand-in."""
    figure, axes = pyplot.subplots(
        len(data["etas"]),
        len(data["times"]),
        figsize=(2.6 * len(data["times"]), 2.3 * len(data["etas"])),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for row, eta, iterates in zip(axes, data["etas"], data["iterates"]):
        for axis, t, y in zip(row, data["times"], iterates):
            _one_panel(axis, data["x"], data["target"], y, eta, t)
        row[0].set_ylabel("y")
    for axis in axes[-1]:
        axis.set_xlabel("x")
    axes[0, 0].legend()
    figure.suptitle(
        r"$y_t(x)$ over 1/x: a larger step $\eta$ needs fewer iterations t", fontsize="medium"
    )
    return figure


def _one_panel(axis, x, target, y, eta: float, t: int) -> None:
    axis.plot(x, target, color=COLOURS["closed_form"], linestyle="--", linewidth=1, label="1/x")
    axis.plot(x, y, color=COLOURS["implicit"], label="$y_t$")
    axis.set(xscale="log", yscale="log", ylim=(0.05, 150), title=rf"$\eta$ = {eta:g}, t = {t}")
    axis.minorticks_off()  # twelve logarithmic panels are slow to draw with them


def slider(*, instead_of: Figure) -> bool:
    """In JupyterLab: sliders over t and eta above one panel, drawn live, in the place of a static figure, which is closed. Elsewhere
    nothing happens, so that a headless run shows the figure and stores no widget. Returns whether there are sliders.

    JPY_SESSION_NAME is set in the kernels that a Jupyter server opens for a notebook, and nowhere else.
    """
    if "JPY_SESSION_NAME" not in os.environ:
        return False
    import ipywidgets
    import torch
    from IPython.display import display

    from equilibria.operators.reciprocal import closed_form

    x = torch.logspace(-2, 0, 200, dtype=torch.float64)
    pyplot.close(instead_of)

    def draw(t: int, eta: float) -> None:
        figure, axis = pyplot.subplots(figsize=(6, 4))
        _one_panel(axis, x, 1 / x, closed_form(x, t, eta), eta, t)
        axis.set(xlabel="x", ylabel="y")
        axis.legend()
        pyplot.show()

    display(
        ipywidgets.interactive(
            draw,
            t=ipywidgets.IntSlider(value=10, min=1, max=200, description="t"),
            eta=ipywidgets.FloatSlider(value=0.5, min=0.05, max=0.95, step=0.05, description="eta"),
        )
    )
    return True


def markdown(rows: list[dict]) -> str:
    """Rows with the same keys as a Markdown table; floats with four digits."""
    cells = [
        [f"{value:.4g}" if isinstance(value, float) else str(value) for value in row.values()]
        for row in rows
    ]
    lines = [list(rows[0]), ["---"] * len(rows[0]), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
