"""What Anderson acceleration and Broyden's method share.

Both remember the last m differences and step to

    y_{t+1} = z_t - sum_j c_j dz_j,    z = y + damping r,

the damped Picard point, moved back along differences dz_j of such points. They differ in the m x m
system for the coefficients c, of which each step renews one row and one column.

===========  ==================================================================
``m``        differences remembered: `history`, or n where that is less
``slot``     the place (t - 1) mod m of the newest difference
===========  ==================================================================
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from equilibria.checks import require_damping, require_int, require_real
from equilibria.solvers.method import Method, MethodState, Verdict
from equilibria.solvers.safeguard import Rejections, Safeguard

__all__ = ["RingBuffer", "Secant", "SecantState", "SmallSystem"]


@dataclass(frozen=True, kw_only=True)
class Secant(Method):
    """The settings that Anderson and Broyden share.

    history  differences remembered, at least 1
    damping  share of the residual in z = y + damping r, in (0, 1]
    growth   a point with a residual above growth times the least so far is taken back; above 1
    """

    history: int = 10
    damping: float = 1.0
    growth: float = 10.0

    takes_back: ClassVar[bool] = True
    patience: ClassVar[int] = 100  # residuals of secant methods fall in jumps

    def __post_init__(self) -> None:
        require_int("history", self.history, least=1)
        require_damping(self.damping)
        require_real("growth", self.growth, above=1)


@dataclass
class RingBuffer:
    """The last m vectors of each sample; the newest overwrites the oldest, nothing is moved.

    Slots that were never written hold zeros. Rows are views that are made once, since indexing
    costs as much as a small operation.
    """

    vectors: Tensor  # (B, m, n)
    rows: tuple[Tensor, ...]  # its m views (B, n)

    @classmethod
    def zeros(cls, y: Tensor, slots: int) -> RingBuffer:
        """Room for ``slots`` vectors like ``y`` (B, n)."""
        vectors = y.new_zeros(y.shape[0], slots, y.shape[1])
        return cls(vectors, vectors.unbind(1))


@dataclass
class SmallSystem:
    """The m x m system of each sample for the coefficients c, in float32 at least.

    An unused slot holds a row and a column of the identity, and its right-hand side is zero: it
    gets c = 0.
    """

    matrix: Tensor  # (B, m, m)
    identity: Tensor  # (m, m) the system of an empty history
    rows: tuple[Tensor, ...]  # views (B, m) of the matrix's rows
    columns: tuple[Tensor, ...]  # views (B, m) of its columns
    diagonal: tuple[Tensor, ...]  # views (B,) of its diagonal

    @classmethod
    def empty(cls, y: Tensor, slots: int) -> SmallSystem:
        """The system of an empty history for ``y`` (B, n)."""
        dtype = torch.promote_types(y.dtype, torch.float32)  # LAPACK has no half precision
        identity = torch.eye(slots, dtype=dtype, device=y.device)
        matrix = identity.repeat(y.shape[0], 1, 1)
        return cls(
            matrix,
            identity,
            rows=matrix.unbind(1),
            columns=matrix.unbind(2),
            diagonal=matrix.diagonal(dim1=1, dim2=2).unbind(1),
        )

    def clear(self, samples: Tensor) -> None:
        """Forget the history of ``samples`` (B,) bool."""
        self.matrix.copy_(torch.where(samples[:, None, None], self.identity, self.matrix))

    def solve(self, rhs: Tensor, *, out: Tensor) -> None:
        """Write the coefficients c for ``rhs`` (B, m) to ``out``; a singular system gets zeros.

        With c = 0 the step is Picard's. `solve_ex` reports a singular system by infinities or
        NaN, where `solve` would make the host wait to find out, and then raise.
        """
        if rhs.dtype != self.matrix.dtype:
            c = torch.linalg.solve_ex(self.matrix, rhs.to(self.matrix.dtype))[0].to(out.dtype)
        else:
            c = torch.linalg.solve_ex(self.matrix, rhs)[0]
        torch.nan_to_num(c, 0.0, 0.0, 0.0, out=out)


@dataclass
class SecantState(MethodState):
    """One solve by a secant method."""

    settings: Secant  # of the method
    sync_is_cheap: bool  # whether the host may look in each step
    t: int  # the present step, from 0; -1 before it
    slots: int  # m, the differences that are remembered
    dz: RingBuffer  # m differences of z = y + damping r
    c: Tensor  # (B, m) coefficients, of the last step
    system: SmallSystem  # for c
    z: Tensor  # (B, n) z of the last step
    safeguard: Safeguard | None = field(default=None, init=False)  # None before the first step
    written_at: Tensor | None = field(default=None, init=False)  # (m,) step of a slot's writing
    in_use: Tensor | None = field(default=None, init=False)  # (B, m) 1 or 0; None: all ones

    def step(self, y: Tensor, g: Tensor, r: Tensor, norm: Tensor) -> Verdict:
        """See `MethodState.step`."""
        self.t += 1
        if self.safeguard is None:
            return self._first_step(y, g, r, norm)
        y, r, bad = self.safeguard.judge(self.t, y, r, norm)
        if bad is not None:
            self.system.clear(bad)
        # z_t and the newest difference dz = z_t - z_{t-1}, over the oldest
        z = self._picard_point(y, g, r, bad)
        slot = (self.t - 1) % self.slots
        torch.sub(z, self.z, out=self.dz.rows[slot])
        self.z = z
        rejections = self.safeguard.rejections
        if rejections is not None:
            self._mark_slots_in_use(slot, rejections)
        self.remember(slot, y, r)
        # c from the small system
        rhs = self.extend(slot)
        self.system.solve(rhs, out=self.c)
        # y_{t+1} = z_t - sum_j c_j dz_j
        c_row = self.c.unsqueeze(1)  # (B, 1, m)
        ahead = torch.baddbmm(z.unsqueeze(1), c_row, self.dz.vectors, alpha=-1).squeeze(1)
        if rejections is None:
            return Verdict(ahead)
        if bad is not None:
            # from the best point, damping / 2^k of its residual at the k-th rejection in a row
            length = (self.settings.damping * 0.5**rejections.in_a_row).to(y)
            short = torch.addcmul(y, length.unsqueeze(1), r)
            ahead = torch.where(bad.unsqueeze(1), short, ahead)
        return Verdict(ahead, rejections=rejections.in_a_row)

    @abstractmethod
    def remember_first(self, y: Tensor, r: Tensor) -> None:
        """Keep the first point, from which the first differences will be taken."""

    @abstractmethod
    def remember(self, slot: int, y: Tensor, r: Tensor) -> None:
        """Write the newest differences to ``slot``, and keep the point for the next ones."""

    @abstractmethod
    def extend(self, slot: int) -> Tensor:
        """Write row and column ``slot`` of the small system; return its right-hand side (B, m)."""

    def _first_step(self, y: Tensor, g: Tensor, r: Tensor, norm: Tensor) -> Verdict:
        """A damped Picard step: there is no difference yet."""
        self.safeguard = Safeguard.at_start(
            y, r, norm, growth=self.settings.growth, sync_is_cheap=self.sync_is_cheap
        )
        self.z = self._picard_point(y, g, r, None)
        self.remember_first(y, r)
        rejections = self.safeguard.rejections
        return Verdict(self.z, rejections=None if rejections is None else rejections.in_a_row)

    def _picard_point(self, y: Tensor, g: Tensor, r: Tensor, bad: Tensor | None) -> Tensor:
        """Z = y + damping r, where y and r are those of the best point for ``bad`` samples."""
        if self.settings.damping != 1:
            return torch.add(y, r, alpha=self.settings.damping)
        # g itself where it can be: y + r rounds, and a sample must not notice that another one
        # was rejected
        if bad is None:
            return g
        return torch.where(bad.unsqueeze(1), y + r, g)

    def _mark_slots_in_use(self, slot: int, rejections: Rejections) -> None:
        """A slot is in use for a sample if it was written after its last rejection."""
        if self.written_at is None:
            writing = {(t - 1) % self.slots: t for t in range(1, self.t)}
            steps = [writing.get(index, -1) for index in range(self.slots)]
            self.written_at = torch.tensor(steps, device=self.z.device)
        self.written_at[slot] = self.t
        self.in_use = (self.written_at > rejections.last_at.unsqueeze(1)).to(self.z)
