"""Decoding with a looped transformer: greedy generation with a cache, and early exit.

Attention at loop step t looks at the keys and values of step t. So the cache holds one slot for
every application of a block: each prelude block, each core block at each step, each coda block.
With it, a new token costs one position of work instead of the whole sequence.

Early exit stops the loop of one sequence at |z_t - z_{t-1}| <= tol |z_t| (paper, section 5.4:
iterations as test-time compute). What a sequence computes does not depend on its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equilibria.checks import require, require_int
from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.operators.transformer_blocks import Architecture, Extend, Layout

__all__ = ["Generation", "KeyValueCache", "early_exit", "generate"]


@dataclass(frozen=True)
class Generation:
    """What `generate` returns.

    tokens  (B, m) int64: the new tokens; after the end token only end tokens follow
    steps   (B, m) int64: iterations spent on each of them
    """

    tokens: Tensor
    steps: Tensor


class KeyValueCache:
    """Keys and values of every token, for each application of a block.

    architecture, steps  of the model and its loop
    batch, capacity      sequences, and tokens that each of them can hold
    like                 a tensor of the dtype and device to use

    ``reach`` is the number of places that queries may look at; set it before each call.
    """

    def __init__(
        self, architecture: Architecture, steps: int, batch: int, capacity: int, like: Tensor
    ):
        self.architecture = architecture
        self.steps = steps
        self.reach = 0
        slots = architecture.prelude + steps * architecture.core + architecture.coda
        # Zeros, because attention gives weight 0 to what is not written yet, and 0 * NaN is NaN.
        self.store = like.new_zeros(
            slots, 2, batch, architecture.heads, capacity, architecture.head_size
        )

    def prelude(self, layout: Layout) -> list[Extend]:
        """One function per prelude block that stores its keys and values and returns all."""
        return self._slots(0, self.architecture.prelude, layout, None)

    def core(self, step: int, layout: Layout, rows: Tensor | None = None) -> list[Extend]:
        """Like `prelude`, for the core blocks at ``step`` (from 0).

        ``rows`` are the sequences of the batch that ``layout`` describes; None for all of them.
        """
        first = self.architecture.prelude + step * self.architecture.core
        return self._slots(first, self.architecture.core, layout, rows)

    def coda(self, layout: Layout) -> list[Extend]:
        """Like `prelude`, for the coda blocks."""
        first = len(self.store) - self.architecture.coda
        return self._slots(first, self.architecture.coda, layout, None)

    def hold(self, step: int, rows: Tensor, layout: Layout) -> None:
        """Let later steps see what ``rows``, which ended after ``step`` (from 0), stored then."""
        architecture = self.architecture
        loop = self.store[architecture.prelude : len(self.store) - architecture.coda]
        loop = loop.view(self.steps, architecture.core, *loop.shape[1:])
        # (steps, core, 2, batch, heads, capacity, head) with batch and capacity moved ahead
        loop = loop.permute(0, 3, 5, 1, 2, 4, 6)
        positions = layout.positions[rows]
        loop[step + 1 :, rows[:, None], positions] = loop[step, rows[:, None], positions]

    def _slots(self, first: int, count: int, layout: Layout, rows: Tensor | None) -> list[Extend]:
        return [self._slot(first + i, layout, rows) for i in range(count)]

    def _slot(self, index: int, layout: Layout, rows: Tensor | None) -> Extend:
        stored = self.store[index]  # (2, batch, heads, capacity, head)
        everyone = torch.arange(stored.shape[1], device=stored.device)
        sequences = everyone if rows is None else rows

        def extend(k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
            new = torch.stack([k, v]).permute(1, 3, 0, 2, 4)  # (B, n, 2, heads, head)
            stored.permute(1, 3, 0, 2, 4)[sequences[:, None], layout.positions] = new
            visible = stored[:, :, :, : self.reach]
            if rows is not None:
                visible = visible[:, rows]
            keys, values = visible.unbind(0)
            return keys, values

        return extend


@torch.no_grad()
def early_exit(
    model: LoopedTransformer,
    tokens: Tensor,
    steps: int,
    *,
    tol: float,
    start: Tensor | None = None,
    start_seed: int | None = None,
) -> tuple[Tensor, Tensor]:
    """(logits (B, n, vocabulary), iterations (B,)) where each sequence stops by itself.

    A sequence stops at |z_t - z_{t-1}| <= tol |z_t|, or after ``steps`` iterations. The other
    arguments and errors are those of `LoopedTransformer.run`; also raises ValueError for tol <= 0.
    """
    _check(model, tokens, steps, tol)
    z, x, layout = model.begin(tokens, start=start, start_seed=start_seed)
    everywhere = torch.ones_like(tokens, dtype=torch.bool)
    z, spent = _iterate_until_rest(model, z, x, steps, layout, None, tol, everywhere)
    return model.logits(model.finish_at(z, layout)), spent


@torch.no_grad()
def generate(
    model: LoopedTransformer,
    tokens: Tensor,
    steps: int,
    max_new_tokens: int,
    *,
    lengths: Tensor | None = None,
    start: Tensor | None = None,
    start_seed: int | None = None,
    end: int | None = None,
    cache: bool = True,
    tol: float | None = None,
) -> Generation:
    """Append the most likely next token ``max_new_tokens`` times, each after ``steps`` iterations.

    tokens      (B, n) prompts; what lies beyond a prompt's length is ignored
    lengths     (B,) tokens of each prompt; None for n
    start       z_0 of every place, (B, n + max_new_tokens, width)
    start_seed  the seed of a random z_0; without either, z_0 = 0
    end         a token that ends a sequence; generation stops when all have ended
    cache       store keys and values; without it the same tokens come out, more slowly
    tol         None, or early exit of each sequence's loop, judged by the tokens being computed;
                later tokens see the state in which the loop stopped

    Raises TypeError or ValueError as `LoopedTransformer.run` does, and ValueError for tol <= 0, for
    bad lengths, and when the prompt and the new tokens exceed the context.
    """
    _check(model, tokens, steps, tol)
    batch, n = tokens.shape
    _check_new_tokens(model, n, max_new_tokens)
    lengths = _checked_lengths(lengths, batch, n, tokens.device)
    capacity = n + max_new_tokens
    like = model.transformer.wte.weight
    states = model.start_state(batch, capacity, start=start, start_seed=start_seed).to(like)
    memory = KeyValueCache(model.architecture, steps, batch, capacity, like) if cache else None
    decoder = _Decoder(model, steps, tol, n, lengths, states, memory)

    rows = torch.arange(batch, device=tokens.device)
    ended = torch.zeros(batch, dtype=torch.bool, device=tokens.device)
    text = torch.cat([tokens, tokens.new_zeros(batch, max_new_tokens)], 1)
    new_tokens: list[Tensor] = []
    iterations: list[Tensor] = []
    for i in range(max_new_tokens):
        token, spent = decoder.next_token(text, i)
        if end is not None:
            token = torch.where(ended, end, token)
            ended = ended | (token == end)
        text[rows, lengths + i] = token
        new_tokens.append(token)
        iterations.append(spent)
        if end is not None and bool(ended.all()):
            missing = max_new_tokens - len(new_tokens)
            new_tokens += [torch.full_like(token, end)] * missing
            iterations += [torch.zeros_like(spent)] * missing
            break
    return Generation(torch.stack(new_tokens, 1), torch.stack(iterations, 1))


@dataclass(frozen=True)
class _Decoder:
    """What stays the same while tokens are generated."""

    model: LoopedTransformer
    steps: int
    tol: float | None
    prompt: int  # n, the longest prompt
    lengths: Tensor  # (B,)
    states: Tensor  # (B, capacity, width): z_0 of every place
    cache: KeyValueCache | None

    def next_token(self, text: Tensor, i: int) -> tuple[Tensor, Tensor]:
        """(the i-th new token, iterations spent), both (B,), given ``text`` (B, capacity)."""
        model, cache = self.model, self.cache
        rows = torch.arange(len(text), device=text.device)
        reach = self.prompt + i
        last = (self.lengths + i - 1)[:, None]  # the place whose logits name the next token
        recompute = i == 0 or cache is None
        if recompute:
            positions = torch.arange(reach, device=text.device).expand(len(text), -1)
        else:
            positions = last
        layout = Layout.of(model.architecture, positions, reach, self.states.dtype)
        if cache is not None:
            cache.reach = reach
        x = model.encode_at(
            text.gather(1, positions), layout, cache.prelude(layout) if cache else None
        )
        z = self.states[rows[:, None], positions]
        z, spent = self._iterate(z, x, layout, positions <= last)
        h = model.finish_at(z, layout, cache.coda(layout) if cache else None)
        h_last = h[rows, last[:, 0]] if recompute else h[rows, 0]
        return model.logits(h_last).argmax(-1), spent

    def _iterate(
        self, z: Tensor, x: Tensor, layout: Layout, counted: Tensor
    ) -> tuple[Tensor, Tensor]:
        if self.tol is not None:
            return _iterate_until_rest(
                self.model, z, x, self.steps, layout, self.cache, self.tol, counted
            )
        for t in range(self.steps):
            extends = self.cache.core(t, layout) if self.cache else None
            z = self.model.iterate_at(z, x, layout, extends)
        return z, torch.full((len(x),), self.steps, device=x.device)


def _iterate_until_rest(
    model: LoopedTransformer,
    z: Tensor,
    x: Tensor,
    steps: int,
    layout: Layout,
    cache: KeyValueCache | None,
    tol: float,
    counted: Tensor,
) -> tuple[Tensor, Tensor]:
    """(state, iterations (B,)) with early exit; ``counted`` (B, n) marks tokens that decide it."""
    spent = torch.full((len(x),), steps, device=x.device)
    going = torch.arange(len(x), device=x.device)  # the sequences that still iterate
    for t in range(steps):
        rows = None if len(going) == len(x) else going
        going_layout = layout.rows(rows)
        extends = cache.core(t, going_layout, rows) if cache else None
        after = model.iterate_at(z[going], x[going], going_layout, extends)
        # |z_t - z_{t-1}| <= tol |z_t| over the tokens that count
        weight = counted[going, :, None]
        moved = torch.linalg.vector_norm((after - z[going]) * weight, dim=(1, 2))
        at_rest = moved <= tol * torch.linalg.vector_norm(after * weight, dim=(1, 2))
        z = z.index_copy(0, going, after)
        spent[going[at_rest]] = t + 1
        if cache is not None:
            cache.hold(t, going[at_rest], layout)
        going = going[~at_rest]
        if len(going) == 0:
            break
    return z, spent


def _check(model: LoopedTransformer, tokens: Tensor, steps: int, tol: float | None) -> None:
    model.check_tokens(tokens)
    require_int("steps", steps, least=1)
    require(tol is None or tol > 0, "tol", tol, "positive")


def _check_new_tokens(model: LoopedTransformer, prompt: int, count: int) -> None:
    require_int("max_new_tokens", count, least=1)
    context = model.architecture.context
    if prompt + count > context:
        raise ValueError(
            f"tokens: a prompt of {prompt} tokens and max_new_tokens = {count} "
            f"exceed the context of {context}"
        )


def _checked_lengths(lengths: Tensor | None, batch: int, n: int, device: torch.device) -> Tensor:
    if lengths is None:
        return torch.full((batch,), n, device=device)
    lengths = lengths.to(device)
    if lengths.shape != (batch,) or not bool(((lengths >= 1) & (lengths <= n)).all()):
        raise ValueError(f"lengths must be {batch} numbers from 1 to {n}, got {lengths.tolist()}")
    return lengths
