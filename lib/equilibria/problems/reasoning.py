"""Questions whose answer takes as many dependent steps as they are long.

===============  ===================================  ==============================
task             tokens                               answer at each position
===============  ===================================  ==============================
running sums     begin, s_1, ..., s_n                 (s_1 + ... + s_i) mod m
pointer chasing  begin, the pairs of a permutation p  p(a), p(p(a)), ..., one at
                 in random order, a start a, hops     each hop token
===============  ===================================  ==============================

Running sums of modulus m = 2 are running parity. Changing one symbol of a parity changes every
later answer, so the target's discrete Lipschitz constant is n. The tasks are our own; the paper
has none whose constant is known. Everything is drawn from a seed or a generator.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equilibria.checks import is_int, require

__all__ = ["IGNORED", "Questions", "pointer_chasing", "running_sums"]

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
    Raises ValueError for count or length below 1, or a modulus below 2.

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


def pointer_chasing(
    count: int, size: int, hops: int, *, joint: bool = True, generator: torch.Generator | int
) -> Questions:
    """``count`` random permutations of ``size`` symbols, then a start and ``hops`` hop tokens.

    The tokens are the symbols 0..size-1, begin = size, hop = size + 1 and, from size + 2 on, the
    joint pairs. joint: whether a pair (source, target) is one token; otherwise it is two, one
    after the other. ``generator`` may be a seed.
    Raises ValueError for count or hops below 1, or a size below 2.
    """
    _require_least(1, count=count, hops=hops)
    _require_least(2, size=size)
    generator = _generator(generator)
    targets = torch.rand(count, size, generator=generator).argsort(1)  # p(0), ..., p(size - 1)
    sources = torch.rand(count, size, generator=generator).argsort(1)  # the order of the pairs
    goals = targets.gather(1, sources)
    if joint:
        pairs = size + 2 + sources * size + goals
    else:
        pairs = torch.stack([sources, goals], 2).flatten(1)
    start = torch.randint(size, (count, 1), generator=generator)
    reached = start
    answers = [start.new_full((count, pairs.shape[1] + 2), IGNORED)]
    for _ in range(hops):
        reached = targets.gather(1, reached)
        answers.append(reached)
    begin = start.new_full((count, 1), size)
    hop_tokens = start.new_full((count, hops), size + 1)
    vocabulary = size + 2
    if joint:
        vocabulary += size**2
    tokens = torch.cat([begin, pairs, start, hop_tokens], 1)
    return Questions(tokens, torch.cat(answers, 1), vocabulary)


def _generator(generator: torch.Generator | int) -> torch.Generator:
    if isinstance(generator, torch.Generator):
        return generator
    _require_least(0, generator=generator)
    return torch.Generator().manual_seed(generator)


def _require_least(bound: int, **values: int) -> None:
    for name, value in values.items():
        valid = is_int(value) and value >= bound
        require(valid, name, value, f"an int of at least {bound}")
