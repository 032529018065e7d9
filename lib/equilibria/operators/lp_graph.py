"""Graph networks for linear programs, explicit and implicit (paper section 5.3, Table 1, Figs. 6-7).

A program is a bipartite graph: variable nodes with (c, l, u), constraint nodes with (b, is-equality), edges A_ij.
One half-convolution sends messages along the edges and updates the nodes at their ends:

    out_i = O([ sum_j A_ij S(h_j), T(h_i) ])          S, T, O: perceptrons with SiLU

The sum is the sparse product A S(h), or A^T S(h) on the way back: no message is ever written out edge by edge.

| symbol | here | shape |
|---|---|---|
| x | `Graph`, what `graph` makes of B programs | |
| y | state and output, the solution in the programs' own units | (B, n) |
| G(y, x) | `ImplicitGNN.forward`: four half-convolutions that see the current y | (B, n) |
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from equilibria.problems.linear_programs import LinearPrograms

__all__ = ["ExplicitGNN", "Graph", "ImplicitGNN", "Matrix", "graph"]

_UNITS = {
    "c": 0.01,
    "b": 1.0,
    "l": 10.0,
    "u": 10.0,
}  # scale of each input in the paper's distribution; y has that of l and u


class _SparseProduct(torch.autograd.Function):
    """matrix v; linear in v, so every derivative is such a product again."""

    @staticmethod
    def forward(matrix, v):
        return matrix.csr @ v

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.matrix = inputs[0]

    @staticmethod
    def backward(ctx, g):
        return None, _SparseProduct.apply(ctx.matrix.T, g)

    @staticmethod
    def jvp(ctx, _, v):
        return _SparseProduct.apply(ctx.matrix, v)


@dataclass(frozen=True)
class Matrix:
    """A constant sparse matrix in CSR form with its transpose at hand for the way back: `A @ v`, `A.T @ v`."""

    csr: Tensor
    transposed: Tensor

    @property
    def T(self) -> Matrix:
        return Matrix(self.transposed, self.csr)

    def __matmul__(self, v: Tensor) -> Tensor:
        return _SparseProduct.apply(self, v)


@dataclass(frozen=True)
class Graph:
    """B programs as one block-diagonal bipartite graph. A (B m, B n); variables
    (B n, 3): c, l, u and constraints (B m, 2): b, is-equality, in units of order one; l, u (B, n) in their own.
    """

    A: Matrix
    variables: Tensor
    constraints: Tensor
    l: Tensor  # noqa: E741 (the paper's symbol)
    u: Tensor


def graph(
    programs: LinearPrograms,
    *,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> Graph:
    """The graph of a batch of programs, in the dtype and on the device of the model that reads it.

    Raises ValueError when a bound is infinite: the networks place y between its bounds.
    """
    if not (programs.l.isfinite().all() and programs.u.isfinite().all()):
        raise ValueError(
            "programs: l and u must be finite, the network's answer lies between them; give large bounds instead"
        )
    B, m, n = len(programs), programs.b.shape[1], programs.c.shape[1]
    rows, columns = programs.rows, programs.columns
    order = (columns * m + rows).argsort(1)
    first = torch.arange(B)[:, None]

    def csr(rows, columns, values, height, width):
        start = torch.zeros(B * height + 1, dtype=torch.int64)
        start[1:] = torch.bincount((rows + first * height).flatten(), minlength=B * height).cumsum(
            0
        )
        with (
            warnings.catch_warnings()
        ):  # PyTorch calls the CSR layout a beta feature, once a process
            warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
            return torch.sparse_csr_tensor(
                start,
                (columns + first * width).flatten(),
                values.flatten().to(dtype),
                (B * height, B * width),
                check_invariants=False,
            ).to(device)

    gather = lambda v: v.gather(1, order)  # noqa: E731
    features = lambda *v: torch.stack([f.flatten().to(dtype) for f in v], 1).to(device)  # noqa: E731
    return Graph(
        A=Matrix(
            csr(rows, columns, programs.values, m, n),
            csr(gather(columns), gather(rows), gather(programs.values), n, m),
        ),
        variables=features(*(getattr(programs, k) / _UNITS[k] for k in "clu")),
        constraints=features(programs.b / _UNITS["b"], programs.equality),
        l=programs.l.to(device, dtype),
        u=programs.u.to(device, dtype),
    )


class _Linear(nn.Linear):
    """A linear layer that is fast when narrow: 16 / width nodes share one row of a block-diagonal product, since
    matrix kernels waste most of their registers on 4 or 8 columns. Orthogonal weight, zero bias (paper, section 5.3).
    """

    def reset_parameters(self) -> None:
        nn.init.orthogonal_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, h: Tensor) -> Tensor:
        fold = 16 // max(self.in_features, self.out_features)
        if fold < 2 or len(h) % fold or min(self.in_features, self.out_features) < 4:
            return super().forward(h)
        bias = None if self.bias is None else torch.cat([self.bias] * fold)
        return functional.linear(
            h.reshape(-1, fold * self.in_features), torch.block_diag(*[self.weight] * fold), bias
        ).view(-1, self.out_features)


class _HalfConvolution(nn.Module):
    """out_i = O([sum_j A_ij S(h_j), T(h_i)]); the two halves of O's first matrix are kept apart, which saves the joint copy.
    A side whose features arrive already multiplied by S or T (see `ImplicitGNN.encode`) is told by `ready`.
    """

    def __init__(self, width: int):
        super().__init__()
        self.source, self.target = _Linear(width, width), _Linear(width, width)
        self.message, self.own, self.out = (
            _Linear(width, width),
            _Linear(width, width, bias=False),
            _Linear(width, width),
        )

    def forward(self, A, source, target, *, source_ready=False, target_ready=False):
        source = functional.silu(source if source_ready else self.source(source))
        target = functional.silu(target if target_ready else self.target(target))
        message = A @ source
        return functional.silu(self.out(functional.silu(self.message(message) + self.own(target))))


class _GNN(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        if not isinstance(width, int) or width < 1:
            raise ValueError(f"width must be a positive integer, got {width!r}")
        self.width = width
        self.embed_variables, self.embed_constraints = _Linear(3, width), _Linear(2, width)
        self.halves = nn.ModuleList(_HalfConvolution(width) for _ in range(4))
        self.head = _Linear(width, 1)

    def _inside(self, h: Tensor, x: Graph) -> Tensor:
        """From the variables' features to y, placed between its bounds: y = l + (u - l) sigmoid(w h)."""
        return x.l + (x.u - x.l) * torch.sigmoid(self.head(h).view_as(x.l))


