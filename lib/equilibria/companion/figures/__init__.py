"""One style for every figure, and the only way to save one.

Each drawing function lives in the module of its case (``figures.one_over_x``, ``figures.linear_programs``), takes the dict read
from the results file and returns a matplotlib figure; it computes nothing. Colours mean the same in every figure.
"""

import math
from collections.abc import Iterable
from pathlib import Path

import matplotlib
import matplotlib.figure
import seaborn

from equilibria.companion.results import Run

__all__ = ["COLOURS", "SEQUENCE", "iterations", "save", "style"]

# The colour-blind safe palette of Okabe and Ito, as seaborn carries it.
SEQUENCE = seaborn.color_palette("colorblind").as_hex()
COLOURS = {
    "implicit": SEQUENCE[0],  # blue
    "explicit": SEQUENCE[3],  # vermilion
    "bound": SEQUENCE[7],  # grey: theory, closed forms, bounds
    "closed_form": "#000000",
    "published": SEQUENCE[2],  # green: the paper's own numbers
    "naive": SEQUENCE[1],  # orange
}


def style() -> None:
    """Set matplotlib's defaults for this project; call it before the first figure is drawn."""
    seaborn.set_theme(
        context="notebook",
        style="ticks",
        palette="colorblind",
        rc={
            "figure.constrained_layout.use": True,
            "figure.dpi": 100,
            "savefig.dpi": 150,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "axes.titlesize": "medium",
            "legend.frameon": False,
            "legend.fontsize": "small",
            "axes.prop_cycle": matplotlib.cycler(color=SEQUENCE),
        },
    )


def iterations(
    axis, ticks: Iterable[int], *, last: float = math.inf, label: str = "iteration t"
) -> None:
    """A logarithmic x axis of iterations with these ticks, up to `last`, and no others."""
    ticks = [t for t in ticks if t <= last]
    axis.set(xscale="log", xlabel=label)
    axis.set_xticks(ticks, [str(t) for t in ticks])
    axis.minorticks_off()


def save(run: Run, figure: matplotlib.figure.Figure, name: str, *, source: str = "results") -> Path:
    """Write ``<name>.png`` into the run's folder, with a footer that says which notebook and profile made it.

    Raises ``FileNotFoundError`` where ``<source>.json`` is missing: a figure is drawn from saved results only.
    """
    if not (run.folder / f"{source}.json").is_file():
        raise FileNotFoundError(
            f"figure {name!r}: save {source}.json first, then draw from run.load({source!r})"
        )
    footer = 0.2 / figure.get_size_inches()[1]  # inches kept free below the axes
    if figure.get_layout_engine() is None:
        figure.set_layout_engine("constrained")
    figure.get_layout_engine().set(rect=(0, footer, 1, 1 - footer))
    figure.text(
        0.995,
        0.01,
        f"{run.notebook}, profile {run.profile}",
        ha="right",
        va="bottom",
        fontsize=7,
        color="#666666",
    )
    path = run.folder / f"{name}.png"
    part = path.with_name(f".{path.name}.partial")
    figure.savefig(part, format="png", dpi=150, metadata={"Software": None})
    part.replace(path)
    return path
