"""A looped transformer: Huginn-0125's architecture at any size (paper, section 5.4).

    x      = Q_in(tokens)                       embedding times sqrt(width), then the prelude blocks
    z_t    = G(z_{t-1}, x),  t = 1, ..., steps  adapter of [z, x], then the core blocks
    logits = Q_out(z_steps)                     final norm, coda blocks, the same norm again, head

=========  ======================================  ================
symbol     here                                    shape
=========  ======================================  ================
x          input, ``model.encode(tokens)``         (B, n, width)
z          latent state, ``model.start(x)`` first  (B, n, width)
G(z, x)    ``model(z, x)``: one iteration          (B, n, width)
Q_out(z)   logits, ``model.decode(z)``             (B, n, vocabulary)
=========  ======================================  ================

`Architecture` also describes the small loop of the reasoning tasks: input that is added to the
state, attention that decays with distance, pre-norm blocks, and a norm after each iteration.
A model that runs its blocks once is the same model at steps = 1. An untied stack is a model with
as many core blocks, also at steps = 1.

Source: Geiping et al. 2025, "Scaling up test-time compute with latent reasoning: a recurrent depth
approach".
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from equilibria.checks import require, require_int
from equilibria.operators.transformer_blocks import (
    Architecture,
    Block,
    Extend,
    Layout,
    apply_blocks,
)

__all__ = ["Architecture", "LoopedTransformer"]


class _Parts(nn.Module):
    """The weights under Huginn's own names; all but an untied head."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        width, epsilon = architecture.width, architecture.epsilon
        self.wte = nn.Embedding(architecture.vocabulary, width)
        self.prelude = _blocks(architecture, architecture.prelude)
        if architecture.injection == "adapter":
            self.adapter = nn.Linear(2 * width, width, bias=False)
        self.core_block = _blocks(architecture, architecture.core)
        self.coda = _blocks(architecture, architecture.coda)
        self.ln_f = nn.RMSNorm(width, epsilon)
        if architecture.state_norm:
            self.state_norm = nn.RMSNorm(width, epsilon)


def _blocks(architecture: Architecture, count: int) -> nn.ModuleList:
    return nn.ModuleList([Block(architecture) for _ in range(count)])