class ExplicitGNN(_GNN):
    """y = E(x): four half-convolutions, once. width: the embedding size (4, 8, 16, 32 in Table 1)."""

    def forward(self, x: Graph) -> Tensor:
        v, c = (
            functional.silu(self.embed_variables(x.variables)),
            functional.silu(self.embed_constraints(x.constraints)),
        )
        for half in (0, 2):
            c = self.halves[half](x.A, v, c)
            v = self.halves[half + 1](x.A.T, c, v)
        return self._inside(v, x)


class ImplicitGNN(_GNN):
    """G(y, x): the same four half-convolutions with the current y beside the variables' features (width + 1), damped:

        G(y, x) = y + alpha (N(y, x) - y),   alpha in (0, 1) learned.

    The fixed points are those of N whatever alpha; alpha lets training buy contraction with iterations. Start at y = 0.
    What does not depend on y is computed once per x by `encode`; `G(y, x)` accepts either a Graph or its encoding.
    """

    def __init__(self, width: int):
        super().__init__(width)
        self.see_source, self.see_target = (
            nn.Parameter(torch.zeros(width)),
            nn.Parameter(torch.zeros(width)),
        )
        nn.init.normal_(self.see_source, std=0.5), nn.init.normal_(self.see_target, std=0.5)
        self.alpha_logit = nn.Parameter(torch.tensor(0.0))

    @property
    def alpha(self) -> Tensor:
        return torch.sigmoid(self.alpha_logit)

    def encode(self, x: Graph):
        v, c = (
            functional.silu(self.embed_variables(x.variables)),
            functional.silu(self.embed_constraints(x.constraints)),
        )
        return (
            x,
            self.halves[0].source(v),
            self.halves[1].target(v),
            self.halves[0].target(c),
            self.halves[2].target(c),
        )

    def forward(self, y: Tensor, x) -> Tensor:
        x, source, target, c0, c2 = self.encode(x) if isinstance(x, Graph) else x
        seen = y.reshape(-1, 1) / _UNITS["u"]
        c = self.halves[0](
            x.A,
            torch.addcmul(source, seen, self.see_source),
            c0,
            source_ready=True,
            target_ready=True,
        )
        v = self.halves[1](
            x.A.T, c, torch.addcmul(target, seen, self.see_target), target_ready=True
        )
        c = self.halves[2](x.A, v, c)
        v = self.halves[3](x.A.T, c, v)
        return y + self.alpha * (self._inside(v, x) - y)
