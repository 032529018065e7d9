"""Questions whose answer takes as many dependent steps as they are long.

A question is a begin token and n symbols s_1, ..., s_n; the answer at symbol i is the running sum
(s_1 + ... + s_i) mod m.

Running sums of modulus m = 2 are running parity. Changing one symbol of a parity changes every
later answer, so the target's discrete Lipschitz constant is n. The task is our own; the paper
has none whose constant is known. Everything is drawn from a seed or a generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equilibria.checks import require_int

__all__ = ["IGNORED", "Questions", "running_sums"]

IGNORED = -100  # the answer where none is asked for; cross_entropy skips it by default


@dataclass(frozen=True)
class Questions:
    """Questions of one length with their answers.

    tokens      (B, L) int64, each below ``vocabulary``
    answers     (B, L) int64, IGNORED where no answer is asked for
    vocabulary  the number of tokens of the task
    """

    tokens: Tensor
    answers: Tensor
    vocabulary: int


def running_sums(
    count: int, length: int, *, modulus: int = 2, generator: torch.Generator | int
) -> Questions:
    """``count`` sequences of ``length`` random symbols, and their running sums.

    A begin token (= modulus) comes first, so that L = length + 1. ``generator`` may be a seed.
    Raises ValueError for count or length below 1, or a modulus below 2, and TypeError where one of
    them is no int.

    >>> questions = running_sums(1, 4, generator=1)
    >>> questions.tokens.tolist(), questions.answers.tolist()
    ([[2, 1, 1, 0, 0]], [[-100, 1, 0, 0, 0]])
    """
    _require_least(1, count=count, length=length)
    _require_least(2, modulus=modulus)
    symbols = torch.randint(modulus, (count, length), generator=_generator(generator))
    begin = symbols.new_full((count, 1), modulus)
    ignored = symbols.new_full((count, 1), IGNORED)
    tokens = torch.cat([begin, symbols], 1)
    answers = torch.cat([ignored, symbols.cumsum(1) % modulus], 1)
    return Questions(tokens, answers, modulus + 1)


def _generator(generator: torch.Generator | int) -> torch.Generator:
    if isinstance(generator, torch.Generator):
        return generator
    _require_least(0, generator=generator)
    return torch.Generator().manual_seed(generator)


def _require_least(bound: int, **values: int) -> None:
    for name, value in values.items():
        require_int(name, value, least=bound)
