"""Figures of notebook 02: deblurring (paper Figs. 2-3, Tables 3-4). Each takes the dict of its results file, pictures as
PNG in base64 (`images.to_png`).
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from equilibria.companion.figures import COLOURS, SEQUENCE, iterations
from equilibria.problems.images import from_png

__all__ = [
    "depth",
    "details",
    "far_beyond",
    "measurements",
    "own_photo",
    "quality",
    "regularity",
    "restorations",
    "robustness",
    "solvers",
    "steepness",
]

_TICKS = (1, 2, 4, 8, 16, 32, 64, 128, 300)
NAMES = {"explicit": "explicit", "pgd": "implicit PGD", "hqs": "implicit HQS"}
MODELS = {"explicit": COLOURS["explicit"], "pgd": SEQUENCE[4], "hqs": COLOURS["implicit"]}


def _picture(axis, pixels, title="", size="small") -> None:
    axis.imshow(from_png(pixels) if isinstance(pixels, str) else pixels, interpolation="nearest")
    axis.set_title(title, fontsize=size)
    axis.set_axis_off()


def measurements(data: dict) -> Figure:
    """The kernel, the size of its Fourier symbol, and what it does to three photographs."""
    figure, axes = plt.subplots(2, 4, figsize=(11, 5.8))
    axes[0, 0].imshow(data["kernel"], cmap="gray_r")
    axes[0, 0].set_title(
        f"kernel of A, {len(data['kernel'])} x {len(data['kernel'])}", fontsize="small"
    )
    image = axes[1, 0].imshow(data["symbol"], cmap="viridis", vmin=-2.5, vmax=0)
    axes[1, 0].set_title("log10 |K| by frequency", fontsize="small")
    figure.colorbar(image, ax=axes[1, 0], shrink=0.8)
    for axis in axes[:, 0]:
        axis.set(xticks=[], yticks=[])
    for column, row in zip(axes.T[1:], data["pictures"].values()):
        _picture(column[0], row["truth"], "photograph y")
        _picture(column[1], row["x"], f"measured x, {row['psnr']['x']:.1f} dB")
    figure.suptitle(
        "x = A y + n: dark frequencies of K are lost, and no linear inverse brings them back"
    )
    return figure


def quality(data: dict) -> Figure:
    """PSNR per held-out image, implicit against explicit, and the means over seeds beside the published ones."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.4), width_ratios=[1.25, 1])
    axis, table = axes[0], data["table"]
    explicit = np.asarray(data["per_image"]["explicit"])
    for name in ("pgd", "hqs"):
        gain = np.asarray(data["per_image"][name]) - explicit
        axis.hist(
            gain,
            bins=30,
            color=MODELS[name],
            alpha=0.6,
            label=f"{NAMES[name]}: mean gain {gain.mean():.2f} dB",
        )
    axis.axvline(0, color=COLOURS["closed_form"], lw=1)
    axis.set(
        xlabel="PSNR over that of the explicit network (dB)",
        ylabel="images",
        title=f"{len(explicit)} held-out crops of BSDS500, seed 0",
    )
    axis.legend()
    axis = axes[1]
    for place, name in enumerate(NAMES):
        row = table[name]
        axis.bar(place, row["psnr"], 0.6, yerr=row["spread"] or 0, capsize=5, color=MODELS[name])
        axis.text(
            place,
            row["psnr"] - 0.5,
            f"{row['psnr']:.2f}",
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
            label="published (32.6 M weights)" if place == 0 else None,
        )
    axis.axhline(
        data["blurred"], color=COLOURS["bound"], ls=":", lw=1.2, label="the measurement x itself"
    )
    low = data["blurred"] - 0.8
    axis.set(
        xticks=range(len(NAMES)),
        ylim=(low, max(row["published"] for row in (table[n] for n in NAMES)) + 1.4),
        ylabel="test PSNR (dB)",
        title=f"mean over {data['table']['hqs']['seeds']} seeds, {data['table']['hqs']['parameters'] / 1e6:.2f} M weights each",
    )
    axis.set_xticklabels([NAMES[n] for n in NAMES])
    axis.legend(loc="upper left")
    return figure


def restorations(data: dict) -> Figure:
    """Truth, measurement and the three answers, for three photographs (Fig. 3)."""
    order = ("truth", "x", "explicit", "pgd", "hqs")
    figure, axes = plt.subplots(
        len(data["pictures"]), len(order), figsize=(12.5, 2.75 * len(data["pictures"]))
    )
    for row, (name, picture) in zip(axes, data["pictures"].items()):
        for axis, which in zip(row, order):
            title = {"truth": name.replace("_left", ""), "x": "measured"}.get(which) or NAMES[which]
            _picture(
                axis,
                picture[which],
                title if which == "truth" else f"{title}, {picture['psnr'][which]:.2f} dB",
            )
        row[0].add_patch(
            Rectangle(
                (picture["zoom"][1] - 0.5, picture["zoom"][0] - 0.5),
                40,
                40,
                fill=False,
                color="#ffdd00",
                lw=1.2,
            )
        )
    return figure


