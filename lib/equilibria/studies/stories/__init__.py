"""Stories in plain English: reasoning whose answers take loops (paper, section 5.4).

| name | model |
|---|---|
| `stories` | one small block in a loop over the sentences, z <- norm(block(z + x)), z_0 = 0 |
| `stories-once` | the same block, once |
| `stories-stack` | an untied stack as deep as the loop in training |

`problems.stories` has the language. Here `model` reads, loops and answers, `recipe` trains,
`measure` and `contrast` measure, `evaluation` asks finished models the test stories and records
what they do, and `summary` puts the records of all seeds side by side.
"""

from equilibria.studies.stories.contrast import (
    Pairs,
    contrast_pairs,
    pair_scores,
    pair_texts,
)
from equilibria.studies.stories.evaluation import (
    LENGTHS,
    answer_story,
    evaluate,
    evaluate_all,
    example,
    measure_stories,
    telling_pair,
)
from equilibria.studies.stories.measure import right_along_t
from equilibria.studies.stories.model import (
    LONGEST,
    RECORDS,
    STACK,
    answers_along_t,
    load,
    names,
    new,
    read,
    reports,
    seeds,
)
from equilibria.studies.stories.recipe import settings_of, train, validation_scores, visit
from equilibria.studies.stories.summary import recorded

__all__ = [
    "LENGTHS",
    "LONGEST",
    "RECORDS",
    "STACK",
    "Pairs",
    "answer_story",
    "answers_along_t",
    "contrast_pairs",
    "evaluate",
    "evaluate_all",
    "example",
    "load",
    "measure_stories",
    "names",
    "new",
    "pair_scores",
    "pair_texts",
    "read",
    "recorded",
    "reports",
    "right_along_t",
    "seeds",
    "settings_of",
    "telling_pair",
    "train",
    "validation_scores",
    "visit",
]
