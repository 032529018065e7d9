"""Drawings of notebook 01: each takes what a results file holds and returns a figure.

`sketch`      the idea: how far each step still moves
`reciprocal`  residuals, iterates, slopes and iterations of the operators made for 1/x
`theorems`    Fig. 1, sufficiency, necessity, the edge of the theory, steps of a reader's own
`learned`     the learned toy
`by_hand`     HTML with sliders over t and eta
`tables`      rows as Markdown
"""

from equilibria.companion.figures.markdown import markdown
from equilibria.companion.figures.one_over_x.by_hand import by_hand
from equilibria.companion.figures.one_over_x.learned import broken_toy, toy, toy_answers
from equilibria.companion.figures.one_over_x.reciprocal import (
    curves,
    iterations,
    operator_slopes,
    residuals,
    steepness,
)
from equilibria.companion.figures.one_over_x.sketch import moves
from equilibria.companion.figures.one_over_x.theorems import (
    attempts,
    conceptual,
    limit,
    necessity,
    steps,
    sufficiency,
)

__all__ = [
    "attempts",
    "broken_toy",
    "by_hand",
    "conceptual",
    "curves",
    "iterations",
    "limit",
    "markdown",
    "moves",
    "necessity",
    "operator_slopes",
    "residuals",
    "steepness",
    "steps",
    "sufficiency",
    "toy",
    "toy_answers",
]
