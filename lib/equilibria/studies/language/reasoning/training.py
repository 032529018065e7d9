"""Training of the reasoning tasks.

The length grows from 2 to 16 symbols, by one whenever 97 % of the last answers are right. A loop
makes as many iterations as there are symbols, and 0 to 3 more, all with gradient. Once 97 % are
right at full length, half of the steps begin with 16 to 48 iterations without gradient and grade
the next 8, so that an answer that was found has to stay.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.problems.reasoning import IGNORED, Questions
from equilibria.studies.language.reasoning.measures import accuracy_along_t
from equilibria.studies.language.reasoning.tasks import LONGEST, questions, validation_questions
from equilibria.training import parallel
from equilibria.training.visits import draw_int, graded_iterates, iterate_freely

__all__ = ["BATCH", "STEPS", "Curriculum", "reasoning_loss"]

BATCH = 64
STEPS = {"quick": {"parity": 20, "sums": 20}, "paper": {"parity": 3500, "sums": 4000}}
_MOST_EXTRA = 3  # iterations with gradient beyond the number of symbols
_MOST_FREE = 32  # free iterations beyond the number of symbols, at full length
_GRADED = 8  # iterations with gradient after the free ones
_VALIDATED = 64  # questions of each length in a validation
_MASTERED = 0.97  # share of right last answers from which a length counts as learned


def reasoning_loss(
    model: LoopedTransformer, asked: Questions, *, free: int, graded: int
) -> tuple[Tensor, Tensor]:
    """(cross-entropy over all answers, share of right last answers), from z_0 = 0.

    The state is that after ``free`` iterations without gradient and ``graded`` with gradient.
    """
    x = model.encode(asked.tokens)
    z = iterate_freely(model, model.start(x), x, free)
    for iterate in graded_iterates(model, z, x, graded):
        z = iterate
    logits = model.decode(z)
    loss = functional.cross_entropy(
        logits.flatten(0, 1), asked.answers.flatten(), ignore_index=IGNORED
    )
    right = logits[:, -1].argmax(-1) == asked.answers[:, -1]
    return loss, right.float().mean().detach()


class Curriculum:
    """Questions that grow longer as they are mastered.

    task, kind  such as "parity" and "once"; kind is "" for the loop
    steps       length of the training, which sets the pace of the explicit models
    device      where the model lies

    ``memory`` holds what must survive an interruption: the present ``length``, the running share
    of ``right`` last answers, and the steps ``spent`` at this length.
    """

    def __init__(self, task: str, kind: str, steps: int, device: str):
        self.task = task
        self.explicit = kind != ""
        self.steps = steps
        self.device = device
        self.longest = min(LONGEST, 2 + steps // 10)
        self.memory = {
            "length": torch.tensor(2),
            "right": torch.tensor(0.0),
            "spent": torch.tensor(0),
        }

    def loss(self, model: nn.Module, step: int, generator: torch.Generator) -> Tensor:
        """The loss of one training step; moves on to the next length when it is time."""
        length = int(self.memory["length"])
        asked = questions(self.task, BATCH, length, generator=generator)
        asked = Questions(
            parallel.rows(asked.tokens).to(self.device),
            parallel.rows(asked.answers).to(self.device),
            asked.vocabulary,
        )
        free, graded = self._depth(length, generator)
        looped = cast(LoopedTransformer, model)  # the loop of training knows modules only
        value, right = reasoning_loss(looped, asked, free=free, graded=graded)
        parallel.average([right])
        self._advance(length, right)
        return value

    def _depth(self, length: int, generator: torch.Generator) -> tuple[int, int]:
        """(iterations without gradient, iterations with gradient) of one step."""
        # all three are drawn at every step, so that the sequence of draws is always the same
        extra = draw_int(0, _MOST_EXTRA, generator)
        free = draw_int(0, _MOST_FREE, generator)
        long_visit = draw_int(0, 1, generator) == 1
        if self.explicit:
            return 0, 1
        if length == LONGEST and long_visit and bool(self.memory["right"] > _MASTERED):
            return length + free, _GRADED
        return 0, length + extra

    def _advance(self, length: int, right: Tensor) -> None:
        memory = self.memory
        memory["right"].lerp_(right.cpu(), 0.1)
        memory["spent"].add_(1)
        mastered = bool(memory["right"] > _MASTERED)
        # the explicit models move on in any case, so that they see every length
        time_is_up = self.explicit and bool(memory["spent"] > self.steps // (2 * LONGEST))
        if length < self.longest and (mastered or time_is_up):
            memory["length"].add_(1)
            memory["right"].fill_(0.5)
            memory["spent"].zero_()

    def validate(self, model: nn.Module) -> dict[str, float]:
        """The length reached, and the share of right last answers at 16 and 64 symbols.

        The questions are those of the validation, which no test asks.
        """
        looped = cast(LoopedTransformer, model)  # the loop of training knows modules only
        metrics: dict[str, float] = {"trained_length": int(self.memory["length"])}
        for n in (LONGEST, 4 * LONGEST):
            t = 1 if self.explicit else 2 * n
            asked = validation_questions(self.task, _VALIDATED, n)
            accuracy = accuracy_along_t(looped, asked, [t])
            metrics[f"right_at_{n}"] = accuracy["last"][0]
        return metrics
