"""Figures of notebook 05: reasoning with a looped transformer (paper, Table 2, Figs. 8-9).

Each function takes the dict of the notebook's results file and returns a figure.
"""

from equilibria.companion.figures.language.loops import contraction, exits, steepness
from equilibria.companion.figures.language.reasoning import (
    broken,
    explicit,
    flips,
    loops_to_answer,
    reasoning_along_t,
)
from equilibria.companion.figures.language.senses import answers_along_t, pairs_along_t, paths

__all__ = [
    "answers_along_t",
    "broken",
    "contraction",
    "exits",
    "explicit",
    "flips",
    "loops_to_answer",
    "pairs_along_t",
    "paths",
    "reasoning_along_t",
    "steepness",
]
