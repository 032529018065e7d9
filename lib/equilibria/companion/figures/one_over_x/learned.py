"""Drawings of the learned toy."""

from typing import Any

import numpy
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS
from equilibria.companion.figures.one_over_x.marks import Json, shades

__all__ = ["broken_toy", "toy"]

Array = numpy.ndarray[Any, numpy.dtype[Any]]

_DRAWN_TIMES = (1, 5, 25, 400)


def toy(data: Json) -> Figure:
    """Answers above, sup error against t below, one column per bound (toy.json).

    Answers are those of the first seed; errors are the mean and the range over seeds.
    """
    bounds = sorted(data["implicit"], key=int)
    figure, axes = pyplot.subplots(2, len(bounds), figsize=(3.5 * len(bounds), 7.4), sharey="row")
    for (top, bottom), bound in zip(axes.T, bounds, strict=True):
        _answers(top, data, bound)
        _errors(bottom, data, bound)
    axes[0, 0].set_ylabel("y")
    axes[1, 0].set_ylabel("sup error on [0.1, 1]")
    answers, _ = axes[0, 0].get_legend_handles_labels()
    errors, _ = axes[1, 0].get_legend_handles_labels()
    figure.legend(handles=[*answers, *errors], loc="outside lower left", ncols=4)
    title = (
        "Learned 1/x: the same bound on the operator, but iterations go beyond it "
        "(bands: range over 3 seeds)"
    )
    figure.suptitle(title, fontsize="medium")
    return figure


def _answers(axes: Axes, data: Json, bound: str) -> None:
    """y over x: implicit at a few t, explicit, and the target."""
    x = numpy.array(data["inputs"])
    implicit = data["implicit"][bound][0]["curve"]
    explicit = data["explicit"][bound][0]["curve"][0]
    for colour, t in zip(shades(len(_DRAWN_TIMES)), _DRAWN_TIMES, strict=True):
        y = implicit[data["times"].index(t)]
        axes.plot(x, y, color=colour, label=f"implicit $y_t$, t = {t}")
    label = "explicit, width 1024 (read from its training)"
    axes.plot(x, explicit, color=COLOURS["explicit"], linewidth=2, label=label)
    axes.plot(x, 1 / x, color=COLOURS["bound"], linewidth=6, alpha=0.4, zorder=0, label="1/x")
    axes.set(xlabel="x", title=f"Lipschitz bound {bound}")


def _errors(axes: Axes, data: Json, bound: str) -> None:
    """Sup errors against t: implicit, explicit, and what no function can go below."""
    times = data["times"]
    mean, low, high = _range_over_seeds(data["implicit"][bound])
    blue, red = COLOURS["implicit"], COLOURS["explicit"]
    axes.fill_between(times, low, high, color=blue, alpha=0.25)
    label = "implicit, width 256: sup error"
    axes.plot(times, mean, "o-", color=blue, markersize=4, label=label)
    mean, low, high = _range_over_seeds(data["explicit"][bound])
    axes.axhspan(low[0], high[0], color=red, alpha=0.25)
    axes.axhline(mean[0], color=red)
    axes.axhline(
        data["least_error"][bound],
        color=COLOURS["bound"],
        linestyle=":",
        linewidth=2,
        label="no function with this bound gets lower",
    )
    axes.set(xscale="log", yscale="log", xlabel="iteration t")


def _range_over_seeds(seeds: list[Json]) -> tuple[Array, Array, Array]:
    """Mean, lowest and highest sup error over the seeds, one entry per t."""
    errors = numpy.array([seed["sup_error"] for seed in seeds])
    return errors.mean(0), errors.min(0), errors.max(0)


def broken_toy(data: Json) -> Figure:
    """Sup errors of the trained weights with and without a contraction (`broken` of toy.json)."""
    figure, axes = pyplot.subplots(figsize=(7, 4))
    trained, broken = data["contraction"], data["without"]
    times = range(1, len(trained["sup_error"]) + 1)
    label = rf"as trained, $\mu \leq$ {trained['modulus']:g}"
    axes.plot(times, trained["sup_error"], color=COLOURS["implicit"], label=label)
    label = rf"same weights, $\mu \leq$ {broken['modulus']:g}: no contraction"
    axes.plot(times, broken["sup_error"], color=COLOURS["naive"], label=label)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="iteration t",
        ylabel="sup error on [0.1, 1]",
        title="Without the contraction there is no equilibrium to settle at",
    )
    axes.legend()
    return figure