def details(data: dict) -> Figure:
    """The marked 40 x 40 pixels of each photograph, enlarged."""
    order = ("truth", "x", "explicit", "pgd", "hqs")
    figure, axes = plt.subplots(
        len(data["pictures"]), len(order), figsize=(12.5, 2.6 * len(data["pictures"]))
    )
    for place, (row, picture) in enumerate(zip(axes, data["pictures"].values())):
        top, left = picture["zoom"]
        for axis, which in zip(row, order):
            title = {"truth": "photograph", "x": "measured"}.get(which) or NAMES[which]
            _picture(
                axis,
                from_png(picture[which])[top : top + 40, left : left + 40],
                title if place == 0 else "",
            )
    return figure


def steepness(data: dict) -> Figure:
    """Fig. 2: L_t by the paper's protocol, the true local constant beside it, and PSNR, against t."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2))
    for name in ("pgd", "hqs"):
        row, local = data["along_t"][name], data["local"][name]
        t = range(1, len(row["lipschitz"]) + 1)
        axes[0].plot(
            t,
            row["lipschitz"],
            color=MODELS[name],
            lw=2,
            label=f"{NAMES[name]}: L_t, the paper's protocol",
        )
        axes[0].plot(
            local["t"],
            local["value"],
            color=MODELS[name],
            ls="--",
            marker="o",
            ms=4,
            label=f"{NAMES[name]}: |dy_t/dx|, true local constant",
        )
        mean, std = np.asarray(row["psnr_mean"]), np.asarray(row["psnr_std"])
        axes[1].plot(t, mean, color=MODELS[name], lw=2, label=NAMES[name])
        axes[1].fill_between(t, mean - std, mean + std, color=MODELS[name], alpha=0.15, lw=0)
    for axis in axes:
        iterations(axis, _TICKS, last=len(row["lipschitz"]))
    axes[0].set(
        ylabel="Lipschitz constant", ylim=(0, None), title="y_t becomes steeper, then settles"
    )
    axes[1].set(ylabel="PSNR (dB)", title="while the answer becomes right (band: one std)")
    axes[0].legend(loc="upper left", fontsize="x-small")
    axes[0].set_ylim(0, 1.5 * axes[0].get_ylim()[1])  # room for the legend
    axes[1].legend(loc="lower right")
    return figure


def far_beyond(data: dict) -> Figure:
    """PSNR far beyond the iterations of training, and PGD trained without an equilibrium."""
    figure, axis = plt.subplots(figsize=(7.2, 4.2))
    for name, colour, label in (
        ("hqs", MODELS["hqs"], NAMES["hqs"]),
        ("pgd", MODELS["pgd"], NAMES["pgd"]),
        ("unrolled-pgd", COLOURS["naive"], "PGD, trained by unrolling 10 iterations"),
    ):
        axis.plot(
            range(1, len(data["far"][name]) + 1), data["far"][name], color=colour, label=label
        )
    axis.axvline(10, color=COLOURS["bound"], ls="--", lw=1)
    axis.text(
        10.4,
        0.95,
        "unrolled depth",
        transform=axis.get_xaxis_transform(),
        fontsize=8,
        color="#555555",
    )
    iterations(axis, _TICKS, last=len(data["far"]["hqs"]))
    axis.set(
        ylabel="PSNR (dB)",
        ylim=(min(min(data["far"][name]) for name in ("pgd", "hqs")) - 8, None),
        title="An equilibrium stays; broken on purpose, it does not",
    )
    axis.legend(loc="lower left")
    return figure


def regularity(data: dict) -> Figure:
    """Modulus of the learned operators and of their parts at the equilibrium, per image."""
    figure, axis = plt.subplots(figsize=(7.2, 4))
    for name in ("pgd", "hqs"):
        rows = data["regularity"][name]
        axis.plot(
            range(1, len(rows["mu"]) + 1),
            rows["mu"],
            "o-",
            color=MODELS[name],
            label=f"{NAMES[name]}: mu, |dG/dy| at y*",
        )
        axis.plot(
            range(1, len(rows["rate"]) + 1),
            rows["rate"],
            "s:",
            color=MODELS[name],
            mfc="none",
            label=f"{NAMES[name]}: observed rate of convergence",
        )
    axis.axhline(1, color=COLOURS["closed_form"], lw=1)
    axis.set(
        xlabel="photograph",
        ylabel="contraction modulus",
        xticks=range(1, len(rows["mu"]) + 1),
        title="Below 1: a contraction where the answer lies",
    )
    axis.legend()
    return figure


def depth(data: dict) -> Figure:
    """Unfolded networks of growing depth against the implicit model (Tables 3-4)."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4))
    rows = data["unfolded"]
    depths = sorted(map(int, rows))
    axes[0].plot(
        depths,
        [rows[str(d)]["psnr"] for d in depths],
        "o-",
        color=COLOURS["explicit"],
        label="unfolded HQS, own weights in each block",
    )
    axes[1].plot(
        depths,
        [rows[str(d)]["memory"] for d in depths],
        "o-",
        color=COLOURS["explicit"],
        label="unfolded HQS",
    )
    axes[0].axhline(
        data["table"]["hqs"]["psnr"], color=MODELS["hqs"], label="implicit HQS, one block"
    )
    axes[0].axhline(
        data["table"]["explicit"]["psnr"], color=COLOURS["bound"], ls=":", label="the denoiser once"
    )
    axes[1].axhline(
        data["memory"]["implicit"], color=MODELS["hqs"], label="implicit, any number of iterations"
    )
    for axis in axes:
        axis.set(xscale="log", xlabel="depth")
        axis.set_xticks(depths, [f"{d}\n{rows[str(d)]['parameters'] / 1e6:.1f} M" for d in depths])
        axis.minorticks_off()
        axis.legend()
    axes[0].set(ylabel="test PSNR (dB)", title="Depth and weights against iterations")
    axes[1].set(
        ylabel="kept for the backward pass (MB)",
        ylim=(0, None),
        title="Training memory for one 64 x 64 image",
    )
    return figure