class LoopedTransformer(nn.Module):
    """The model of the module's head. It is itself the operator G: ``model(z, x)`` iterates once.

    >>> architecture = Architecture(
    ...     vocabulary=5, width=8, heads=2, hidden=16, prelude=1, core=1, coda=1, context=16
    ... )
    >>> model = LoopedTransformer(architecture)
    >>> tokens = torch.tensor([[0, 3, 1]])
    >>> model.run(tokens, steps=4).shape
    torch.Size([1, 3, 5])
    >>> x = model.encode(tokens)
    >>> model(model.start(x), x).shape
    torch.Size([1, 3, 8])
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        self.transformer = _Parts(architecture)
        if not architecture.tied:
            self.lm_head = nn.Linear(architecture.width, architecture.vocabulary, bias=False)
        self._initialise()

    def _initialise(self) -> None:
        # matrices: sqrt(2 / (5 width)); those that end a residual branch are divided by
        # sqrt(2 blocks), so that the sum over all branches keeps its size
        architecture = self.architecture
        std = math.sqrt(2 / (5 * architecture.width))
        blocks = architecture.prelude + architecture.core + architecture.coda
        branch_std = std / math.sqrt(2 * blocks)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                ends_branch = name.endswith("proj.weight")
                nn.init.normal_(parameter, std=branch_std if ends_branch else std)

    # ---- the operator and its latent state
    def encode(self, tokens: Tensor) -> Tensor:
        """The input x = Q_in(tokens), (B, n) integers -> (B, n, width).

        Raises ValueError for tokens that the model cannot read.
        """
        self.check_tokens(tokens)
        return self.encode_at(tokens, self._layout(tokens.shape[1], tokens.device))

    def start(self, x: Tensor) -> Tensor:
        """The start state z_0 = 0, shaped as the input x (B, n, width)."""
        return torch.zeros_like(x)

    def forward(self, z: Tensor, x: Tensor) -> Tensor:
        """G(z, x): one iteration of the loop; z, x and the result are (B, n, width)."""
        return self.iterate_at(z, x, self._layout(x.shape[1], x.device))

    def decode(self, z: Tensor, where: Tensor | None = None) -> Tensor:
        """The logits Q_out(z) of a state z (B, n, width), (B, n, vocabulary).

        With a mask ``where`` (B, n) only the logits of the marked tokens, (count, vocabulary).
        """
        h = self.finish_at(z, self._layout(z.shape[1], z.device))
        return self.logits(h if where is None else h[where])

    # ---- the whole loop
    def run(
        self,
        tokens: Tensor,
        steps: int,
        *,
        start: Tensor | None = None,
        start_seed: int | None = None,
    ) -> Tensor:
        """The logits after ``steps`` iterations, (B, n, vocabulary).

        tokens      (B, n) integers below the vocabulary
        steps       iterations, at least 1
        start       the start state z_0 (B, n, width)
        start_seed  the seed of a random start state, see `random_start`; without either, z_0 = 0

        Raises ValueError for an empty or too long sequence, an unknown token, steps below 1, a
        start state of another shape, or when both ``start`` and ``start_seed`` are given;
        TypeError for steps or a seed that is no int.
        """
        require_int("steps", steps, least=1)
        z, x, layout = self.begin(tokens, start=start, start_seed=start_seed)
        for _ in range(steps):
            z = self.iterate_at(z, x, layout)
        return self.logits(self.finish_at(z, layout))

    def states(
        self,
        tokens: Tensor,
        steps: int,
        *,
        start: Tensor | None = None,
        start_seed: int | None = None,
    ) -> Tensor:
        """The states z_1, ..., z_steps, (steps, B, n, width); arguments and errors as in `run`.

        ``decode(states[t - 1])`` gives the logits after t iterations.
        """
        require_int("steps", steps, least=1)
        z, x, layout = self.begin(tokens, start=start, start_seed=start_seed)
        states = []
        for _ in range(steps):
            z = self.iterate_at(z, x, layout)
            states.append(z)
        return torch.stack(states)

    def random_start(self, batch: int, length: int, *, seed: int) -> Tensor:
        """Huginn's random start state, (batch, length, width).

        A normal distribution of standard deviation sqrt(2 / 5), cut at three of them. The draw of
        a position depends on the seed and the position alone, not on the length or on the batch.
        """
        u = torch.rand(
            length,
            self.architecture.width,
            dtype=torch.float64,
            generator=torch.Generator().manual_seed(seed),
        )
        # inverse of the cut normal's distribution function: sqrt(2) erfinv(P (2 u - 1))
        inside = math.erf(3 / math.sqrt(2))  # P: the share of a normal within three deviations
        state = math.sqrt(2 / 5) * math.sqrt(2) * torch.erfinv(inside * (2 * u - 1))
        return state.to(self.transformer.wte.weight).expand(batch, -1, -1)

    def begin(
        self, tokens: Tensor, *, start: Tensor | None = None, start_seed: int | None = None
    ) -> tuple[Tensor, Tensor, Layout]:
        """(z_0, x, layout) of a loop over ``tokens``; arguments and errors as in `run`."""
        self.check_tokens(tokens)
        layout = self._layout(tokens.shape[1], tokens.device)
        x = self.encode_at(tokens, layout)
        z = self.start_state(*tokens.shape, start=start, start_seed=start_seed).to(x)
        return z, x, layout

    # ---- the same at chosen places, for decoding
    def start_state(
        self, batch: int, length: int, *, start: Tensor | None, start_seed: int | None
    ) -> Tensor:
        """z_0 (batch, length, width): ``start`` itself, drawn from ``start_seed``, or zeros.

        Raises ValueError for a start of another shape, a negative seed, or when both are given,
        TypeError for a seed that is no int.
        """
        shape = (batch, length, self.architecture.width)
        if start is not None:
            if start_seed is not None:
                raise ValueError(
                    f"start_seed must be None where start is given, got {start_seed!r}"
                )
            if not isinstance(start, Tensor):
                raise ValueError(f"start must be a tensor, got {start!r}; a seed is a start_seed")
            require(start.shape == shape, "start", tuple(start.shape), f"of shape {shape}")
            return start
        if start_seed is not None:
            require_int("start_seed", start_seed, least=0)
            return self.random_start(batch, length, seed=start_seed)
        return self.transformer.wte.weight.new_zeros(shape)

    def encode_at(
        self, tokens: Tensor, layout: Layout, extends: Sequence[Extend] | None = None
    ) -> Tensor:
        """Q_in of tokens that stand as ``layout`` says; ``extends``: one per prelude block."""
        h = self.transformer.wte(tokens) * math.sqrt(self.architecture.width)
        return apply_blocks(self.transformer.prelude, h, layout, extends)

    def iterate_at(
        self, z: Tensor, x: Tensor, layout: Layout, extends: Sequence[Extend] | None = None
    ) -> Tensor:
        """G(z, x) of tokens that stand as ``layout`` says; ``extends``: one per core block."""
        h: Tensor
        if self.architecture.injection == "adapter":
            h = self.transformer.adapter(torch.cat([z, x], -1))
        else:
            h = z + x
        h = apply_blocks(self.transformer.core_block, h, layout, extends)
        if self.architecture.state_norm:
            h = self.transformer.state_norm(h)
        return h

    def finish_at(
        self, z: Tensor, layout: Layout, extends: Sequence[Extend] | None = None
    ) -> Tensor:
        """Q_out without its head, (B, n, width); ``extends``: one per coda block."""
        h = apply_blocks(self.transformer.coda, self.transformer.ln_f(z), layout, extends)
        normed: Tensor = self.transformer.ln_f(h)
        return normed

    def logits(self, h: Tensor) -> Tensor:
        """The head: (..., width) -> (..., vocabulary)."""
        weight = self.transformer.wte.weight if self.architecture.tied else self.lm_head.weight
        logits: Tensor = functional.linear(h, weight)
        return logits

    def check_tokens(self, tokens: Tensor) -> None:
        """Raise ValueError unless ``tokens`` are integers (B, n) that the model can read."""
        if not isinstance(tokens, Tensor):
            kind = type(tokens).__name__
            raise ValueError(f"tokens must be an integer tensor (B, n), got {kind}")
        integers = not tokens.is_floating_point() and tokens.dtype != torch.bool
        if tokens.dim() != 2 or not integers:
            raise ValueError(
                "tokens must be an integer tensor (B, n), "
                f"got shape {tuple(tokens.shape)} of {tokens.dtype}"
            )
        if tokens.numel() == 0:
            raise ValueError(
                "tokens must hold at least one token per sequence, "
                f"got shape {tuple(tokens.shape)}: the prompt is empty"
            )
        context, vocabulary = self.architecture.context, self.architecture.vocabulary
        if tokens.shape[1] > context:
            raise ValueError(
                f"tokens: a prompt of {tokens.shape[1]} tokens exceeds the context of {context}"
            )
        low, high = (int(value) for value in tokens.aminmax())
        if low < 0 or high >= vocabulary:
            unknown = low if low < 0 else high
            raise ValueError(
                f"tokens must lie in 0..{vocabulary - 1}, got the unknown token {unknown}"
            )

    def _layout(self, length: int, device: torch.device) -> Layout:
        """The layout of ``length`` tokens that follow each other from place 0 on."""
        positions = torch.arange(length, device=device)[None]
        return Layout.of(self.architecture, positions, length, self.transformer.wte.weight.dtype)
