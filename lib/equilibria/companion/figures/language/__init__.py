"""Figures of notebook 05: reasoning with a looped transformer.

Each function takes the dict of the notebook's results file and returns a figure. `pair_table` gives
a table in Markdown; `answered` and `text_box` ask the model a story that a reader typed.
"""

from equilibria.companion.figures.language.loops import contraction
from equilibria.companion.figures.language.reasoning import (
    broken,
    explicit,
    flips,
    loops_to_answer,
    reasoning_along_t,
)
from equilibria.companion.figures.language.stories import (
    pair_table,
    stories_along_t,
    stories_at_rest,
    stories_explicit,
    stories_ratio,
)
from equilibria.companion.figures.language.story_box import answered, text_box

__all__ = [
    "answered",
    "broken",
    "contraction",
    "explicit",
    "flips",
    "loops_to_answer",
    "pair_table",
    "reasoning_along_t",
    "stories_along_t",
    "stories_at_rest",
    "stories_explicit",
    "stories_ratio",
    "text_box",
]
