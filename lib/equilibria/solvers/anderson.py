"""Anderson acceleration: the combination of past points with the least residual."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from equilibria.checks import require, require_real
from equilibria.solvers.method import MethodState, Verdict
from equilibria.solvers.secant import RingBuffer, Secant, SecantState, SmallSystem

__all__ = ["DEFAULT_METHOD", "Anderson"]


@dataclass(frozen=True, kw_only=True)
class Anderson(Secant):
    """Anderson acceleration (type II), safeguarded.

    y_{t+1} = y_t + b r_t - sum_j c_j (dy_j + b dr_j),   c = argmin |r_t - sum_j c_j dr_j|^2,

    with b = damping and the last `history` differences dy, dr (Walker and Ni 2011). The Gram matrix
    of the dr gains one row per step. `regularisation` times its diagonal is added to it (None: 20
    machine epsilons of the dtype).

    Safeguard: a point whose residual is NaN or above `growth` times the least so far is taken back.
    That sample forgets its history and goes on from its best point with a shorter step. Growth
    below that is allowed, so maps on which Picard diverges can still be solved.

    Raises TypeError or ValueError for history < 1, damping outside (0, 1], regularisation < 0 or
    growth <= 1.
    """

    regularisation: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.regularisation is not None:
            require_real("regularisation", self.regularisation)
            at_least_0 = self.regularisation >= 0
            require(at_least_0, "regularisation", self.regularisation, "at least 0")

    def start(self, y: Tensor, *, sync_is_cheap: bool) -> tuple[MethodState, Verdict]:
        """See `Method.start`."""
        ridge = self.regularisation
        if ridge is None:
            ridge = 20 * torch.finfo(y.dtype).eps
        slots = min(self.history, y.shape[1])
        differences = RingBuffer.zeros(y, slots + 1)
        dr = differences.vectors
        state = AndersonState(
            settings=self,
            sync_is_cheap=sync_is_cheap,
            t=-1,
            slots=slots,
            dz=RingBuffer.zeros(y, slots),
            c=y.new_zeros(len(y), slots),
            system=SmallSystem.empty(y, slots),
            z=y,
            dr=differences,
            # rows `slot` and m of dr: a stride of m - slot starts at one and hits the other
            pairs=tuple(dr[:, slot :: slots - slot] for slot in range(slots)),
            factor=dr[:, :slots].mT,
            products=y.new_empty(len(y), 2, slots),
            ridges=(1 + ridge * torch.eye(slots, dtype=y.dtype, device=y.device)).unbind(0),
        )
        return state, Verdict(y)


@dataclass
class AndersonState(SecantState):
    """One solve by Anderson acceleration."""

    dr: RingBuffer  # m differences of the residual; the row after them holds r_t
    pairs: tuple[Tensor, ...]  # per slot a view (B, 2, n): dr_slot and r_t
    factor: Tensor  # (B, n, m) a view: the dr_j as columns
    products: Tensor  # (B, 2, m): dr_slot . dr_j and r_t . dr_j
    ridges: tuple[Tensor, ...]  # per slot (m,): 1, and at the slot what the diagonal is scaled by

    def __post_init__(self) -> None:
        self.row, self.rhs = self.products.unbind(1)

    def remember_first(self, y: Tensor, r: Tensor) -> None:
        """See `SecantState.remember_first`."""
        self.dr.rows[-1].copy_(r)

    def remember(self, slot: int, y: Tensor, r: Tensor) -> None:
        """See `SecantState.remember`."""
        torch.sub(r, self.dr.rows[-1], out=self.dr.rows[slot])  # dr = r_t - r_{t-1}
        self.dr.rows[-1].copy_(r)

    def extend(self, slot: int) -> Tensor:
        """See `SecantState.extend`.

        Normal equations of the least-squares problem: (dr_i . dr_j) c = dr_i . r_t. Only the
        products with the newest dr are new; r_t lies in the same buffer, so that one batched
        product computes them and the right-hand side.
        """
        torch.bmm(self.pairs[slot], self.factor, out=self.products)
        if self.in_use is not None:
            self.products.mul_(self.in_use.unsqueeze(1))
        self.row.mul_(self.ridges[slot])
        self.system.rows[slot].copy_(self.row)
        self.system.columns[slot].copy_(self.row)
        return self.rhs


DEFAULT_METHOD = Anderson()  # of `solve`; it is frozen, so that one object serves every call
