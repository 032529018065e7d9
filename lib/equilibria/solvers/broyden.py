"""Broyden's method: a Jacobian that is learned from differences."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equilibria.solvers.method import MethodState, Verdict
from equilibria.solvers.secant import RingBuffer, Secant, SecantState, SmallSystem

__all__ = ["Broyden"]


@dataclass(frozen=True, kw_only=True)
class Broyden(Secant):
    """Broyden's (good) method for r(y) = G(y, x) - y = 0 with limited memory.

    y_{t+1} = y_t + b r_t - sum_j c_j (dy_j + b dr_j),   (S'R + L(S'S) / b) c = S' r_t,

    with b = damping: the compact form (Byrd, Nocedal and Schnabel 1994) of the inverse update from
    -b I by the last `history` pairs, which are the columns of S = dy and R = dr. L keeps the
    strictly lower triangle in order of age. It is safeguarded as `Anderson` is.

    Raises TypeError or ValueError for history < 1, damping outside (0, 1] or growth <= 1.
    """

    def start(self, y: Tensor, *, sync_is_cheap: bool) -> tuple[MethodState, Verdict]:
        """See `Method.start`."""
        slots = min(self.history, y.shape[1])
        dz = RingBuffer.zeros(y, slots)
        dy = RingBuffer.zeros(y, slots + 2)
        state = BroydenState(
            settings=self,
            sync_is_cheap=sync_is_cheap,
            t=-1,
            slots=slots,
            dz=dz,
            c=y.new_zeros(len(y), slots),
            system=SmallSystem.empty(y, slots),
            z=y,
            dy=dy,
            ends=dy.vectors[:, -2:],
            dy_columns=dy.vectors[:, :-2].mT,
            dz_columns=dz.vectors.mT,
            y=y,
        )
        return state, Verdict(y)


@dataclass
class BroydenState(SecantState):
    """One solve by Broyden's method."""

    dy: RingBuffer  # m differences of y; the two rows after them hold r_t and the newest dr
    ends: Tensor  # (B, 2, n) a view: r_t and the newest dr
    dy_columns: Tensor  # (B, n, m) a view: the dy_j as columns
    dz_columns: Tensor  # (B, n, m) a view: the dz_j as columns
    y: Tensor  # (B, n) the last point

    def remember_first(self, y: Tensor, r: Tensor) -> None:
        """See `SecantState.remember_first`."""
        self.dy.rows[-2].copy_(r)
        self.y = y

    def remember(self, slot: int, y: Tensor, r: Tensor) -> None:
        """See `SecantState.remember`."""
        torch.sub(y, self.y, out=self.dy.rows[slot])  # dy = y_t - y_{t-1}
        torch.sub(r, self.dy.rows[-2], out=self.dy.rows[-1])  # dr = r_t - r_{t-1}
        self.dy.rows[-2].copy_(r)
        self.y = y

    def extend(self, slot: int) -> Tensor:
        """See `SecantState.extend`.

        The system is multiplied by b, so that nothing is divided by it. With i the newest pair:
        row i, against older pairs j, is b dy_i . dr_j + dy_i . dy_j = dy_i . dz_j, since
        dz = dy + b dr; column i is b dy_j . dr_i, since L is zero there; the right-hand side is
        b S' r_t.
        """
        newest = self.dy.rows[slot].unsqueeze(1)
        row = torch.bmm(newest, self.dz_columns).squeeze(1)  # (B, m): dy_slot . dz_j
        products = torch.bmm(self.ends, self.dy_columns)  # (B, 2, m): r . dy_j, dr_slot . dy_j
        if self.settings.damping != 1:
            products = products * self.settings.damping
        if self.in_use is not None:
            row = row * self.in_use
            products = products * self.in_use.unsqueeze(1)
        rhs, column = products.unbind(1)
        self.system.rows[slot].copy_(row)
        self.system.columns[slot].copy_(column)  # after the row: the diagonal is b dy_i . dr_i
        if self.in_use is not None:
            # a slot that is not in use keeps its 1 on the diagonal, so that its c is 0
            self.system.diagonal[slot].add_(1 - self.in_use.select(1, slot))
        return rhs
