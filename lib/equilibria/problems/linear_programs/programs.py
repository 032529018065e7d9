"""A batch of linear programs, and one program as NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equilibria.files import DataError

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData  # type: ignore[import-untyped]  # ships no types

__all__ = ["Floats", "LinearProgramError", "LinearPrograms", "Program", "Row", "stack"]

Floats = NDArray[np.float64]


class LinearProgramError(DataError):
    """A program that is malformed, or that has no optimum: it gets no label."""


@dataclass(frozen=True)
class Program:
    """One program without a label: A (m, n), b and equality (m,), c, l and u (n,)."""

    A: Floats
    b: Floats
    equality: NDArray[np.bool_]
    c: Floats
    l: Floats  # noqa: E741 (the paper's symbol)
    u: Floats


@dataclass(frozen=True)
class Row:
    """One program as a row of `LinearPrograms`: the same fields, without the batch dimension."""

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    values: Floats
    b: Floats
    equality: NDArray[np.bool_]
    c: Floats
    l: Floats  # noqa: E741 (the paper's symbol)
    u: Floats
    y: Floats
    objective: float


@dataclass(frozen=True)
class LinearPrograms:
    """A batch of B programs of one size with their labels; the package's header has the fields."""

    rows: Tensor
    columns: Tensor
    values: Tensor
    b: Tensor
    equality: Tensor
    c: Tensor
    l: Tensor  # noqa: E741 (the paper's symbol)
    u: Tensor
    y: Tensor
    objective: Tensor

    def __len__(self) -> int:
        return len(self.c)

    def __getitem__(self, index: int | slice | list[int] | Tensor) -> LinearPrograms:
        """The programs at ``index``, as a batch; a single int gives a batch of one."""
        places = [index] if isinstance(index, int) else index
        return LinearPrograms(**{name: field[places] for name, field in self.tensors().items()})

    def tensors(self) -> dict[str, Tensor]:
        """Every field by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def dense(self) -> Tensor:
        """A as a dense tensor (B, m, n)."""
        B, m, n = len(self), self.b.shape[1], self.c.shape[1]
        A = self.values.new_zeros(B, m * n)
        return A.scatter_add_(1, self.rows * n + self.columns, self.values).view(B, m, n)

    def violation(self, y: Tensor) -> Tensor:
        """The largest violation of a constraint or bound by y (B, n), per program (B,)."""
        excess = (self.dense() @ y.to(self.values)[..., None])[..., 0] - self.b
        excess = torch.where(self.equality, excess.abs(), excess.clamp(min=0))
        outside = torch.maximum(self.l - y, y - self.u).clamp(min=0)
        return torch.maximum(excess.amax(1), outside.amax(1))

    def to_hetero(self, i: int) -> HeteroData:
        """Program ``i`` as PyTorch Geometric's HeteroData.

        Nothing here uses it: it is the door to the models of that library.

        Nodes of type `variable` have the features (c, l, u) and the label y, nodes of type
        `constraint` have (b, is-equality). The edges carry the entries of A as `edge_attr`.
        """
        from torch_geometric.data import HeteroData

        data = HeteroData()
        data["variable"].x = torch.stack([self.c[i], self.l[i], self.u[i]], 1)
        data["variable"].y = self.y[i]
        data["constraint"].x = torch.stack([self.b[i], self.equality[i].to(self.b)], 1)
        edges = data["variable", "in", "constraint"]
        edges.edge_index = torch.stack([self.columns[i], self.rows[i]])
        edges.edge_attr = self.values[i]
        return data


def stack(programs: Sequence[Row]) -> LinearPrograms:
    """The batch that holds ``programs``, which must have the same sizes."""
    columns = {}
    for field in fields(Row):
        column = np.stack([np.asarray(getattr(program, field.name)) for program in programs])
        columns[field.name] = torch.from_numpy(column)
    return LinearPrograms(**columns)
