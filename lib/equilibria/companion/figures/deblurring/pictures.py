"""Photographs: measured, restored, enlarged."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from equilibria.companion.figures.deblurring.models import NAME_OF, Data
from equilibria.problems.images import from_png
from equilibria.studies.deblurring.pictures import SQUARE

__all__ = ["details", "measurements", "own_photo", "restorations"]

_ORDER = ("truth", "x", *NAME_OF)  # of the columns, from left to right


def measurements(data: Data) -> Figure:
    """The kernel, the size of its Fourier symbol, and what it does to three photographs."""
    figure, axes = plt.subplots(2, 4, figsize=(11, 5.8))
    side = len(data["kernel"])
    axes[0, 0].imshow(data["kernel"], cmap="gray_r")
    axes[0, 0].set_title(f"kernel of A, {side} x {side}", fontsize="small")
    symbol = axes[1, 0].imshow(data["symbol"], cmap="viridis", vmin=-2.5, vmax=0)
    axes[1, 0].set_title("log10 |K| by frequency", fontsize="small")
    figure.colorbar(symbol, ax=axes[1, 0], shrink=0.8)
    for axis in axes[:, 0]:
        axis.set(xticks=[], yticks=[])
    # A user's folder may hold fewer photographs than there are columns.
    for column, row in zip(axes.T[1:], data["pictures"].values(), strict=False):
        _show(column[0], row["truth"], "photograph y")
        _show(column[1], row["x"], f"measured x, {row['psnr']['x']:.1f} dB")
    figure.suptitle(
        "x = A y + n: dark frequencies of K are lost, and no linear inverse brings them back"
    )
    return figure


def restorations(data: Data) -> Figure:
    """Truth, measurement and the three answers, for three photographs (Fig. 3)."""
    pictures = data["pictures"]
    figure, axes = _grid(len(pictures), row_height=2.75)
    for row, (name, picture) in zip(axes, pictures.items(), strict=True):
        for axis, version in zip(row, _ORDER, strict=True):
            if version == "truth":
                title = name.replace("_left", "")
            else:
                model = NAME_OF.get(version, "measured")
                title = f"{model}, {picture['psnr'][version]:.2f} dB"
            _show(axis, picture[version], title)
        top, left = picture["zoom"]
        corner = (left - 0.5, top - 0.5)
        square = Rectangle(corner, SQUARE, SQUARE, fill=False, color="#ffdd00", lw=1.2)
        row[0].add_patch(square)
    return figure


def details(data: Data) -> Figure:
    """The marked 40 x 40 pixels of each photograph, enlarged."""
    pictures = data["pictures"]
    figure, axes = _grid(len(pictures), row_height=2.6)
    titles = {"truth": "photograph", "x": "measured"} | NAME_OF
    for place, (row, picture) in enumerate(zip(axes, pictures.values(), strict=True)):
        top, left = picture["zoom"]
        for axis, version in zip(row, _ORDER, strict=True):
            pixels = from_png(picture[version])[top : top + SQUARE, left : left + SQUARE]
            axis.imshow(pixels, interpolation="nearest")
            _finish(axis, titles[version] if place == 0 else "")
    return figure


def own_photo(photo: str, x: str, y: str, title: str) -> Figure:
    """Any photograph, its measurement x and the answer y, each as a PNG in base64."""
    rows, columns, _ = from_png(photo).shape
    figure, axes = plt.subplots(1, 3, figsize=(12.5, 12.5 / 3 * rows / columns + 0.6))
    _show(axes[0], photo, "photograph")
    _show(axes[1], x, "measured")
    _show(axes[2], y, title)
    return figure


def _grid(rows: int, *, row_height: float) -> tuple[Figure, NDArray[np.object_]]:
    """A figure and its axes, one row per photograph and one column per version of it."""
    size = (12.5, row_height * rows)
    return plt.subplots(rows, len(_ORDER), figsize=size, squeeze=False)


def _show(axis: Axes, png: str, title: str) -> None:
    axis.imshow(from_png(png), interpolation="nearest")
    _finish(axis, title)


def _finish(axis: Axes, title: str) -> None:
    axis.set_title(title, fontsize="small")
    axis.set_axis_off()
