"""Linear programs as one sparse bipartite graph per batch."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from equilibria.problems.linear_programs import LinearPrograms

__all__ = ["SCALES", "Graph", "Matrix", "graph"]

# The scale of each input in the paper's distribution; y has that of the bounds.
SCALES = {"c": 0.01, "b": 1.0, "l": 10.0, "u": 10.0}


class _SparseProduct(torch.autograd.Function):
    """A v, which is linear in v: every derivative is such a product again."""

    @staticmethod
    def forward(matrix: Matrix, v: Tensor) -> Tensor:
        return matrix.csr @ v

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Matrix, Tensor], output: Tensor) -> None:
        ctx.matrix = inputs[0]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:
        matrix: Matrix = ctx.matrix
        return None, matrix.T @ gradient

    @staticmethod
    def jvp(ctx: Any, _: None, v: Tensor) -> Tensor:
        matrix: Matrix = ctx.matrix
        return matrix @ v


@dataclass(frozen=True)
class Matrix:
    """A constant sparse matrix: `A @ v` and `A.T @ v`, with derivatives of every order in v.

    csr is A in PyTorch's CSR layout, transposed is A^T in the same layout.
    """

    csr: Tensor
    transposed: Tensor

    @property
    def T(self) -> Matrix:
        """The transposed matrix; nothing is copied."""
        return Matrix(self.transposed, self.csr)

    def __matmul__(self, v: Tensor) -> Tensor:
        product: Tensor = _SparseProduct.apply(self, v)
        return product


@dataclass(frozen=True)
class Graph:
    """B programs as one block-diagonal graph, with features scaled to order one.

    A (B m, B n)           the edges
    variables (B n, 3)     c, l and u, scaled
    constraints (B m, 2)   b, scaled, and is-equality
    l, u (B, n)            the bounds in their own units
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
            "programs must have finite l and u, got an infinite bound: the networks place y "
            "between its bounds; give large ones instead"
        )
    m, n = programs.b.shape[1], programs.c.shape[1]
    rows, columns, values = programs.rows, programs.columns, programs.values.to(dtype)
    by_column = (columns * m + rows).argsort(1)
    A = _block_diagonal(rows, columns, values, (m, n))
    transposed = _block_diagonal(
        columns.gather(1, by_column), rows.gather(1, by_column), values.gather(1, by_column), (n, m)
    )
    variables = [programs.c / SCALES["c"], programs.l / SCALES["l"], programs.u / SCALES["u"]]
    constraints = [programs.b / SCALES["b"], programs.equality]
    return Graph(
        A=Matrix(A.to(device), transposed.to(device)),
        variables=_features(variables, dtype).to(device),
        constraints=_features(constraints, dtype).to(device),
        l=programs.l.to(device, dtype),
        u=programs.u.to(device, dtype),
    )


def _block_diagonal(
    rows: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]
) -> Tensor:
    """One CSR matrix with a block of ``shape`` per program.

    rows, columns, values (B, K) hold each block's entries, sorted by row and column.
    """
    B = len(values)
    height, width = shape
    block = torch.arange(B)[:, None]
    entries_per_row = torch.bincount((rows + block * height).flatten(), minlength=B * height)
    row_starts = torch.zeros(B * height + 1, dtype=torch.int64)
    row_starts[1:] = entries_per_row.cumsum(0)
    with warnings.catch_warnings():
        # PyTorch calls the CSR layout a beta feature, once per process.
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support")
        return torch.sparse_csr_tensor(
            row_starts,
            (columns + block * width).flatten(),
            values.flatten(),
            (B * height, B * width),
            check_invariants=False,
        )


def _features(columns: list[Tensor], dtype: torch.dtype) -> Tensor:
    """The features of all nodes, one row per node: (B k, F) from F tensors (B, k)."""
    return torch.stack([column.flatten().to(dtype) for column in columns], 1)
