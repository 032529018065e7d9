"""Running parity and running sums: what is trained, and what is measured."""

from equilibria.studies.language.reasoning.measures import (
    accuracy_along_t,
    flips_along_t,
    lasting,
    without_state_norm,
)
from equilibria.studies.language.reasoning.records import (
    LENGTHS,
    accuracy_record,
    right_along_t,
    right_at,
)
from equilibria.studies.language.reasoning.summary import recorded
from equilibria.studies.language.reasoning.tasks import (
    LONGEST,
    NAMES,
    TASKS,
    new,
    questions,
    test_questions,
    validation_questions,
)
from equilibria.studies.language.reasoning.training import Curriculum, reasoning_loss

__all__ = [
    "LENGTHS",
    "LONGEST",
    "NAMES",
    "TASKS",
    "Curriculum",
    "accuracy_along_t",
    "accuracy_record",
    "flips_along_t",
    "lasting",
    "new",
    "questions",
    "reasoning_loss",
    "recorded",
    "right_along_t",
    "right_at",
    "test_questions",
    "validation_questions",
    "without_state_norm",
]
