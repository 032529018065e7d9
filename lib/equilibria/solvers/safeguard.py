"""The safeguard of secant methods: a point that is much worse than the best is taken back."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Rejections", "Safeguard"]


@dataclass
class Rejections:
    """How often points of each sample were taken back."""

    in_a_row: Tensor  # (B,) floating: bad points since the last new least residual
    last_at: Tensor  # (B,) floating: step of the last bad point, -1 for none

    @classmethod
    def none_yet(cls, norm: Tensor) -> Rejections:
        """Counts at zero for samples with residual norms ``norm`` (B,)."""
        return cls(torch.zeros_like(norm), torch.full_like(norm, -1))


@dataclass
class Safeguard:
    """The best point of each sample, to which it goes back from bad ones."""

    growth: float  # a residual above growth * least is bad
    sync_is_cheap: bool  # whether the host may look in each step
    best_y: Tensor  # (B, n) the point with the least residual so far
    best_r: Tensor  # (B, n) its residual
    least: Tensor  # (B,) the norm of that
    rejections: Rejections | None  # None: no point has been rejected, so nothing is counted

    @classmethod
    def at_start(
        cls, y: Tensor, r: Tensor, norm: Tensor, *, growth: float, sync_is_cheap: bool
    ) -> Safeguard:
        """A safeguard whose best point is the first one."""
        # a host that must not look cannot know whether a point was bad: it counts from the start
        rejections = None if sync_is_cheap else Rejections.none_yet(norm)
        return cls(growth, sync_is_cheap, y, r, norm, rejections)

    def judge(
        self, t: int, y: Tensor, r: Tensor, norm: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """The point (y, r) to go on from, and which samples were at a bad one.

        Returns y and r (B, n), and (B,) bool, or None where no sample was.
        """
        change = norm / self.least
        calm = all_better = none_better = False
        if self.sync_is_cheap:
            low, high = (bound.item() for bound in torch.aminmax(change))  # NaN if any is
            calm = high <= self.growth
            all_better = high < 1
            none_better = low >= 1
        bad = None
        if not calm:
            bad = ~(change <= self.growth)  # True for NaN
            self._count(t, bad, norm)
            y = torch.where(bad.unsqueeze(1), self.best_y, y)
            r = torch.where(bad.unsqueeze(1), self.best_r, r)
        if not none_better:
            self._keep_best(y, r, norm, None if all_better else change < 1)
        if self.rejections is not None and not none_better:
            # a new least residual ends a row of rejections
            self.rejections.in_a_row = torch.where(change < 1, 0.0, self.rejections.in_a_row)
        return y, r, bad

    def _count(self, t: int, bad: Tensor, norm: Tensor) -> None:
        if self.rejections is None:
            self.rejections = Rejections.none_yet(norm)
        self.rejections.in_a_row = self.rejections.in_a_row + bad.to(norm)
        self.rejections.last_at = torch.where(bad, t, self.rejections.last_at)

    def _keep_best(self, y: Tensor, r: Tensor, norm: Tensor, better: Tensor | None) -> None:
        """Remember the point where it is ``better`` (B,), or everywhere (None)."""
        if better is None:
            self.best_y, self.best_r, self.least = y, r, norm
            return
        choose = better.unsqueeze(1)
        self.best_y = torch.where(choose, y, self.best_y)
        self.best_r = torch.where(choose, r, self.best_r)
        self.least = torch.where(better, norm, self.least)
