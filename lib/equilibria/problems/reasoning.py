"""Questions whose answer takes as many dependent steps as they are long (paper, section 5.4: the tasks are our own).

| task | tokens | answer at each position |
|---|---|---|
| running sums | begin, s_1, ..., s_n, symbols 0..m-1 | (s_1 + ... + s_i) mod m; m = 2 is running parity |
| pointer chasing | begin, the pairs of a permutation p in random order, a start a, n hop tokens | p(a), p(p(a)), ..., one a hop |

Flipping one symbol of a parity changes every later answer: the target's discrete Lipschitz constant is n.
Everything is drawn from a seed or a generator; nothing is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["IGNORED", "Questions", "pointer_chasing", "running_sums"]

IGNORED = -100  # the answer where none is asked for; cross_entropy's own


@dataclass(frozen=True)
class Questions:
    """tokens, answers (B, L) int64, answers IGNORED where there is none; vocabulary: tokens lie below it."""

    tokens: Tensor
    answers: Tensor
    vocabulary: int


def running_sums(
    count: int, length: int, *, modulus: int = 2, generator: torch.Generator | int
) -> Questions:
    """`count` sequences of `length` symbols behind a begin token (= modulus), and their running sums; L = length + 1.

    Raises ValueError for count, length < 1 or modulus < 2.

    >>> questions = running_sums(1, 4, generator=1)
    >>> questions.tokens.tolist(), questions.answers.tolist()
    ([[2, 1, 1, 0, 0]], [[-100, 1, 0, 0, 0]])
    """
    _at_least(1, count=count, length=length)
    _at_least(2, modulus=modulus)
    symbols = torch.randint(modulus, (count, length), generator=_generator(generator))
    first = symbols.new_full((count, 1), modulus)
    return Questions(
        torch.cat([first, symbols], 1),
        torch.cat([first * 0 + IGNORED, symbols.cumsum(1) % modulus], 1),
        modulus + 1,
    )


def pointer_chasing(
    count: int, size: int, hops: int, *, joint: bool = True, generator: torch.Generator | int
) -> Questions:
    """`count` random permutations of `size` symbols, each followed by a start and `hops` hop tokens.

    joint: a pair (source, target) is one token; otherwise two, one after the other. Tokens: symbols 0..size-1, begin = size,
    hop = size + 1, and the joint pairs behind. Raises ValueError for count, hops < 1 or size < 2.
    """
    _at_least(1, count=count, hops=hops)
    _at_least(2, size=size)
    generator = _generator(generator)
    targets = torch.rand(count, size, generator=generator).argsort(1)  # p(0), ..., p(size - 1)
    sources = torch.rand(count, size, generator=generator).argsort(
        1
    )  # the order in which the pairs are given
    goals = targets.gather(1, sources)
    pairs = (
        size + 2 + sources * size + goals if joint else torch.stack([sources, goals], 2).flatten(1)
    )
    start = torch.randint(size, (count, 1), generator=generator)
    reached, answers = start, []
    for _ in range(hops):
        reached = targets.gather(1, reached)
        answers.append(reached)
    fill = lambda width, value: start.new_full((count, width), value)  # noqa: E731
    tokens = torch.cat([fill(1, size), pairs, start, fill(hops, size + 1)], 1)
    return Questions(
        tokens,
        torch.cat([fill(pairs.shape[1] + 2, IGNORED), *answers], 1),
        size + 2 + joint * size**2,
    )


def _generator(generator: torch.Generator | int) -> torch.Generator:
    if isinstance(generator, torch.Generator):
        return generator
    _at_least(0, generator=generator)
    return torch.Generator().manual_seed(generator)


def _at_least(bound: int, **values) -> None:
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < bound:
            raise ValueError(f"{name} must be an int of at least {bound}, got {value!r}")
