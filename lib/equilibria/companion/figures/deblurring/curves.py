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
    """Fig. 2: L_t in the paper's five directions, the true local constant, and PSNR, against t."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2))
    for name in IMPLICIT:
        row, local = data["along_t"][name], data["local"][name]
        colour, label = COLOUR_OF[name], NAME_OF[name]
        t = range(1, len(row["lipschitz"]) + 1)
        axes[0].plot(
            t,
            row["lipschitz"],
            color=colour,
            lw=2,
            label=f"{label}: L_t, in the paper's directions",
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
    title = "How steep y_t is"
    axes[0].set(ylabel="Lipschitz constant", ylim=(0, None), title=title)
    axes[1].set(ylabel="PSNR (dB)", title="PSNR of y_t (band: one std)")
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
        title="Below 1 the operator contracts where the answer lies",
    )
    axis.legend()
    return figure


def depth(data: Data) -> Figure:
    """Quality against depth (Tables 3-4), and training memory against depth or iterations."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    _quality_by_depth(axes[0], data["unfolded"], data["table"])
    _memory(axes[1], data["unfolded"], data["memory"])
    return figure


def _quality_by_depth(axis: Axes, rows: Data, table: Data) -> None:
    depths = sorted(map(int, rows))
    psnr = [rows[str(depth)]["psnr"] for depth in depths]
    label = "unfolded HQS, own weights in each block"
    axis.plot(depths, psnr, "o-", color=COLOURS["explicit"], label=label)
    label = "implicit HQS, one block"
    axis.axhline(table["hqs"]["psnr"], color=COLOUR_OF["hqs"], label=label)
    label = "the denoiser once"
    axis.axhline(table["explicit"]["psnr"], color=COLOURS["bound"], ls=":", label=label)
    ticks = [f"{depth}\n{rows[str(depth)]['parameters'] / 1e6:.1f} M" for depth in depths]
    axis.set(xscale="log", xlabel="depth", ylabel="test PSNR (dB)")
    axis.set(title="Depth and weights against iterations")
    axis.set_xticks(depths, ticks)
    axis.minorticks_off()
    axis.legend()


def _memory(axis: Axes, rows: Data, memory: Data) -> None:
    depths = sorted(map(int, rows))
    kept = [rows[str(depth)]["memory"] for depth in depths]
    iterated = memory["iterations"]
    axis.plot(depths, kept, "o-", color=COLOURS["explicit"], label="unfolded HQS, by depth")
    label = "one block, by unrolling"
    axis.plot(iterated, memory["unrolled"], "s--", color=COLOURS["naive"], label=label)
    label = "one block, implicit adjoint"
    axis.plot(iterated, memory["implicit"], "s-", color=COLOUR_OF["hqs"], label=label)
    axis.set(xscale="log", yscale="log", xlabel="depth, or iterations t")
    axis.set(ylabel="kept for the backward pass (MB)")
    axis.set(title="Training memory for one 64 x 64 image")
    ticks = [*depths, *(t for t in iterated if t > max(depths, default=0))]
    axis.set_xticks(ticks, [str(tick) for tick in ticks])
    axis.minorticks_off()
    axis.legend()


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
