"""Sizes, colours and axes that the drawings of notebook 01 share."""

from typing import Any

import numpy
from matplotlib import pyplot
from matplotlib.axes import Axes

__all__ = ["GREY", "SIZE", "TALL", "Colour", "Json", "shades", "towards_zero"]

Json = dict[str, Any]  # a results file or a part of one, as it is read back
Colour = tuple[float, float, float, float]

SIZE = (6.4, 4.6)  # inches: narrow enough for a phone
TALL = (6.4, 6.8)  # of two panels, one above the other
GREY = "#555555"


def shades(count: int) -> list[Colour]:
    """Light to dark blue: the more iterations, the darker."""
    blues = pyplot.get_cmap("Blues")
    return [blues(place) for place in numpy.linspace(0.35, 1.0, count)]


def towards_zero(axes: Axes, label: str = "distance to the singularity") -> None:
    """Logarithmic axes on which the distance falls from left to right."""
    axes.set(xscale="log", yscale="log", xlabel=label)
    axes.invert_xaxis()
    axes.minorticks_off()
