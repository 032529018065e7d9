"""How right the answers are along t."""

from __future__ import annotations

from collections.abc import Sequence

from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.problems.stories import Stories
from equilibria.studies.stories.model import answers_along_t

__all__ = ["right_along_t"]


def right_along_t(
    model: LoopedTransformer, stories: Stories, times: Sequence[int]
) -> dict[str, list[float]]:
    """At each t in ``times``: the share of right ``last`` answers, and of ``all`` answers.

    Raises ValueError for times that do not rise from 1 on.
    """
    truth = stories.answers[:, -stories.length :]
    right = (answers_along_t(model, stories, times) == truth).double()  # (times, B, n)
    return {"last": right[:, :, -1].mean(1).tolist(), "all": right.mean((1, 2)).tolist()}
