"""Training of the word senses: the next token of the definition, from a random start state.

The number of iterations is drawn at every step, as Huginn's: lognormal-Poisson of mean 8, with
gradient through the last 4. Explicit models make one pass from z_0 = 0.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from equilibria import training
from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.problems.word_senses import Vocabulary
from equilibria.studies.language.senses.measures import answer_scores, answers
from equilibria.studies.language.senses.tasks import MEAN_DEPTH, split, vocabulary
from equilibria.training.visits import graded_iterates, iterate_freely

__all__ = ["BATCH", "STEPS", "VALIDATED", "Lessons", "lognormal_poisson", "senses_loss"]

BATCH = 32
STEPS = {"quick": 20, "paper": 1500}
VALIDATED = 64  # held-out questions in a validation
_GRADED = 4  # iterations with gradient
_DEEPEST = 48  # the most iterations of a training step


def senses_loss(
    model: LoopedTransformer,
    tokens: Tensor,
    is_answer: Tensor,
    start: Tensor,
    *,
    free: int,
    graded: int,
) -> Tensor:
    """Cross-entropy of the next token, where that token belongs to the answer.

    tokens        (B, n) question and answer
    is_answer     (B, n) bool: the tokens of the answer
    start         (B, n - 1, width) start state
    free, graded  iterations without and with gradient
    """
    x = model.encode(tokens[:, :-1])
    z = iterate_freely(model, start, x, free)
    for iterate in graded_iterates(model, z, x, graded):
        z = iterate
    next_is_answer = is_answer[:, 1:]
    logits = model.decode(z, next_is_answer)
    return functional.cross_entropy(logits, tokens[:, 1:][next_is_answer])


def lognormal_poisson(mean: float, generator: torch.Generator, *, spread: float = 0.5) -> int:
    """A random number of iterations of this mean: Huginn's depth in training.

    1 + Poisson(exp(tau)), where tau is normal with standard deviation ``spread`` and
    E exp(tau) = mean - 1 (Geiping et al. 2025).
    """
    normal = torch.randn((), generator=generator, dtype=torch.float64)
    tau = math.log(mean - 1) - spread**2 / 2 + spread * normal
    return 1 + int(torch.poisson(tau.exp(), generator=generator))


class Lessons:
    """Loss and validation of one training.

    kind    "" for the loop, "once" or "stack" for an explicit model
    seed    decides the order of the questions
    device  where the model lies
    """

    def __init__(self, kind: str, seed: int, device: str):
        self.explicit = kind != ""
        self.seed = seed
        self.device = device
        self.text, self.is_answer, self.ends = _training_texts()

    def loss(self, model: nn.Module, step: int, generator: torch.Generator) -> Tensor:
        """The loss of one training step."""
        looped = cast(LoopedTransformer, model)  # the loop of training knows modules only
        batch = training.minibatch(len(self.text), BATCH, seed=self.seed, step=step)
        longest = int(self.ends[batch].max())
        tokens = self.text[batch, :longest].to(self.device)
        is_answer = self.is_answer[batch, :longest].to(self.device)
        # depth and start are drawn for explicit models too: the order of the draws stays the same
        depth = min(lognormal_poisson(MEAN_DEPTH, generator), _DEEPEST)
        shape = (len(batch), longest - 1, looped.architecture.width)
        normal = torch.randn(shape, generator=generator).clamp(-3, 3)
        start = (normal * math.sqrt(2 / 5)).to(self.device)
        if self.explicit:
            start = torch.zeros_like(start)
            free, graded = 0, 1
        else:
            free, graded = max(depth - _GRADED, 0), min(depth, _GRADED)
        return senses_loss(looped, tokens, is_answer, start, free=free, graded=graded)

    def validate(self, model: nn.Module) -> dict[str, float]:
        """Word F1 and exact answers on some of the held-out phrasings."""
        looped = cast(LoopedTransformer, model)  # the loop of training knows modules only
        held_out = split().phrasing
        prompts = held_out[:: len(held_out) // VALIDATED]
        steps = 1 if self.explicit else 2 * MEAN_DEPTH
        scores = answer_scores(prompts, answers(looped, prompts, steps))
        return {"held_out_f1": scores["f1"], "held_out_exact": scores["exact"]}


def _training_texts() -> tuple[Tensor, Tensor, Tensor]:
    """(tokens (N, n), whether each belongs to the answer (N, n), lengths (N,)), padded."""
    rows: list[Tensor] = []
    question_lengths: list[int] = []
    for prompt in split().train:
        question = vocabulary().question(prompt.text)
        rows.append(torch.tensor(question + vocabulary().answer(prompt.sense.definition)))
        question_lengths.append(len(question))
    text = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=Vocabulary.PAD)
    place = torch.arange(text.shape[1])
    begins = torch.tensor(question_lengths)
    ends = torch.tensor([len(row) for row in rows])
    is_answer = (place >= begins[:, None]) & (place < ends[:, None])
    return text, is_answer, ends
