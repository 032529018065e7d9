"""What is measured of a loop on the reasoning tasks: accuracy, steepness and early exit."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import TypedDict

import torch
from torch import Tensor

from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.problems.reasoning import Questions
from equilibria.studies.language.loops import device_of, latent_states, require_times

__all__ = [
    "Accuracy",
    "Flips",
    "accuracy_along_t",
    "flips_along_t",
    "lasting",
    "without_state_norm",
]


class Accuracy(TypedDict):
    """Shares of right answers, one entry per t: of the last answers, and of all answers."""

    last: list[float]
    all: list[float]


class Flips(TypedDict):
    """Answers that change with one symbol, one entry per t; the targets are single numbers."""

    mean: list[float]
    worst: list[float]
    target_mean: float
    target_worst: float


@torch.no_grad()
def accuracy_along_t(model: LoopedTransformer, asked: Questions, times: Sequence[int]) -> Accuracy:
    """Shares of right answers to the questions ``asked``, at each t in ``times``.

    Raises ValueError for times that do not rise from 1 on.
    """
    times = require_times(times)
    truth = asked.answers[:, 1:].to(device_of(model))
    x = model.encode(asked.tokens.to(device_of(model)))
    accuracy = Accuracy(last=[], all=[])
    for t, z in enumerate(latent_states(model, x, times[-1]), start=1):
        if t in times:
            right = model.decode(z)[:, 1:].argmax(-1) == truth
            accuracy["last"].append(right[:, -1].float().mean().item())
            accuracy["all"].append(right.float().mean().item())
    return accuracy


def lasting(times: Sequence[int], right: Sequence[float], *, share: float = 0.99) -> int | None:
    """The first of ``times`` from which on every entry of ``right`` is at least ``share``.

    None if the last entry is below it.

    >>> lasting([1, 2, 4, 8], [0.5, 1.0, 0.9, 1.0])
    8
    """
    first = None
    for t, value in zip(reversed(times), reversed(right), strict=True):
        if value < share:
            break
        first = t
    return first


@torch.no_grad()
def flips_along_t(model: LoopedTransformer, asked: Questions, times: Sequence[int]) -> Flips:
    """How many answers change when one input symbol changes, at each t in ``times``.

    This is a discrete Lipschitz constant of the map from symbols to answers, computed exactly. The
    questions ``asked`` are running sums modulo m; a symbol s changes to s + 1 modulo m.

    mean, worst                over the position of the changed symbol, then averaged over questions
    target_mean, target_worst  the same for the right answers
    """
    times = require_times(times)
    modulus = asked.vocabulary - 1  # one token begins the question
    count = len(asked.tokens)
    changed = _change_each_symbol(asked.tokens, modulus)  # (count, length, length + 1)
    tokens = torch.cat([asked.tokens, changed.flatten(0, 1)]).to(device_of(model))
    target_mean, target_worst = _mean_and_worst(tokens[:, 1:].cumsum(1) % modulus, count)
    flips = Flips(mean=[], worst=[], target_mean=target_mean, target_worst=target_worst)
    x = model.encode(tokens)
    for t, z in enumerate(latent_states(model, x, times[-1]), start=1):
        if t in times:
            mean, worst = _mean_and_worst(model.decode(z)[:, 1:].argmax(-1), count)
            flips["mean"].append(mean)
            flips["worst"].append(worst)
    return flips


def _change_each_symbol(tokens: Tensor, modulus: int) -> Tensor:
    """Each sequence (n + 1 tokens, the first one begin) with its i-th symbol changed, i = 1..n."""
    one_position = torch.eye(tokens.shape[1], dtype=torch.int64)[1:].bool()
    return torch.where(one_position, (tokens[:, None] + 1) % modulus, tokens[:, None])


def _mean_and_worst(answers: Tensor, count: int) -> tuple[float, float]:
    """Changed answers; the first ``count`` rows answer the questions, the others their changes."""
    length = answers.shape[1]
    before = answers[:count, None]
    after = answers[count:].view(count, length, length)
    changed = (before != after).sum(-1).double()  # (count, length)
    return changed.mean().item(), changed.amax(1).mean().item()


def without_state_norm(model: LoopedTransformer) -> LoopedTransformer:
    """A copy of a model whose norm after each iteration is switched off."""
    changed = copy.deepcopy(model)
    changed.architecture = dataclasses.replace(changed.architecture, state_norm=False)
    return changed
