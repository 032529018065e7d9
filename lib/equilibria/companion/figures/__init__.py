"""One style for all figures, and the only way to save one.

The drawing functions of a case live in a module of their own, such as ``figures.one_over_x``. Each
takes the dict that was read from a results file and returns a matplotlib figure; it computes
nothing. A colour means the same in every figure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import matplotlib.pyplot as plt
import seaborn  # type: ignore[import-untyped]  # seaborn ships no types
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equilibria.companion.results import Run
from equilibria.files import write_with

__all__ = ["COLOURS", "SEQUENCE", "iterations", "save", "style"]

# The colour-blind safe palette of Okabe and Ito, as seaborn carries it.
SEQUENCE: list[str] = seaborn.color_palette("colorblind").as_hex()
COLOURS = {
    "implicit": SEQUENCE[0],  # blue
    "explicit": SEQUENCE[3],  # vermilion
    "bound": SEQUENCE[7],  # grey: theory, closed forms, bounds
    "closed_form": "#000000",
    "published": SEQUENCE[2],  # green: the paper's own numbers
    "naive": SEQUENCE[1],  # orange
}
_DPI = 150


def style() -> None:
    """Set matplotlib's defaults for this project; call it before the first figure is drawn."""
    seaborn.set_theme(
        context="notebook",
        style="ticks",
        palette="colorblind",
        rc={
            "figure.constrained_layout.use": True,
            "figure.dpi": 100,
            "savefig.dpi": _DPI,
            "axes.spines.right": False,
            "axes.spines.top": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "axes.titlesize": "medium",
            "legend.frameon": False,
            "legend.fontsize": "small",
            "axes.prop_cycle": cycler(color=SEQUENCE),
        },
    )


def iterations(
    axis: Axes, ticks: Iterable[int], *, last: float = math.inf, label: str = "iteration t"
) -> None:
    """Make the x axis one of iterations: logarithmic, with those ``ticks`` that are <= ``last``."""
    shown = [t for t in ticks if t <= last]
    axis.set(xscale="log", xlabel=label)
    axis.set_xticks(shown, [str(t) for t in shown])
    axis.minorticks_off()


def save(run: Run, figure: Figure, name: str, *, source: str = "results") -> Path:
    """Write ``<name>.png`` into the run's folder; the file's metadata name notebook and profile.

    A figure's label, ``figure.set_label``, is its alternative text. Where there is one it is
    written into the file, and a notebook shows the file with it instead of the figure.

    A figure is drawn from saved results only: raises FileNotFoundError where ``<source>.json`` is
    missing.
    """
    if not (run.folder / f"{source}.json").is_file():
        raise FileNotFoundError(
            f"figure {name!r}: save {source}.json first, then draw from run.load({source!r})"
        )
    words = str(figure.get_label())

    def write(path: Path) -> None:
        # Without the name of the software, the same figure has the same bytes.
        metadata = {"Software": None, "Source": f"{run.notebook}, profile {run.profile}"}
        if words:
            metadata["Description"] = words
        figure.savefig(path, format="png", dpi=_DPI, metadata=metadata)

    path = write_with(run.folder / f"{name}.png", write)
    if words:
        _show(path, figure, words)
    return path


def _show(path: Path, figure: Figure, words: str) -> None:
    """In a notebook, show the saved picture with its alternative text."""
    from IPython import get_ipython
    from IPython.display import Image, display

    plt.close(figure)
    if get_ipython() is not None:
        width = round(100 * figure.get_size_inches()[0])
        display(Image(path, alt=words, width=width))  # type: ignore[no-untyped-call]
