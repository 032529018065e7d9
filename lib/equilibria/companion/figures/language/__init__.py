"""Figures of notebook 05: reasoning with a looped transformer.

Each function takes the dict of the notebook's results file and returns a figure, whose label is its
alternative text. `pair_table`, `parts_table` and `ratio_table` give tables in Markdown; `answered`
and `show_story` ask the model a story that a reader typed.
"""

from equilibria.companion.figures.language.loops import at_rest, explicit, steep_and_right
from equilibria.companion.figures.language.reasoning import (
    broken,
    dots,
    flips,
    loops_to_answer,
    reasoning_along_t,
)
from equilibria.companion.figures.language.stories import (
    pair_table,
    parts_table,
    ratio_table,
    stories_along_t,
    stories_ratio,
)
from equilibria.companion.figures.language.story_box import answered, show_story

__all__ = [
    "answered",
    "at_rest",
    "broken",
    "dots",
    "explicit",
    "flips",
    "loops_to_answer",
    "pair_table",
    "parts_table",
    "ratio_table",
    "reasoning_along_t",
    "show_story",
    "steep_and_right",
    "stories_along_t",
    "stories_ratio",
]
