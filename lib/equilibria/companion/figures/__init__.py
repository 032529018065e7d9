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
from matplotlib.layout_engine import ConstrainedLayoutEngine

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
FOOTER_INCHES = 0.2  # kept free below the axes


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
    """Write ``<name>.png`` into the run's folder, with a footer that names notebook and profile.

    A figure's label, ``figure.set_label``, is its alternative text. Where there is one, label and
    footer go into the file as its Description and Source, nothing is written over the picture, and
    a notebook shows the file with its alternative text in place of the figure.

    A figure is drawn from saved results only: raises FileNotFoundError where ``<source>.json`` is
    missing. Raises TypeError for a layout other than matplotlib's constrained layout.
    """
    if not (run.folder / f"{source}.json").is_file():
        raise FileNotFoundError(
            f"figure {name!r}: save {source}.json first, then draw from run.load({source!r})"
        )
    words = str(figure.get_label())
    made_by = f"{run.notebook}, profile {run.profile}"
    # Without the name of the software, the same figure has the same bytes.
    metadata: dict[str, str | None] = {"Software": None}
    if words:
        metadata |= {"Description": words, "Source": made_by}
    else:
        _add_footer(figure, made_by)

    def write(path: Path) -> None:
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


def _add_footer(figure: Figure, text: str) -> None:
    """Write ``text`` at the bottom right, in a strip that the axes leave free."""
    height = FOOTER_INCHES / figure.get_size_inches()[1]  # as a fraction of the figure
    if figure.get_layout_engine() is None:
        figure.set_layout_engine("constrained")
    engine = figure.get_layout_engine()
    if not isinstance(engine, ConstrainedLayoutEngine):
        raise TypeError(f"the figure must have the constrained layout, got {engine!r}")
    engine.set(rect=(0, height, 1, 1 - height))
    figure.text(0.995, 0.01, text, ha="right", va="bottom", fontsize=7, color="#666666")
