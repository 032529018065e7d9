"""Figures of notebook 05: reasoning with a looped transformer.

Each function takes the dict of the notebook's results file and returns a figure.
"""

from equilibria.companion.figures.language.loops import contraction, exits, paths, steepness
from equilibria.companion.figures.language.reasoning import (
    broken,
    explicit,
    flips,
    loops_to_answer,
    reasoning_along_t,
)

__all__ = [
    "broken",
    "contraction",
    "exits",
    "explicit",
    "flips",
    "loops_to_answer",
    "paths",
    "reasoning_along_t",
    "steepness",
]
