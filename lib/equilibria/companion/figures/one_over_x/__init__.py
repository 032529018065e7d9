"""Drawings of notebook 01: each takes what a results file holds and returns a figure.

`reciprocal`  residuals, iterates, slopes and iterations of the operators made for 1/x
`theorems`    Fig. 1, sufficiency, necessity, and the edge of the theory
`learned`     the learned toy
`by_hand`     static panels, and the sliders in their place; only `slider` computes
`tables`      rows as Markdown
"""

from equilibria.companion.figures.one_over_x.by_hand import panels, slider
from equilibria.companion.figures.one_over_x.learned import broken_toy, toy
from equilibria.companion.figures.one_over_x.reciprocal import (
    curves,
    iterations,
    operator_slopes,
    residuals,
    steepness,
)
from equilibria.companion.figures.one_over_x.tables import markdown
from equilibria.companion.figures.one_over_x.theorems import (
    conceptual,
    limit,
    necessity,
    sufficiency,
)

__all__ = [
    "broken_toy",
    "conceptual",
    "curves",
    "iterations",
    "limit",
    "markdown",
    "necessity",
    "operator_slopes",
    "panels",
    "residuals",
    "slider",
    "steepness",
    "sufficiency",
    "toy",
]