def solvers(data: dict) -> Figure:
    """Residual and PSNR against evaluations of G, for the solvers at test time."""
    figure, axes = plt.subplots(2, 2, figsize=(11, 6.4), sharex=True)
    for row, name in zip(axes, ("pgd", "hqs")):
        for method, colour in (
            ("Picard", SEQUENCE[2]),
            ("Anderson", SEQUENCE[5]),
            ("Broyden", SEQUENCE[9]),
        ):
            found = data["solvers"][name][method]
            row[0].semilogy(
                range(1, len(found["residual"]) + 1), found["residual"], color=colour, label=method
            )
            row[1].plot(found["evaluations"], found["psnr"], "o-", ms=4, color=colour, label=method)
        row[0].set(ylabel=f"{NAMES[name]}\nlargest relative residual")
        row[1].set(ylabel="PSNR (dB)")
        row[1].legend()
    for axis in axes[1]:
        axis.set(xlabel="evaluations of G")
    return figure


def robustness(data: dict) -> Figure:
    """PSNR for noise levels and kernels that training did not have."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), width_ratios=[1.2, 1])
    rows = data["robustness"]
    for name in NAMES:
        axes[0].plot(
            rows["noise"]["levels"],
            rows["noise"][name],
            "o-",
            color=MODELS[name],
            label=NAMES[name],
        )
    axes[0].axvline(data["noise"], color=COLOURS["bound"], ls="--", lw=1)
    axes[0].text(
        data["noise"],
        0.02,
        " trained here",
        transform=axes[0].get_xaxis_transform(),
        fontsize=8,
        color="#555555",
    )
    axes[0].set(xlabel="noise level", ylabel="PSNR (dB)", title="Another noise level")
    axes[0].legend()
    kernels = rows["kernels"]["names"]
    for offset, name in zip((-0.27, 0, 0.27), NAMES):
        axes[1].bar(
            [i + offset for i in range(len(kernels))],
            rows["kernels"][name],
            0.25,
            color=MODELS[name],
            label=NAMES[name],
        )
    axes[1].hlines(
        rows["kernels"]["x"],
        [i - 0.4 for i in range(len(kernels))],
        [i + 0.4 for i in range(len(kernels))],
        color=COLOURS["closed_form"],
        label="the measurement x",
    )
    axes[1].set_xticks(range(len(kernels)), kernels)
    axes[1].legend(handles=axes[1].collections, loc="upper left")
    axes[1].set(
        ylim=(
            min(min(rows["kernels"][name]) for name in (*NAMES, "x")) - 1,
            max(max(rows["kernels"][name]) for name in NAMES) + 2,
        ),
        title="Another kernel, told to A but not retrained",
    )
    return figure


def own_photo(photo, x, y, title: str) -> Figure:
    """Any photograph: as it is, blurred, deblurred."""
    rows, columns, _ = from_png(photo).shape
    figure, axes = plt.subplots(1, 3, figsize=(12.5, 12.5 / 3 * rows / columns + 0.6))
    for axis, pixels, name in zip(axes, (photo, x, y), ("photograph", "measured", title)):
        _picture(axis, pixels, name)
    return figure
