"""Who has ended, when and why: the trace of a solve, and the stop tests that read it.

=================  =========================================================================
passed             |r| / |G(y)| <= tol, with tol alone
lost               |r| beyond its limit or NaN, and the method does not take the point back
stuck              the best residual no longer falls, or the method gives up; with tol alone
=================  =========================================================================
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.linalg import vector_norm

from equilibria.solvers.method import Method, Verdict
from equilibria.solvers.norms import correct_norm, exact_range
from equilibria.solvers.solution import Solution, Status

__all__ = ["Endings", "Trace"]

DIVERGED_AT = 1e6  # a sample has diverged at this many times the larger of |r_0| and |G(y_0)|
REJECTIONS = 12  # a sample is given up after this many bad points in a row
STAGNATED_BELOW = 1e-4  # within a method's patience the best residual must fall by this fraction
STAGNATION_EVERY = 10  # evaluations between two looks for stagnation
SYNC_EVERY = 4  # evaluations between two stop tests on a device whose host must wait for them


class Trace:
    """|r| and |G(y)| of each evaluation, (max_steps, B) each, NaN where none was made.

    They are float32 at least, and good for numbers of any size (`equilibria.solvers.norms`). The
    rows are views that are made once: to index a tensor in each step would cost about as much as
    the norm that is written there.
    """

    def __init__(self, y: Tensor, max_steps: int, *, sync_is_cheap: bool) -> None:
        self.sync_is_cheap = sync_is_cheap
        self.range = exact_range(y)
        dtype = torch.promote_types(y.dtype, torch.float32)
        both = y.new_full((2, max_steps, y.shape[0]), torch.nan, dtype=dtype)
        self.norms, self.images = both.unbind(0)
        self.rows = both.unbind(1)  # both, (2, B) each
        self.norm_rows = self.norms.unbind(0)
        self.image_rows = self.images.unbind(0)
        self.most = torch.inf  # no number of the last record is above it, where the host may look

    def record(self, k: int, g: Tensor, r: Tensor) -> None:
        """Write evaluation ``k``, outside of any graph."""
        if r.requires_grad:
            r = r.detach()
        if g.requires_grad:
            g = g.detach()
        norm, image = self.norm_rows[k], self.image_rows[k]
        vector_norm(r, dim=1, dtype=norm.dtype, out=norm)
        vector_norm(g, dim=1, dtype=norm.dtype, out=image)
        low, high = self.range
        if self.sync_is_cheap:
            least, most = torch.aminmax(self.rows[k])
            self.most = most.item()
            if low <= least.item() and self.most <= high:
                return
        correct_norm(r, norm, low, high)
        correct_norm(g, image, low, high)
        if self.sync_is_cheap:
            self.most = self.rows[k].amax().item()


class Endings:
    """The bookkeeping of who has ended.

    Where the host may look at tensors in each step (``sync_is_cheap``), it looks whether anything
    happened at all and skips the rest. On a GPU everything is computed in each step, without
    waiting, and the host looks every SYNC_EVERY steps, if there is a tol.
    """

    def __init__(
        self, trace: Trace, method: Method, y: Tensor, tol: float | None, *, sync_is_cheap: bool
    ) -> None:
        max_steps, batch = trace.norms.shape
        self.trace = trace
        self.method = method
        self.tol = tol
        self.sync_is_cheap = sync_is_cheap
        marks = torch.zeros(2, max_steps, batch, dtype=torch.bool, device=y.device)
        self.passed, self.lost = marks.unbind(0)  # (K, B) what each evaluation found
        self.stuck_at = torch.full((batch,), max_steps, device=y.device)  # (B,) max_steps: never
        self.alive = torch.ones(batch, dtype=torch.bool, device=y.device)  # (B,) still going
        self.limit: Tensor  # (B,) the residual beyond which a sample has diverged, from k = 0 on
        self.least_limit: float  # the least of them, where the host may look
        self.any_ended = False  # False: no sample has ended; True: one may have
        self.evaluations = 0

    def update(self, k: int, verdict: Verdict) -> None:
        """Find out who ends with evaluation ``k``, of the point that ``verdict`` proposed."""
        self.evaluations = k + 1
        if k == 0:
            self._set_limit()
        if self._anything_to_mark(k):
            self.any_ended = True
            self._mark_passed(k, verdict)
            self._mark_lost(k, verdict)
            # not in place: autograd may hold it, when iterations are unrolled
            self.alive = self.alive & ~(self.passed[k] | self.lost[k])
        if self.tol is not None:
            self._mark_stuck(k, verdict)

    def all_ended(self) -> bool:
        """Whether no sample is going on, as far as the host has looked."""
        if self.tol is None or not self.any_ended:
            return False
        time_to_look = self.sync_is_cheap or self.evaluations % SYNC_EVERY == 0
        return time_to_look and not bool(self.alive.any())

    def hold(self, y: Tensor, ahead: Tensor) -> Tensor:
        """``ahead`` for samples that go on, ``y`` for those that have ended, (B, n)."""
        if not self.any_ended:
            return ahead
        return self.choose(y, ahead)

    def choose(self, y: Tensor, ahead: Tensor) -> Tensor:
        """Like `hold`, but does not first check whether a sample has ended."""
        return torch.where(self.alive.unsqueeze(1), ahead, y)

    def solution(self, y: Tensor) -> Solution:
        """The `Solution` with state ``y`` (B, ...)."""
        count = self.evaluations
        norms = self.trace.norms[:count]  # (K, B), as are the next three
        images = self.trace.images[:count]
        passed = self.passed[:count]
        lost = self.lost[:count]
        index = torch.arange(count, device=y.device)[:, None]  # (K, 1)
        ended = passed | lost | (index == self.stuck_at)
        last = torch.where(ended, index, count - 1).amin(dim=0)  # (B,) a sample's last evaluation
        residuals = norms / images
        residuals = residuals.masked_fill(norms == 0, 0.0)  # 0 / 0 at a fixed point y = 0
        residuals = residuals.masked_fill(residuals.isnan(), torch.inf)  # evaluations that met NaN
        residuals = residuals.masked_fill(index > last, torch.nan)
        return Solution(
            y=y,
            status=self._status(y, norms, passed, lost, last),
            steps=last + 1,
            residuals=residuals[: int(last.max()) + 1].T.contiguous(),
        )

    def _set_limit(self) -> None:
        scale = torch.maximum(self.trace.norm_rows[0], self.trace.image_rows[0])
        # clamped, so that an infinite residual is beyond every limit
        self.limit = (DIVERGED_AT * scale).clamp_max(torch.finfo(scale.dtype).max)
        if self.sync_is_cheap:
            self.least_limit = self.limit.amin().item()

    def _anything_to_mark(self, k: int) -> bool:
        """Whether evaluation ``k`` may have ended a sample, or one had ended before."""
        if self.any_ended or not self.sync_is_cheap:
            return True
        # numbers of the host settle nearly every step; they err on the side of looking closer
        if not self.trace.most <= self.least_limit:  # also where it is NaN
            return True
        if self.tol is None:
            return False
        relative = self.trace.norm_rows[k] / self.trace.image_rows[k]
        return not relative.amin().item() > self.tol  # also for 0 / 0

    def _mark_passed(self, k: int, verdict: Verdict) -> None:
        if self.tol is None:
            return
        passed = (
            self._is_small(k, self.tol) & self.trace.image_rows[k].isfinite()
        )  # inf / 2 inf is not small
        if verdict.decisive is not None:
            passed = passed & verdict.decisive
        self.passed[k] = passed

    def _is_small(self, k: int, tol: float) -> Tensor:
        """Where |r| / |G| is at most tol, (B,) bool; 0 / 0 is, NaN is not.

        The quotient keeps its digits where tol |G| would underflow.
        """
        norm = self.trace.norm_rows[k]
        return (norm / self.trace.image_rows[k] <= tol) | (norm == 0)

    def _mark_lost(self, k: int, verdict: Verdict) -> None:
        lost = ~(self.trace.norm_rows[k] <= self.limit)  # True for NaN
        if self.method.takes_back and k > 0:
            if verdict.rejections is None:
                lost = torch.zeros_like(lost)
            else:
                lost = lost & (verdict.rejections >= REJECTIONS)
        self.lost[k] = lost

    def _mark_stuck(self, k: int, verdict: Verdict) -> None:
        stuck = verdict.stuck
        if stuck is None and (k + 1) > STAGNATION_EVERY and (k + 1) % STAGNATION_EVERY == 0:
            stuck = self._stagnating(k + 1)
        if stuck is None:
            return
        if self.sync_is_cheap and not bool(stuck.any()):
            return
        self.stuck_at = torch.where(self.alive & stuck, k, self.stuck_at)
        self.alive = self.alive & ~stuck
        self.any_ended = True

    def _stagnating(self, count: int) -> Tensor:
        """Which samples no longer improve after ``count`` evaluations, (B,) bool."""
        relative = self.trace.norms[:count] / self.trace.images[:count]  # (count, B)
        best = relative.amin(dim=0)
        # at the floor of the dtype: less than halved since the last look
        floor = 100 * torch.finfo(relative.dtype).eps
        stuck = (best < floor) & (best > 0.5 * relative[:-STAGNATION_EVERY].amin(dim=0))
        patience = self.method.patience
        if count > patience:
            stuck |= best > (1 - STAGNATED_BELOW) * relative[:-patience].amin(dim=0)
        return stuck

    def _status(
        self, y: Tensor, norms: Tensor, passed: Tensor, lost: Tensor, last: Tensor
    ) -> Tensor:
        """Codes of `Status`, (B,) int8; later ones win."""

        def at_last(marks: Tensor) -> Tensor:
            return marks.gather(0, last[None])[0]

        unended = Status.SUCCESS if self.tol is None else Status.BUDGET_SPENT
        status = torch.full_like(last, unended, dtype=torch.int8)
        status = status.masked_fill(last == self.stuck_at, Status.STAGNATED)
        status = status.masked_fill(at_last(lost), Status.DIVERGED)
        status = status.masked_fill(at_last(lost & norms.isnan()), Status.NAN)
        status = status.masked_fill(at_last(passed), Status.SUCCESS)
        # the last iterate of a spent budget was never evaluated, and may be broken
        finite = torch.isfinite(y.detach()).reshape(len(y), -1).all(dim=1)
        return status.masked_fill(~finite, Status.NAN)
