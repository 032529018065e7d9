"""Gains per image, means beside the published ones, and other noise levels and kernels."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS
from equilibria.companion.figures.deblurring.models import COLOUR_OF, IMPLICIT, NAME_OF, Data

__all__ = ["quality", "robustness"]


def quality(data: Data) -> Figure:
    """PSNR per test image over the explicit network's, and means beside the published ones."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), width_ratios=[1.25, 1])
    _gains(axes[0], data)
    _means(axes[1], data)
    return figure


def _gains(axis: Axes, data: Data) -> None:
    explicit = np.asarray(data["per_image"]["explicit"])
    for name in IMPLICIT:
        gain = np.asarray(data["per_image"][name]) - explicit
        label = f"{NAME_OF[name]}: mean gain {gain.mean():.2f} dB"
        axis.hist(gain, bins=30, color=COLOUR_OF[name], alpha=0.6, label=label)
    axis.axvline(0, color=COLOURS["closed_form"], lw=1)
    axis.set(
        xlabel="PSNR over that of the explicit network (dB)",
        ylabel="images",
        title=f"{len(explicit)} test crops of BSDS500, seed 0",
    )
    axis.legend()


def _means(axis: Axes, data: Data) -> None:
    table = data["table"]
    for place, name in enumerate(NAME_OF):
        row = table[name]
        height, error = row["psnr"], row["spread"] or 0
        axis.bar(place, height, 0.6, yerr=error, capsize=5, color=COLOUR_OF[name])
        axis.text(
            place,
            height - 0.5,
            f"{height:.2f}",
            ha="center",
            va="top",
            fontsize=10,
            color="white",
        )
        axis.scatter(
            place,
            row["published"],
            marker="_",
            s=500,
            color=COLOURS["published"],
            zorder=3,
            label="published (another kernel, more weights)" if place == 0 else None,
        )
    blurred = data["blurred"]
    label = "the measurement x itself"
    axis.axhline(blurred, color=COLOURS["bound"], ls=":", lw=1.2, label=label)
    seeds, weights = table["hqs"]["seeds"], table["hqs"]["parameters"] / 1e6
    highest = max(table[name]["published"] for name in NAME_OF)
    axis.set(
        xticks=range(len(NAME_OF)),
        ylim=(blurred - 0.8, highest + 1.4),
        ylabel="test PSNR (dB)",
        title=f"mean over {seeds} seeds, {weights:.2f} M weights each",
    )
    axis.set_xticklabels(list(NAME_OF.values()))
    axis.legend(loc="upper left")


def robustness(data: Data) -> Figure:
    """PSNR for noise levels and kernels that training did not have."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), width_ratios=[1.2, 1])
    _noise_levels(axes[0], data["robustness"]["noise"], data["noise"])
    _kernels(axes[1], data["robustness"]["kernels"])
    return figure


def _noise_levels(axis: Axes, rows: Data, trained: float) -> None:
    for name, label in NAME_OF.items():
        axis.plot(rows["levels"], rows[name], "o-", color=COLOUR_OF[name], label=label)
    axis.axvline(trained, color=COLOURS["bound"], ls="--", lw=1)
    axis.text(
        trained,
        0.02,
        " trained here",
        transform=axis.get_xaxis_transform(),
        fontsize=8,
        color="#555555",
    )
    axis.set(xlabel="noise level", ylabel="PSNR (dB)", title="Another noise level")
    axis.legend()


def _kernels(axis: Axes, rows: Data) -> None:
    kernels = rows["names"]
    places = range(len(kernels))
    for offset, (name, label) in zip((-0.27, 0, 0.27), NAME_OF.items(), strict=True):
        shifted = [place + offset for place in places]
        axis.bar(shifted, rows[name], 0.25, color=COLOUR_OF[name], label=label)
    axis.hlines(
        rows["x"],
        [place - 0.4 for place in places],
        [place + 0.4 for place in places],
        color=COLOURS["closed_form"],
        label="the measurement x",
    )
    axis.set_xticks(places, kernels)
    axis.legend(handles=axis.collections, loc="upper left")
    lowest = min(min(rows[name]) for name in (*NAME_OF, "x"))
    highest = max(max(rows[name]) for name in NAME_OF)
    title = "Another kernel: known to A, weights unchanged"
    axis.set(ylim=(lowest - 1, highest + 2), title=title)
