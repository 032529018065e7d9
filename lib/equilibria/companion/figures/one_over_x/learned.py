"""Drawings of the learned toy."""

from typing import Any

import numpy
from matplotlib import pyplot
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS
from equilibria.companion.figures.one_over_x.marks import SIZE, Json, shades

__all__ = ["broken_toy", "toy", "toy_answers"]

_DRAWN_TIMES = (1, 5, 25, 400)


def toy(data: Json) -> Figure:
    """Sup error against the Lipschitz bound, at a few t (toy.json): mean and range over seeds."""
    figure, axes = pyplot.subplots(figsize=(6.4, 5.2))
    bounds = sorted(data["implicit"], key=int)
    x = [int(bound) for bound in bounds]
    for colour, t in zip(shades(len(_DRAWN_TIMES)), _DRAWN_TIMES, strict=True):
        errors = _errors(data["implicit"], bounds, data["times"].index(t))
        axes.plot(x, errors.mean(1), "o-", color=colour, label=f"implicit, $t$ = {t}")
        axes.fill_between(x, errors.min(1), errors.max(1), color=colour, alpha=0.3)
    errors = _errors(data["explicit"], bounds, 0)
    red = COLOURS["explicit"]
    axes.plot(x, errors.mean(1), "s-", color=red, label="explicit, four times as wide")
    least = [data["least_error"][bound] for bound in bounds]
    label = "no function with this bound gets below"
    axes.plot(x, least, color=COLOURS["closed_form"], linestyle=":", linewidth=2, label=label)
    axes.set(
        yscale="log",
        xlabel="Lipschitz bound in $x$ that the network keeps",
        ylabel="largest error on $[0.1, 1]$",
        title="Iterates get where the bound lets no single pass go",
    )
    axes.set_xticks(x, bounds)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    figure.set_label(
        "Largest error against the Lipschitz bound. The explicit network lies above the least "
        "error that its bound allows. Implicit iterates are above it at t = 1, and far below it "
        "at t = 25 and t = 400."
    )
    return figure


def _errors(networks: Json, bounds: list[str], index: int) -> numpy.ndarray[Any, Any]:
    """Sup errors, one row per bound and one column per seed."""
    rows = [[seed["sup_error"][index] for seed in networks[bound]] for bound in bounds]
    return numpy.array(rows)


def toy_answers(data: Json, bound: str = "5") -> Figure:
    """y over x of the first seed under one bound: implicit at a few t, explicit, 1/x (toy.json)."""
    figure, axes = pyplot.subplots(figsize=SIZE)
    x = numpy.array(data["inputs"])
    axes.plot(x, 1 / x, color=COLOURS["bound"], linewidth=7, alpha=0.4, label="$1/x$")
    implicit = data["implicit"][bound][0]["curve"]
    times = _DRAWN_TIMES[:3]
    for colour, t in zip(shades(len(times)), times, strict=True):
        y = implicit[data["times"].index(t)]
        axes.plot(x, y, color=colour, linewidth=2.5, label=f"implicit, $t$ = {t}")
    explicit = data["explicit"][bound][0]["curve"][0]
    axes.plot(x, explicit, color=COLOURS["explicit"], linewidth=2, label="explicit")
    axes.set(
        xlabel="$x$",
        ylabel="$y$",
        title=f"Both networks keep the bound {bound}; only iterates climb",
    )
    axes.legend()
    figure.set_label(
        "Learned answers over x. The explicit network is a line too flat for 1/x at its left end. "
        "The implicit network is flatter still at t = 1, and lies on 1/x at t = 25."
    )
    return figure


def broken_toy(data: Json) -> Figure:
    """Sup errors of the trained weights with and without a contraction (`broken` of toy.json)."""
    figure, axes = pyplot.subplots(figsize=SIZE)
    trained, broken = data["contraction"], data["without"]
    times = range(1, len(trained["sup_error"]) + 1)
    label = rf"as trained, $\mu \leq$ {trained['modulus']:g}"
    axes.plot(times, trained["sup_error"], color=COLOURS["implicit"], label=label)
    label = rf"same weights, $\mu \leq$ {broken['modulus']:g}"
    axes.plot(times, broken["sup_error"], color=COLOURS["naive"], label=label)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="iteration $t$",
        ylabel="largest error on $[0.1, 1]$",
        title="Without a contraction there is no place to rest",
    )
    axes.legend()
    figure.set_label(
        "Error against iterations. As trained it falls and rests; with the contraction undone the "
        "same weights diverge by many orders of magnitude."
    )
    return figure
