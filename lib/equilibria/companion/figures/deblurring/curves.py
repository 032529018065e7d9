"""Curves against iterations, evaluations, depth and photographs."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, SEQUENCE, iterations
from equilibria.companion.figures.deblurring.models import (
    COLOUR_OF,
    IMPLICIT,
    NAME_OF,
    TICKS,
    Data,
)

__all__ = ["depth", "far_beyond", "regularity", "solvers", "steepness"]


def steepness(data: Data) -> Figure:
    """Fig. 2: L_t by the paper's protocol, the true local constant, and PSNR, against t."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2))
    for name in IMPLICIT:
        row, local = data["along_t"][name], data["local"][name]
        colour, label = COLOUR_OF[name], NAME_OF[name]
        t = range(1, len(row["lipschitz"]) + 1)
        axes[0].plot(
            t, row["lipschitz"], color=colour, lw=2, label=f"{label}: L_t, the paper's protocol"
        )
        axes[0].plot(
            local["t"],
            local["value"],
            color=colour,
            ls="--",
            marker="o",
            ms=4,
            label=f"{label}: |dy_t/dx|, true local constant",
        )
        mean, std = np.asarray(row["psnr_mean"]), np.asarray(row["psnr_std"])
        axes[1].plot(t, mean, color=colour, lw=2, label=label)
        axes[1].fill_between(t, mean - std, mean + std, color=colour, alpha=0.15, lw=0)
    for axis in axes:
        iterations(axis, TICKS, last=len(row["lipschitz"]))
    title = "y_t becomes steeper, then settles"
    axes[0].set(ylabel="Lipschitz constant", ylim=(0, None), title=title)
    axes[1].set(ylabel="PSNR (dB)", title="while the answer becomes right (band: one std)")
    axes[0].legend(loc="upper left", fontsize="x-small")
    axes[0].set_ylim(0, 1.5 * axes[0].get_ylim()[1])  # room for the legend
    axes[1].legend(loc="lower right")
    return figure


def far_beyond(data: Data) -> Figure:
    """PSNR far beyond the iterations of training, and PGD trained without an equilibrium."""
    figure, axis = plt.subplots(figsize=(7.2, 4.2))
    far = data["far"]
    lines = (
        ("hqs", COLOUR_OF["hqs"], NAME_OF["hqs"]),
        ("pgd", COLOUR_OF["pgd"], NAME_OF["pgd"]),
        ("unrolled-pgd", COLOURS["naive"], "PGD, trained by unrolling 10 iterations"),
    )
    for name, colour, label in lines:
        axis.plot(range(1, len(far[name]) + 1), far[name], color=colour, label=label)
    axis.axvline(10, color=COLOURS["bound"], ls="--", lw=1)
    axis.text(
        10.4,
        0.95,
        "unrolled depth",
        transform=axis.get_xaxis_transform(),
        fontsize=8,
        color="#555555",
    )
    iterations(axis, TICKS, last=len(far["hqs"]))
    lowest = min(min(far[name]) for name in IMPLICIT)
    title = "An equilibrium stays; broken on purpose, it does not"
    axis.set(ylabel="PSNR (dB)", ylim=(lowest - 8, None), title=title)
    axis.legend(loc="lower left")
    return figure


def regularity(data: Data) -> Figure:
    """Modulus of each learned operator at y*, and its observed rate of convergence, per image."""
    figure, axis = plt.subplots(figsize=(7.2, 4))
    for name in IMPLICIT:
        rows = data["regularity"][name]
        colour, label = COLOUR_OF[name], NAME_OF[name]
        photographs = range(1, len(rows["mu"]) + 1)
        axis.plot(photographs, rows["mu"], "o-", color=colour, label=f"{label}: mu, |dG/dy| at y*")
        axis.plot(
            photographs,
            rows["rate"],
            "s:",
            color=colour,
            mfc="none",
            label=f"{label}: observed rate of convergence",
        )
    axis.axhline(1, color=COLOURS["closed_form"], lw=1)
    axis.set(
        xlabel="photograph",
        ylabel="contraction modulus",
        xticks=photographs,
        title="Below 1: a contraction where the answer lies",
    )
    axis.legend()
    return figure


def depth(data: Data) -> Figure:
    """Unfolded networks of growing depth against the implicit model (Tables 3-4)."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    rows = data["unfolded"]
    depths = sorted(map(int, rows))
    psnr = [rows[str(depth)]["psnr"] for depth in depths]
    memory = [rows[str(depth)]["memory"] for depth in depths]
    unfolded = COLOURS["explicit"]
    label = "unfolded HQS, own weights in each block"
    axes[0].plot(depths, psnr, "o-", color=unfolded, label=label)
    axes[1].plot(depths, memory, "o-", color=unfolded, label="unfolded HQS")
    implicit = COLOUR_OF["hqs"]
    table = data["table"]
    axes[0].axhline(table["hqs"]["psnr"], color=implicit, label="implicit HQS, one block")
    axes[0].axhline(
        table["explicit"]["psnr"], color=COLOURS["bound"], ls=":", label="the denoiser once"
    )
    label = "implicit, any number of iterations"
    axes[1].axhline(data["memory"]["implicit"], color=implicit, label=label)
    ticks = [f"{depth}\n{rows[str(depth)]['parameters'] / 1e6:.1f} M" for depth in depths]
    for axis in axes:
        axis.set(xscale="log", xlabel="depth")
        axis.set_xticks(depths, ticks)
        axis.minorticks_off()
        axis.legend()
    axes[0].set(ylabel="test PSNR (dB)", title="Depth and weights against iterations")
    axes[1].set(
        ylabel="kept for the backward pass (MB)",
        ylim=(0, None),
        title="Training memory for one 64 x 64 image",
    )
    return figure


def solvers(data: Data) -> Figure:
    """Residual and PSNR against evaluations of G, for the solvers at test time."""
    figure, axes = plt.subplots(2, 2, figsize=(11, 6.4), sharex=True)
    for (left, right), name in zip(axes, IMPLICIT, strict=True):
        _solvers_of(left, right, data["solvers"][name])
        left.set(ylabel=f"{NAME_OF[name]}\nlargest relative residual")
        right.set(ylabel="PSNR (dB)")
        right.legend()
    for axis in axes[1]:
        axis.set(xlabel="evaluations of G")
    return figure


def _solvers_of(left: Axes, right: Axes, curves: Data) -> None:
    colours = {"Picard": SEQUENCE[2], "Anderson": SEQUENCE[5], "Broyden": SEQUENCE[9]}
    for method, colour in colours.items():
        curve = curves[method]
        evaluations = range(1, len(curve["residual"]) + 1)
        left.semilogy(evaluations, curve["residual"], color=colour, label=method)
        right.plot(curve["evaluations"], curve["psnr"], "o-", ms=4, color=colour, label=method)
