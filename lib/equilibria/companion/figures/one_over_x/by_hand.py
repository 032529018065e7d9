"""Step size and iterations by hand: static panels, and sliders in their place in JupyterLab."""

import os
from typing import Any

import torch
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS
from equilibria.companion.figures.one_over_x.marks import Json
from equilibria.operators.reciprocal import closed_form

__all__ = ["panels", "slider"]


def panels(data: Json) -> Figure:
    """y_t for every step size and every t (`panels` of results.json)."""
    rows, columns = len(data["etas"]), len(data["times"])
    figure, axes = pyplot.subplots(
        rows,
        columns,
        figsize=(2.6 * columns, 2.3 * rows),
        sharex=True,
        sharey=True,
        squeeze=False,
    )
    for row, eta, iterates in zip(axes, data["etas"], data["iterates"], strict=True):
        for axis, t, y in zip(row, data["times"], iterates, strict=True):
            _one_panel(axis, data["x"], data["target"], y, eta=eta, t=t)
        row[0].set_ylabel("y")
    for axis in axes[-1]:
        axis.set_xlabel("x")
    axes[0, 0].legend()
    title = r"$y_t(x)$ over 1/x: a larger step $\eta$ needs fewer iterations t"
    figure.suptitle(title, fontsize="medium")
    return figure


def _one_panel(axis: Axes, x: Any, target: Any, y: Any, *, eta: float, t: int) -> None:
    """One y_t over 1/x; x, target and y are what matplotlib takes for numbers."""
    axis.plot(x, target, color=COLOURS["closed_form"], linestyle="--", linewidth=1, label="1/x")
    axis.plot(x, y, color=COLOURS["implicit"], label="$y_t$")
    axis.set(xscale="log", yscale="log", ylim=(0.05, 150), title=rf"$\eta$ = {eta:g}, t = {t}")
    axis.minorticks_off()  # twelve logarithmic panels are slow to draw with them


def slider(*, instead_of: Figure) -> bool:
    """Show sliders over t and eta in JupyterLab, and close the figure that they replace.

    Elsewhere nothing happens, so that a run without a reader shows the figure and stores no
    widget. Returns whether there are sliders.
    """
    # Jupyter servers set this variable in the kernels of notebooks; nothing else does.
    if "JPY_SESSION_NAME" not in os.environ:
        return False
    import ipywidgets  # type: ignore[import-untyped]  # it ships no types
    from IPython.display import display

    x = torch.logspace(-2, 0, 200, dtype=torch.float64)
    pyplot.close(instead_of)

    def draw(t: int, eta: float) -> None:
        _, axis = pyplot.subplots(figsize=(6, 4))
        _one_panel(axis, x, 1 / x, closed_form(x, t, eta), eta=eta, t=t)
        axis.set(xlabel="x", ylabel="y")
        axis.legend()
        pyplot.show()

    widget = ipywidgets.interactive(
        draw,
        t=ipywidgets.IntSlider(value=10, min=1, max=200, description="t"),
        eta=ipywidgets.FloatSlider(value=0.5, min=0.05, max=0.95, step=0.05, description="eta"),
    )
    display(widget)  # type: ignore[no-untyped-call]  # IPython does not annotate it
    return True
