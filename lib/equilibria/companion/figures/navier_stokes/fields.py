"""Pictures of fields on the square: x1 runs to the right, x2 upwards."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import ArrayLike

from equilibria.companion.figures import player

__all__ = ["becoming", "becoming_player", "flows", "maps", "two_states"]

_SHOWN_T = (1, 2, 3, 4, 6, 8, 64)  # of `becoming`


def flows(data: dict[str, Any]) -> Figure:
    """Input and output of the map: curl of the forcing, vorticity and its velocity."""
    rows = data["flows"]
    figure, axes = plt.subplots(2, len(rows), figsize=(3.1 * len(rows), 6.1))
    largest_curl = _largest(*(row["curl"] for row in rows))
    largest_vorticity = _largest(*(row["truth"] for row in rows))
    for column, row in zip(axes.T, rows, strict=True):
        inputs = _field(column[0], row["curl"], largest_curl)
        outputs = _field(column[1], row["truth"], largest_vorticity)
        _arrows(column[1], row["velocity"])
    figure.colorbar(inputs, ax=axes[0], shrink=0.85)
    figure.colorbar(outputs, ax=axes[1], shrink=0.85)
    axes[0, 0].set_title("input: curl $f$", loc="left", fontsize="small")
    axes[1, 0].set_title("output: vorticity $w$, velocity $u$", loc="left", fontsize="small")
    figure.set_label(
        f"{len(rows)} test flows. Top: the curl of the forcing. Bottom: the vorticity of the flow "
        "with its velocity, which is no smoothed copy of the forcing."
    )
    return figure


def two_states(data: dict[str, Any]) -> Figure:
    """One curl with two steady flows, whose full forcings differ."""
    rows = data["states"]
    figure, axes = plt.subplots(len(rows), 5, figsize=(14.5, 2.9 * len(rows)), squeeze=False)
    for row, place in zip(rows, axes, strict=True):
        limit = _largest(row["drawn"], row["found"])
        _field(place[0], row["curl"], _largest(row["curl"]), "curl $f$ (own scale)")
        _field(place[1], row["drawn"], limit, "$w$, behind the forcing")
        title = f"$w'$, same curl: {row['distance']:.0%} away"
        image = _field(place[2], row["found"], limit, title)
        strongest = _largest(row["full_drawn"], row["full_found"])
        _field(place[3], row["full_drawn"], strongest, "full $f_1$ of $w$")
        title = f"full $f_1$ of $w'$: {row['forcing_distance']:.0%} away"
        shade = _field(place[4], row["full_found"], strongest, title)
        figure.colorbar(image, ax=list(place[1:3]), shrink=0.85)
        figure.colorbar(shade, ax=list(place[3:]), shrink=0.85)
    figure.suptitle("The curl alone leaves the flow open; the full forcing tells the two apart")
    figure.set_label(
        "Each row: one curl of a forcing, two different steady flows under it, and the two full "
        "forcings behind these flows, which differ."
    )
    return figure


def becoming(data: dict[str, Any]) -> Figure:
    """y_t of one flow at some t, beside the truth."""
    row = data["becoming"]
    shown = [i for i, t in enumerate(row["t"]) if t in _SHOWN_T]
    figure, axes = plt.subplots(1, len(shown) + 1, figsize=(2.2 * (len(shown) + 1), 2.7))
    limit = _largest(row["truth"])
    for axis, i in zip(axes, shown, strict=False):
        title = f"$y_{{{row['t'][i]}}}$, error {row['error'][i]:.2f}"
        _field(axis, row["fields"][i], limit, title)
    _field(axes[-1], row["truth"], limit, "truth $w$")
    figure.set_label(
        "The vorticity that the loop answers after more and more iterations, beside the true one: "
        "at first it is faint or reversed, then it becomes the truth."
    )
    return figure


def becoming_player(data: dict[str, Any]) -> str:
    """The same flow in motion: HTML of y_t beside the truth, under a slider for t."""
    row = data["becoming"]
    limit = _largest(row["truth"])
    colours = plt.get_cmap("RdBu_r")

    def coloured(field: ArrayLike) -> np.ndarray:
        shares = np.asarray(field).T[::-1] / (2 * limit) + 0.5
        pixels: np.ndarray = (255 * colours(shares)[..., :3]).astype(np.uint8)
        return pixels

    truth = coloured(row["truth"])
    gap = np.full((len(truth), 2, 3), 255, np.uint8)
    frames = [np.concatenate([coloured(field), gap, truth], 1) for field in row["fields"]]
    spec = player.pictures(
        sliders=[{"label": "iterations t", "values": list(row["t"]), "start": 0}],
        frames=np.stack(frames),
        words=[
            f"Left: y_t, relative error {error:.2f}. Right: the truth w." for error in row["error"]
        ],
        alt="The vorticity answered after t iterations, beside the true one.",
    )
    return player.page(spec, instead=becoming(data))


def maps(data: dict[str, Any]) -> Figure:
    """Fig. 5: forcing, truth, answers and errors.

    All fields share one colour scale, and so do all errors.
    """
    rows = data["answers"]
    kinds = ("explicit", "implicit")
    figure, axes = plt.subplots(len(rows), 6, figsize=(14.5, 2.65 * len(rows)))
    vorticity = []
    errors = []
    for row in rows:
        vorticity += [row[key] for key in ("truth", *kinds)]
        errors += [_error(row, kind) for kind in kinds]
    limit = _largest(*vorticity)
    largest_error = _largest(*errors)
    for number, (place, row) in enumerate(zip(axes, rows, strict=True)):
        first = number == 0  # the titles that all rows share stand above the first
        title = "curl $f$ (own scale)" if first else ""
        _field(place[0], row["curl"], _largest(row["curl"]), title)
        place[0].set_ylabel(row["which"])
        image = _field(place[1], row["truth"], limit, "truth $w$, velocity" if first else "")
        _arrows(place[1], row["velocity"])
        for column, kind in zip((2, 4), kinds, strict=True):
            _field(place[column], row[kind], limit, f"{kind} answer" if first else "")
            shade = _field(
                place[column + 1],
                _error(row, kind),
                largest_error,
                f"|error|, {row['error'][kind]:.3f} of |w|",
                "magma_r",
                0,
            )
    figure.colorbar(image, ax=axes[:, 4], shrink=0.6, label="$w$", location="bottom", pad=0.02)
    figure.colorbar(shade, ax=axes[:, 5], shrink=0.6, label="|error|", location="bottom", pad=0.02)
    figure.set_label(
        "A median and a hard test flow: forcing, truth, the explicit answer with its error, and "
        "the implicit answer with its error, which is fainter."
    )
    return figure


def _error(row: dict[str, Any], kind: str) -> np.ndarray:
    error: np.ndarray = np.abs(np.asarray(row[kind]) - np.asarray(row["truth"]))
    return error


def _field(
    axis: Axes,
    field: ArrayLike,
    limit: float,
    title: str = "",
    cmap: str = "RdBu_r",
    low: float | None = None,
) -> AxesImage:
    """One field (n, n) with colours from ``low`` (None: -limit) to ``limit``."""
    image = axis.imshow(
        np.asarray(field).T,
        origin="lower",
        cmap=cmap,
        vmin=-limit if low is None else low,
        vmax=limit,
        extent=(0, 2 * np.pi, 0, 2 * np.pi),
    )
    axis.set_title(title, fontsize="small")
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    axis.spines[:].set_visible(False)
    return image


def _arrows(axis: Axes, velocity: ArrayLike) -> None:
    """Velocity (2, m, m), on every few points of the grid."""
    u1, u2 = np.asarray(velocity)
    x = (np.arange(len(u1)) + 0.5) * 2 * np.pi / len(u1)
    axis.quiver(x, x, u1.T, u2.T, color="#222222", width=0.005, scale_units="width")


def _largest(*fields: ArrayLike) -> float:
    return max(float(np.abs(np.asarray(field)).max()) for field in fields)
