"""Word senses: what is trained, and what is measured."""

from equilibria.studies.language.senses.measures import (
    AnswerScores,
    PairScores,
    answer_question,
    answer_scores,
    answers,
    answers_with_loops,
    exits,
    pair_scores,
    prompt_tokens,
    prompts_of_one_length,
    same_answer_share,
)
from equilibria.studies.language.senses.records import TIMES, scores_along_t
from equilibria.studies.language.senses.tasks import MEAN_DEPTH, NAMES, new, split, vocabulary
from equilibria.studies.language.senses.training import Lessons, lognormal_poisson, senses_loss

__all__ = [
    "MEAN_DEPTH",
    "NAMES",
    "TIMES",
    "AnswerScores",
    "Lessons",
    "PairScores",
    "answer_question",
    "answer_scores",
    "answers",
    "answers_with_loops",
    "exits",
    "lognormal_poisson",
    "new",
    "pair_scores",
    "prompt_tokens",
    "prompts_of_one_length",
    "same_answer_share",
    "scores_along_t",
    "senses_loss",
    "split",
    "vocabulary",
]
