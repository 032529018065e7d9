"""The networks: half-convolutions, applied once (explicit) or inside of a loop (implicit).

A half-convolution sends messages along the edges and updates the nodes at their ends,

    out_i = O([ sum_j A_ij S(h_j), T(h_i) ]),

where S, T and O are perceptrons with SiLU. The sum is the sparse product A S(h), or A^T S(h) on the
way back to the variables, so that no message is ever written out edge by edge.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, silu

from equilibria.checks import require_int
from equilibria.operators.lp_graph.graphs import SCALES, Graph, Matrix

__all__ = ["Encoded", "ExplicitGNN", "ImplicitGNN"]

_ROW = 16  # numbers in one row of a product that uses a matrix kernel well


class _Linear(nn.Linear):
    """A linear layer that is fast when it is narrow; orthogonal weight, zero bias (section 5.3).

    Matrix kernels waste most of their registers on four or eight columns. So several nodes share
    one row of 16 numbers, which a block-diagonal weight multiplies.
    """

    def reset_parameters(self) -> None:
        nn.init.orthogonal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, h: Tensor) -> Tensor:
        narrow, wide = sorted((self.in_features, self.out_features))
        nodes = _ROW // wide  # that share a row
        if nodes < 2 or len(h) % nodes or narrow < 4:
            return super().forward(h)
        # (block_diag has no types in torch.)
        weight = torch.block_diag(*[self.weight] * nodes)  # type: ignore[no-untyped-call]
        bias = None if self.bias is None else torch.cat([self.bias] * nodes)
        rows = h.reshape(-1, nodes * self.in_features)
        return linear(rows, weight, bias).view(-1, self.out_features)


class _HalfConvolution(nn.Module):
    """out_i = O([sum_j A_ij S(h_j), T(h_i)]).

    source, target   the layers of S and T
    message, own     the two halves of O's first layer; kept apart, they save the joined copy
    out              O's second layer
    """

    def __init__(self, width: int):
        super().__init__()
        self.source = _Linear(width, width)
        self.target = _Linear(width, width)
        self.message = _Linear(width, width)
        self.own = _Linear(width, width, bias=False)
        self.out = _Linear(width, width)

    def forward(self, A: Matrix, source: Tensor, target: Tensor) -> Tensor:
        """From the features at both ends of the edges; A leads from the sources to the targets."""
        return self.combine(A, self.source(source), self.target(target))

    def combine(self, A: Matrix, source: Tensor, target: Tensor) -> Tensor:
        """Like `forward`, for features to which the layers of S and T were applied before."""
        message = A @ silu(source)
        hidden = silu(self.message(message) + self.own(silu(target)))
        return silu(self.out(hidden))


class _GNN(nn.Module):
    """The layers that both networks have; ``width`` is the embedding size, 4 to 32 in Table 1."""

    def __init__(self, width: int):
        super().__init__()
        require_int("width", width, least=1)
        self.width = width
        self.embed_variables = _Linear(3, width)
        self.embed_constraints = _Linear(2, width)
        # From variables to constraints, back, and the same again.
        self.halves = nn.ModuleList(_HalfConvolution(width) for _ in range(4))
        self.head = _Linear(width, 1)

    def convolutions(self) -> tuple[_HalfConvolution, ...]:
        """The four half-convolutions, in order."""
        # A ModuleList knows its modules as nn.Module alone.
        return cast("tuple[_HalfConvolution, ...]", tuple(self.halves))

    def embed(self, x: Graph) -> tuple[Tensor, Tensor]:
        """The features of variables (B n, width) and constraints (B m, width)."""
        return silu(self.embed_variables(x.variables)), silu(self.embed_constraints(x.constraints))

    def between_bounds(self, variables: Tensor, x: Graph) -> Tensor:
        """The answer (B, n) from the variables' features (B n, width), inside of its bounds."""
        # y = l + (u - l) sigmoid(w h)
        share = torch.sigmoid(self.head(variables).view_as(x.l))
        return x.l + (x.u - x.l) * share


class ExplicitGNN(_GNN):
    """y = E(x): four half-convolutions, once (paper, section 5.3)."""

    def forward(self, x: Graph) -> Tensor:
        """The answers y (B, n)."""
        variables, constraints = self.embed(x)
        first, second, third, fourth = self.convolutions()
        constraints = first(x.A, variables, constraints)
        variables = second(x.A.T, constraints, variables)
        constraints = third(x.A, variables, constraints)
        variables = fourth(x.A.T, constraints, variables)
        return self.between_bounds(variables, x)


@dataclass(frozen=True)
class Encoded:
    """What `ImplicitGNN.encode` computes once per batch: all that does not depend on y.

    x                  the programs themselves
    source_of_first    S's layer of the first half-convolution, applied to the variables' embedding
    target_of_second   T's layer of the second one, applied to the same embedding
    target_of_first    T's layer of the first one, applied to the constraints' embedding
    """

    x: Graph
    source_of_first: Tensor
    target_of_second: Tensor
    target_of_first: Tensor


class ImplicitGNN(_GNN):
    """G(y, x): the same four half-convolutions, which see y beside the variables' features.

    The loop is damped by a factor that is learned,

        G(y, x) = y + alpha (N(y, x) - y),   alpha in (0, 1).

    The fixed points of G are those of N, whatever alpha is; alpha lets training trade the number
    of iterations for contraction. y (B, n) is state and answer at once, in the programs' units.
    """

    def __init__(self, width: int):
        super().__init__(width)
        # The columns of the first S and the first T of variables that y is multiplied with.
        self.see_source = nn.Parameter(torch.zeros(width))
        self.see_target = nn.Parameter(torch.zeros(width))
        nn.init.normal_(self.see_source, std=0.5)
        nn.init.normal_(self.see_target, std=0.5)
        self.alpha_logit = nn.Parameter(torch.tensor(0.0))

    @property
    def alpha(self) -> Tensor:
        """The damping factor, in (0, 1)."""
        return torch.sigmoid(self.alpha_logit)

    def encode(self, x: Graph) -> Encoded:
        """q, which `forward` reads in every iteration in place of the programs."""
        variables, constraints = self.embed(x)
        first, second, _, _ = self.convolutions()
        return Encoded(
            x,
            source_of_first=first.source(variables),
            target_of_second=second.target(variables),
            target_of_first=first.target(constraints),
        )

    def start(self, q: Encoded) -> Tensor:
        """The state that the paper starts from, y_0 = 0 (B, n)."""
        return torch.zeros_like(q.x.l)

    def decode(self, y: Tensor) -> Tensor:
        """The answer of a state, which is the state."""
        return y

    def forward(self, y: Tensor, q: Encoded) -> Tensor:
        """The next state, (B, n)."""
        x = q.x
        first, second, third, fourth = self.convolutions()
        scaled = y.reshape(-1, 1) / SCALES["u"]
        # [W, w] [h, y] = W h + w y, where W h was computed by `encode`.
        source = torch.addcmul(q.source_of_first, scaled, self.see_source)
        target = torch.addcmul(q.target_of_second, scaled, self.see_target)
        constraints = first.combine(x.A, source, q.target_of_first)
        variables = second.combine(x.A.T, second.source(constraints), target)
        constraints = third(x.A, variables, constraints)
        variables = fourth(x.A.T, constraints, variables)
        return y + self.alpha * (self.between_bounds(variables, x) - y)
