"""Fixed points y* = G(y*, x): one loop, and the methods that plug into it (paper, section 2: y_t = G(y_{t-1}, x)).

====================  ==================================================================================
``G(y, x)``           the operator; tensors are batched on dimension 0, `x` may be any object G understands
``y``                 state, (B, ...); inside a method it is flat, (B, n)
``r = G(y, x) - y``   residual, always measured before damping; reported as |r| / |G(y, x)| per sample
``t``                 iteration = one evaluation of G
====================  ==================================================================================

A method is a frozen settings object with `_start` (makes the state) and `_step` (one update of the state, from one
evaluation of G to the next point). The loop in `_iterate` does the evaluating, recording and stopping for all of
them, per sample: a sample that has ended is held where it is and cannot touch its neighbours.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor
from torch.linalg import vector_norm

from equilibria.derivatives import tangent

__all__ = [
    "Anderson",
    "Broyden",
    "NewtonKrylov",
    "Picard",
    "Solution",
    "SolveError",
    "Status",
    "solve",
    "trajectory",
]

DIVERGED_AT = (
    1e6  # a residual this many times the larger of |r_0| and |G(y_0)| has left the problem
)
REJECTIONS = (
    12  # bad points in a row that a safeguarded method takes back before it gives a sample up
)
STAGNATED_AFTER = (
    40  # evaluations in which the best residual must fall by STAGNATED_BELOW, relatively
)
STAGNATED_BELOW = 1e-4
STAGNATION_EVERY = 10  # evaluations between two looks for stagnation
SYNC_EVERY = 4  # evaluations between two stop tests on a device whose host must wait for them


class Status(enum.IntEnum):
    """How a sample ended; `Solution.status` holds these codes."""

    SUCCESS = 0  # reached tol, or (tol=None) spent exactly its budget
    BUDGET_SPENT = 1  # asked for tol and ran out of max_steps
    DIVERGED = 2  # residual grew beyond DIVERGED_AT
    STAGNATED = 3  # residual stopped falling above tol
    NAN = 4  # G or the method produced NaN


_ADVICE = {
    Status.BUDGET_SPENT: "raise max_steps, loosen tol, or use Anderson or NewtonKrylov",
    Status.DIVERGED: "G is no contraction here: lower `damping`, use Anderson, Broyden or NewtonKrylov, or start nearer",
    Status.STAGNATED: "tol may lie below what the dtype can resolve, or the iteration cycles: use float64, damping or another method",
    Status.NAN: "G returned NaN: check x and the domain of G, lower `damping`, or start nearer",
}


@dataclass(frozen=True)
class Solution:
    """What a solve returns.

    y          (B, ...)  tol=None: the iterate y_t that follows the last of t = max_steps evaluations (Picard: G applied t
               times). tol given: a solved sample's y is the very point whose residual passed; a sample that spent its
               budget gives the iterate after the last evaluation; one that diverged, stagnated or met NaN gives the
               last point evaluated, which is finite.
    status     (B,) int8, codes of `Status`
    steps      (B,) int64, evaluations of G made for this sample until its end
    residuals  (B, K)    |G(y, x) - y| / |G(y, x)| at each evaluation, before damping; NaN after the sample's end
    """

    y: Tensor
    status: Tensor
    steps: Tensor
    residuals: Tensor

    @property
    def success(self) -> Tensor:
        """(B,) bool."""
        return self.status == Status.SUCCESS


class SolveError(RuntimeError):
    """At least one sample failed; `.solution` holds everything that was computed."""

    def __init__(self, solution: Solution, what: str = "solve"):
        self.solution = solution
        lines = []
        for status in Status:
            mask = (solution.status == status).tolist()
            if status is not Status.SUCCESS and any(mask):
                which = [i for i, hit in enumerate(mask) if hit]
                shown = ", ".join(map(str, which[:8])) + (", ..." if len(which) > 8 else "")
                lines.append(
                    f"{len(which)} of {len(mask)} samples {status.name} (sample {shown}): {_ADVICE[status]}"
                )
        super().__init__(f"{what} failed: " + "; ".join(lines))


# ---------------------------------------------------------------------------------------------------------- methods


def _require(
    ok: bool, name: str, value: Any, need: str, error: type[Exception] = ValueError
) -> None:
    if not ok:
        raise error(f"{name} must be {need}, got {value!r}")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


class Method:
    """Base of the methods; settings are checked when built."""

    _patience: int | None = (
        STAGNATED_AFTER  # None: the method itself knows when it is stuck (state.stuck)
    )
    _guarded = False  # takes bad points back by itself, up to REJECTIONS in a row (state.rejected counts them)

    def _start(self, y: Tensor) -> SimpleNamespace:
        """State for a start `y` (B, n)."""
        return SimpleNamespace(ready=None, stuck=None, rejected=None)

    def _evaluate(self, G: Callable, state: SimpleNamespace, y: Tensor, x: Any) -> Tensor:
        return G(y, x)

    def _step(
        self, state: SimpleNamespace, y: Tensor, g: Tensor, r: Tensor, norm: Tensor
    ) -> Tensor:
        """Next point (B, n) from g = G(y), r = g - y and norm = |r| (B,)."""
        raise NotImplementedError

    def _answer(self, state: SimpleNamespace, y: Tensor) -> Tensor:
        """(B, n) for samples that are still going when the budget ends; `y` is the next point."""
        return y


@dataclass(frozen=True, kw_only=True)
class Picard(Method):
    """y_{t+1} = (1 - damping) y_t + damping G(y_t, x); the paper's iteration at damping 1 (section 2).

    Converges at rate mu for a regular operator (contraction modulus mu).
    Raises ValueError unless 0 < damping <= 1.
    """

    damping: float = 1.0

    def __post_init__(self):
        _require(_is_real(self.damping), "damping", self.damping, "a number", TypeError)
        _require(0 < self.damping <= 1, "damping", self.damping, "in (0, 1]")

    def _step(self, state, y, g, r, norm):
        return g if self.damping == 1 else y + self.damping * r


@dataclass(frozen=True, kw_only=True)
class _Secant(Method):
    """What Anderson and Broyden share: y_{t+1} = z_t - sum_j c_j dz_j with z = y + damping r, and the safeguard.

    The last `history` differences (at most n) live in ring buffers; slots not in use hold zeros and get c = 0. The small
    system is kept in float32 at least.
    """

    history: int = 10
    damping: float = 1.0
    growth: float = 10.0
    _patience = 100
    _guarded = True

    def __post_init__(self):
        _require(_is_int(self.history), "history", self.history, "an int", TypeError)
        _require(self.history >= 1, "history", self.history, "at least 1")
        for name in ("damping", "growth"):
            _require(
                _is_real(getattr(self, name)), name, getattr(self, name), "a number", TypeError
            )
        _require(0 < self.damping <= 1, "damping", self.damping, "in (0, 1]")
        _require(self.growth > 1, "growth", self.growth, "above 1")

    def _start(self, y):
        batch, n = y.shape
        m = min(self.history, n)
        empty = torch.eye(m, dtype=torch.promote_types(y.dtype, torch.float32), device=y.device)
        state = SimpleNamespace(
            t=-1,
            slots=m,
            waits=_waits(y),
            ready=None,
            stuck=None,
            best=None,
            z=None,
            y=None,
            dz=y.new_zeros(batch, m, n),
            c=y.new_zeros(batch, m),
            empty=empty,
            system=empty.repeat(batch, 1, 1),  # for c
            rejected=None,
            since=None,
            valid=None,
            born=None,
        )
        state.dz_rows, state.rows, state.columns = (
            state.dz.unbind(1),
            state.system.unbind(1),
            state.system.unbind(2),
        )
        state.diagonal = state.system.diagonal(dim1=1, dim2=2).unbind(1)
        return state

    def _step(self, state, y, g, r, norm):
        state.t += 1
        y, r, bad = self._safeguard(state, y, r, norm)
        if self.damping != 1:
            z = torch.add(y, r, alpha=self.damping)
        else:  # g itself where it can be: y + r rounds, and a sample must not notice that another one was rejected
            z = g if bad is None else torch.where(bad.unsqueeze(1), y + r, g)
        before, state.z = state.z, z
        if state.t == 0:
            self._remember(state, None, y, r)
            return z
        slot = (state.t - 1) % state.slots
        torch.sub(z, before, out=state.dz_rows[slot])
        if state.rejected is not None:
            state.born[slot] = state.t
            state.valid = (state.born > state.since.unsqueeze(1)).to(y)  # (B, history)
        self._remember(state, slot, y, r)
        c = torch.linalg.solve_ex(state.system, self._extend(state, slot).to(state.system.dtype))[0]
        torch.nan_to_num(
            c.to(y.dtype), 0.0, 0.0, 0.0, out=state.c
        )  # a singular system: a Picard step
        ahead = torch.baddbmm(z.unsqueeze(1), state.c.unsqueeze(1), state.dz, alpha=-1).squeeze(1)
        if bad is not None:
            short = torch.addcmul(y, (self.damping * 0.5**state.rejected).unsqueeze(1), r)
            ahead = torch.where(bad.unsqueeze(1), short, ahead)
        return ahead

    def _safeguard(self, state, y, r, norm) -> tuple[Tensor, Tensor, Tensor | None]:
        """Y and r (B, n) of the point to go on from, and which samples had theirs rejected (None: surely none).

        A rejected sample goes back to its best point, with an empty history (`valid`) and a step of damping / 2^k at
        its k-th rejection in a row; a new least residual ends the row. Without rejections the host finds that out
        (where asking is cheap) and nothing more is computed.
        """
        if state.t == 0:
            state.best = (y, r, norm)
            if not state.waits:
                self._expect_rejections(state, norm)
            return y, r, None
        best_y, best_r, least = state.best
        change = norm / least
        if state.waits:
            low, high = (v.item() for v in torch.aminmax(change))  # NaN if any is
            calm, all_better, none_better = high <= self.growth, high < 1, low >= 1
        else:
            calm = all_better = none_better = False
        bad = None
        if not calm:
            bad = ~(change <= self.growth)
            if state.rejected is None:
                self._expect_rejections(state, norm)
            state.rejected = state.rejected + bad.to(norm)
            state.since = torch.where(bad, state.t, state.since)
            y = torch.where(bad.unsqueeze(1), best_y, y)
            r = torch.where(bad.unsqueeze(1), best_r, r)
            state.system.copy_(torch.where(bad[:, None, None], state.empty, state.system))
        if all_better:
            state.best = (y, r, norm)
        elif not none_better:
            better = change < 1
            choose = better.unsqueeze(1)
            state.best = (
                torch.where(choose, y, best_y),
                torch.where(choose, r, best_r),
                torch.where(better, norm, least),
            )
        if state.rejected is not None and not none_better:
            state.rejected = torch.where(change < 1, 0.0, state.rejected)
        return y, r, bad

    def _expect_rejections(self, state, norm) -> None:
        """From now on keep count of rejections, of when they were and of when each slot was written."""
        state.rejected, state.since = torch.zeros_like(norm), torch.full_like(norm, -1)
        written = {(t - 1) % state.slots: t for t in range(1, state.t)}
        state.born = torch.tensor(
            [written.get(slot, -1) for slot in range(state.slots)], device=norm.device
        )

    def _remember(self, state, slot: int | None, y: Tensor, r: Tensor) -> None:
        """Write the newest difference into `slot` (None: the first point, there is none yet)."""
        raise NotImplementedError

    def _extend(self, state, slot: int) -> Tensor:
        """Write the row and column of `slot` into state.system; returns the right-hand side (B, history)."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Anderson(_Secant):
    """Anderson acceleration (type II), safeguarded.

    y_{t+1} = y_t + b r_t - sum_j c_j (dy_j + b dr_j),   c = argmin |r_t - sum_j c_j dr_j|^2,   b = damping,
    with the last `history` differences dy, dr. The Gram matrix of the dr gains one row a step; `regularisation` times
    its diagonal is added (None: 20 machine epsilons of the dtype).

    Safeguard: a point with a residual above `growth` times the least so far (or NaN) is rejected: that sample forgets
    its history and goes on from its best point with a shorter step. Growth below that is allowed, so a map on which
    Picard diverges can still be solved.

    Raises TypeError or ValueError for history < 1, damping outside (0, 1], regularisation < 0 or growth <= 1.
    """

    regularisation: float | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.regularisation is not None:
            _require(
                _is_real(self.regularisation),
                "regularisation",
                self.regularisation,
                "a number or None",
                TypeError,
            )
            _require(self.regularisation >= 0, "regularisation", self.regularisation, "at least 0")

    def _start(self, y):
        state = super()._start(y)
        m = state.slots
        state.dr = y.new_zeros(len(y), m + 1, y.shape[1])  # the last row holds r_t
        state.dr_rows = state.dr.unbind(1)
        state.pairs = [
            state.dr[:, slot :: m - slot] for slot in range(m)
        ]  # rows `slot` and r_t as one factor
        state.factor = state.dr[:, :m].mT  # (B, n, m)
        state.ridge = (
            20 * torch.finfo(y.dtype).eps if self.regularisation is None else self.regularisation
        )
        return state

    def _remember(self, state, slot, y, r):
        if slot is not None:
            torch.sub(r, state.dr_rows[-1], out=state.dr_rows[slot])
        state.dr_rows[-1].copy_(r)

    def _extend(self, state, slot):
        products = torch.bmm(state.pairs[slot], state.factor)  # (B, 2, m): dr_slot . dr_j, r . dr_j
        if state.valid is not None:
            products = products * state.valid.unsqueeze(1)
        row, rhs = products.unbind(1)
        state.rows[slot].copy_(row)
        state.columns[slot].copy_(row)
        state.diagonal[slot].mul_(1 + state.ridge)
        return rhs


@dataclass(frozen=True, kw_only=True)
class Broyden(_Secant):
    """Broyden's (good) method for r(y) = G(y, x) - y = 0 with limited memory, safeguarded as `Anderson` is.

    y_{t+1} = y_t + b r_t - sum_j c_j (dy_j + b dr_j),   (S'R + L(S'S) / b) c = S' r_t,   b = damping:
    the compact form of the inverse update from -b I by the last `history` pairs (columns of S = dy, R = dr), where L
    keeps the strictly lower triangle in order of age. One row and column a step: against older pairs j the new row
    dy . dr_j + dy . dy_j / b is dy . dz_j / b.

    Raises TypeError or ValueError for history < 1, damping outside (0, 1] or growth <= 1.
    """

    def _start(self, y):
        state = super()._start(y)
        state.dy = y.new_zeros(
            len(y), state.slots + 2, y.shape[1]
        )  # the last rows hold r_t and dr_t
        state.dy_rows, state.ends = state.dy.unbind(1), state.dy[:, -2:]
        state.factors = state.dy[:, :-2].mT, state.dz.mT  # (B, n, m)
        return state

    def _remember(self, state, slot, y, r):
        if slot is not None:
            torch.sub(y, state.y, out=state.dy_rows[slot])
            torch.sub(r, state.dy_rows[-2], out=state.dy_rows[-1])
        state.dy_rows[-2].copy_(r)
        state.y = y

    def _extend(self, state, slot):
        row = torch.bmm(state.dy_rows[slot].unsqueeze(1), state.factors[1]).squeeze(
            1
        )  # (B, m): dy_slot . dz_j
        products = torch.bmm(state.ends, state.factors[0])  # (B, 2, m): r . dy_j, dr_slot . dy_j
        if self.damping != 1:
            products = products * self.damping
        if state.valid is not None:
            row, products = row * state.valid, products * state.valid.unsqueeze(1)
        rhs, column = products.unbind(1)
        state.rows[slot].copy_(row)
        state.columns[slot].copy_(column)
        if state.valid is not None:  # an empty slot: c = 0
            state.diagonal[slot].add_(1 - state.valid.select(1, slot))
        return rhs


@dataclass(frozen=True, kw_only=True)
class NewtonKrylov(Method):
    """Newton's method on r(y) = G(y, x) - y: (1 - dG/dy) d = r by matrix-free GMRES, then y <- y + s d, backtracking.

    krylov      largest Krylov space (no restarts: a step that GMRES did not finish is taken if it reduces |r|)
    forcing     GMRES stops at a linear residual of forcing * |r|
    backtracks  s = 1, 1/2, 1/4, ... at most so many halvings until |r| falls by a factor 1 - 1e-4 s; then STAGNATED
    continuation, path  solve path(x, s) for each s of the tuple in turn, each from the one before (paper, section 4:
                from easy forcing to the hard one). path gets x and s, a (B,) tensor with each sample's current value;
                path(x, last) must be x. The stages before the last end at relative residual stage_tol.

    Each jvp is an evaluation (it computes G(y, x) beside dG/dy v), counts as one in steps and max_steps, and its entry in
    the residuals is that of its y. The jvp runs in forward mode; where G has an operation without one, through two
    backward passes. Where no tol was reached, y is the last point accepted.
    Raises TypeError or ValueError for settings that cannot be right, and for one of continuation and path alone.
    """

    krylov: int = 30
    forcing: float = 0.05
    backtracks: int = 10
    continuation: tuple[float, ...] = ()
    path: Callable[[Any, Tensor], Any] | None = None
    stage_tol: float = 1e-2
    _patience = None
    _guarded = True

    def __post_init__(self):
        for name in ("krylov", "backtracks"):
            _require(_is_int(getattr(self, name)), name, getattr(self, name), "an int", TypeError)
            _require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        for name in ("forcing", "stage_tol"):
            _require(
                _is_real(getattr(self, name)), name, getattr(self, name), "a number", TypeError
            )
            _require(0 < getattr(self, name) < 1, name, getattr(self, name), "in (0, 1)")
        real = isinstance(self.continuation, tuple) and all(_is_real(s) for s in self.continuation)
        _require(real, "continuation", self.continuation, "a tuple of numbers", TypeError)
        _require(
            self.path is None or callable(self.path),
            "path",
            self.path,
            "callable or None",
            TypeError,
        )
        together = bool(self.continuation) == (self.path is not None)
        _require(
            together,
            "continuation and path",
            (self.continuation, self.path),
            "given together or not at all",
        )

    def _start(self, y):
        batch, n = y.shape
        m = min(self.krylov, n)
        empty = torch.diag(y.new_ones(m), -1)[
            :, :m
        ].contiguous()  # Hessenberg (m + 1, m); unused columns do no harm
        zeros = y.new_zeros(batch)
        state = SimpleNamespace(
            rejected=None,
            waits=_waits(y),
            empty=empty,
            krylov=m,
            phase=torch.full((batch,), _BASE, device=y.device),
            stage=torch.zeros(batch, dtype=torch.long, device=y.device),
            base=y,
            norm=zeros,
            direction=torch.zeros_like(y),
            length=zeros + 1,
            tries=zeros,
            basis=y.new_zeros(batch, m + 1, n),
            hessenberg=empty.repeat(batch, 1, 1),
            column=torch.zeros(batch, dtype=torch.long, device=y.device),
            tangent=None,
            two_backwards=False,
            checked=not self.continuation,
            stages=y.new_tensor(self.continuation),
            sample=torch.arange(batch, device=y.device),
            stuck=torch.zeros(batch, dtype=torch.bool, device=y.device),
            ready=None,
        )
        if self.continuation:
            state.ready = state.stage == len(self.continuation) - 1
        return state

    def _evaluate(self, G, state, y, x):
        if self.continuation:
            if not state.checked:
                _check_path(self, x, y)
                state.checked = True
            x = self.path(x, state.stages[state.stage])
        if state.waits and not bool((state.phase == _KRYLOV).any()):
            return G(y, x)
        v = state.basis[state.sample, state.column].reshape(y.shape)
        g, state.tangent, state.two_backwards = tangent(
            lambda y: G(y, x), y, v, state.two_backwards
        )
        return g

    def _step(self, state, y, g, r, norm):
        image = vector_norm(g, dim=1)
        krylov, trial = state.phase == _KRYLOV, state.phase == _TRIAL
        falls = norm <= (1 - 1e-4 * state.length) * state.norm  # False for NaN
        accepted = (state.phase == _BASE) | (trial & falls)
        phase = state.phase
        # a trial that failed: half the step
        failed = trial & ~falls
        state.length = torch.where(failed, 0.5 * state.length, state.length)
        state.tries = torch.where(failed, state.tries + 1, state.tries)
        # a Krylov step; the last one makes a direction and the first trial
        if not state.waits or bool(krylov.any()):
            solved = self._arnoldi(state, krylov)
            phase = torch.where(solved, _TRIAL, phase)
            state.length = torch.where(solved, 1.0, state.length)
            state.tries = torch.where(solved, 0.0, state.tries)
        # a new base: go on to the next stage or start its Krylov space
        state.base = torch.where(accepted[:, None], y, state.base)
        state.norm = torch.where(accepted, norm, state.norm)
        if self.continuation:
            onward = accepted & ~state.ready & (norm <= self.stage_tol * image)
            state.stage = state.stage + onward.long()
            state.ready = state.stage == len(self.continuation) - 1
            phase = torch.where(accepted, torch.where(onward, _BASE, _KRYLOV), phase)
        else:
            phase = torch.where(accepted, _KRYLOV, phase)
        fresh = accepted[:, None, None]
        state.basis.masked_fill_(fresh, 0.0)
        first = r / torch.where(norm > 0, norm, 1.0)[:, None]
        state.basis[:, 0] = torch.where(accepted[:, None], first, state.basis[:, 0])
        state.hessenberg = torch.where(fresh, state.empty, state.hessenberg)
        state.column = torch.where(accepted, 0, state.column)
        # give up: back to the base
        state.stuck = state.tries > self.backtracks
        state.phase = torch.where(state.stuck, _BASE, phase)
        ahead = state.base + state.length[:, None] * state.direction
        return torch.where((state.phase == _TRIAL)[:, None], ahead, state.base)

    def _answer(self, state, y):
        return state.base

    def _arnoldi(self, state, active) -> Tensor:
        """One more column for the `active` samples; returns (B,) which of them have their direction now."""
        m, basis, column = state.krylov, state.basis, state.column.clamp_max(state.krylov - 1)
        w = basis[state.sample, column] - state.tangent.reshape(state.base.shape)  # (1 - dG/dy) v
        entries = w.new_zeros(len(w), m + 1)
        for _ in range(2):  # orthogonal to rounding
            h = torch.bmm(
                w.unsqueeze(1), basis.mT
            )  # (B, 1, m + 1); products with a row are the quick ones
            w = w - torch.bmm(h, basis).squeeze(1)
            entries = entries + h.squeeze(1)
        size = vector_norm(w, dim=1)
        entries[state.sample, column + 1] = size
        kept = state.hessenberg[state.sample, :, column]
        state.hessenberg[state.sample, :, column] = torch.where(active[:, None], entries, kept)
        following = torch.where(size[:, None] > 0, w / size[:, None], 0.0)
        kept = basis[state.sample, column + 1]
        basis[state.sample, column + 1] = torch.where(active[:, None], following, kept)
        rhs = torch.zeros_like(entries)
        rhs[:, 0] = state.norm
        q, triangle = torch.linalg.qr(state.hessenberg)
        c = torch.linalg.solve_triangular(triangle, q.mT @ rhs[:, :, None], upper=True).nan_to_num(
            0.0, 0.0, 0.0
        )  # (B, m, 1)
        left = vector_norm(rhs - (state.hessenberg @ c)[:, :, 0], dim=1)
        solved = active & ((left <= self.forcing * state.norm) | (column + 1 == m) | (size == 0))
        direction = torch.bmm(c.mT, basis[:, :m]).squeeze(1)
        state.direction = torch.where(solved[:, None], direction, state.direction)
        state.column = torch.where(active, column + 1, state.column)
        return solved


_BASE, _KRYLOV, _TRIAL = range(3)  # what a sample's next evaluation is for, in NewtonKrylov


def _check_path(method: NewtonKrylov, x: Any, y: Tensor) -> None:
    last = method.path(x, y.new_full((len(y),), method.continuation[-1]))
    if isinstance(x, Tensor) and not (
        isinstance(last, Tensor) and last.shape == x.shape and torch.allclose(last, x)
    ):
        raise ValueError(
            f"path(x, {method.continuation[-1]!r}) must be x: the last stage of continuation is the problem itself"
        )


def _waits(y: Tensor) -> bool:
    """True where asking the host about a tensor is cheap."""
    return y.device.type == "cpu"


# ------------------------------------------------------------------------------------------------------------- loop


def solve(
    G: Callable,
    y0: Tensor,
    x: Any,
    *,
    method: Method = Anderson(),
    max_steps: int = 50,
    tol: float | None = None,
    throw: bool = True,
) -> Solution:
    """Solve y = G(y, x) for each sample of a batch as if it were alone.

    G          callable (y, x) -> tensor of y's shape, dtype and device; treats samples (dimension 0) independently
    y0         (B, ...) finite, real floating start; the paper starts from zeros
    x          anything G understands; a tensor must be batched like y0 and of its dtype if floating
    method     Picard, Anderson, Broyden or NewtonKrylov object
    max_steps  evaluations of G at most; with tol=None exactly that many are spent, and spending them is success
               (test-time compute t of the paper is a request, not a failure to converge)
    tol        stop each sample at |G(y, x) - y| / |G(y, x)| <= tol; a sample that does not get there has failed
    throw      raise when any sample failed; otherwise look at `.status`

    Returns a `Solution`. No gradients: see `equilibria.equilibrium` for those.
    Raises TypeError or ValueError, before the first evaluation, for arguments that cannot be right (after it when G
    returns something unlike y), and `SolveError`, which carries the solution, for failed samples.

    >>> import torch
    >>> x = torch.tensor([[0.5], [2.0]])
    >>> G = lambda y, x: y - 0.4 * (x * y - 1)  # its fixed point is 1 / x (paper, section 2)
    >>> solve(G, torch.zeros(2, 1), x, method=Picard(), max_steps=100, tol=1e-6).y.round(decimals=4).flatten().tolist()
    [2.0, 0.5]
    """
    _check(G, y0, x, method, max_steps, tol)
    _require(isinstance(throw, bool), "throw", throw, "a bool", TypeError)
    with torch.no_grad():
        solution = _iterate(G, y0.detach(), x, method, max_steps, tol)
    if throw and not bool(solution.success.all()):
        raise SolveError(solution)
    return solution


def trajectory(G: Callable, y0: Tensor, x: Any, steps: int) -> Iterator[Tensor]:
    """y_1, ..., y_steps of Picard's iteration y_t = G(y_{t-1}, x) (paper, section 2), one at a time, nothing kept.

    Differentiable: gradients flow through the iterates if they are enabled. Shapes and errors as in `solve`.

    >>> import torch
    >>> y = torch.zeros(1, 1)
    >>> [round(y_t.item(), 3) for y_t in trajectory(lambda y, x: 0.5 * y + x, y, torch.ones(1, 1), 3)]
    [1.0, 1.5, 1.75]
    """
    _check(G, y0, x, Picard(), steps, None, steps_name="steps")
    return _trajectory(G, y0, x, steps)


def _trajectory(G, y, x, steps):
    for _ in range(steps):
        y = _image(G(y, x), y)
        yield y


def _check(G, y0, x, method, max_steps, tol, steps_name="max_steps") -> None:
    """Everything that can be wrong before the first evaluation."""
    _require(callable(G), "G", G, "callable", TypeError)
    _require(isinstance(y0, Tensor), "y0", type(y0).__name__, "a tensor", TypeError)
    _require(y0.is_floating_point(), "y0", y0.dtype, "of a real floating dtype", TypeError)
    _require(
        y0.dim() >= 1 and y0.numel() > 0, "y0", tuple(y0.shape), "of shape (B, ...), not empty"
    )
    _require(
        isinstance(method, Method),
        "method",
        method,
        "a Picard, Anderson, Broyden or NewtonKrylov object",
        TypeError,
    )
    small = isinstance(method, NewtonKrylov) and y0.dtype not in (torch.float32, torch.float64)
    _require(not small, "y0", y0.dtype, "float32 or float64 for NewtonKrylov", TypeError)
    _require(_is_int(max_steps), steps_name, max_steps, "an int", TypeError)
    _require(max_steps >= 1, steps_name, max_steps, "at least 1")
    if tol is not None:
        _require(_is_real(tol), "tol", tol, "a number or None", TypeError)
        eps = torch.finfo(y0.dtype).eps
        _require(eps <= tol < 1, "tol", tol, f"in [{eps:.3g}, 1), the resolution of {y0.dtype}")
    if isinstance(x, Tensor):
        batched = x.dim() >= 1 and x.shape[0] == y0.shape[0]
        _require(
            batched, "x", tuple(x.shape), f"batched like y0, which has shape {tuple(y0.shape)}"
        )
        same = not x.is_floating_point() or x.dtype == y0.dtype
        _require(same, "x", x.dtype, f"of y0's dtype {y0.dtype}", TypeError)
        _require(x.device == y0.device, "x", x.device, f"on y0's device {y0.device}")
    finite = torch.isfinite(y0)
    if not bool(finite.all()):
        finite = finite.reshape(y0.shape[0], -1).all(dim=1)
        raise ValueError(
            f"y0 must be finite, got NaN or infinity in samples {(~finite).nonzero().flatten().tolist()}"
        )


def _image(g: Any, y: Tensor) -> Tensor:
    """What G returned, which must look like y."""
    if not isinstance(g, Tensor):
        raise TypeError(f"G must return a tensor, got {type(g).__name__}")
    if g.shape != y.shape or g.dtype != y.dtype or g.device != y.device:
        raise ValueError(
            f"G(y, x) must have y's shape {tuple(y.shape)}, dtype {y.dtype} and device {y.device}, "
            f"got {tuple(g.shape)}, {g.dtype}, {g.device}"
        )
    return g


def _iterate(G, y0, x, method, max_steps, tol) -> Solution:
    """The loop of every method.

    No host synchronisation per step on a GPU: the host looks every SYNC_EVERY steps, and only if tol asks. On a CPU,
    where looking is cheap, it looks each step and skips what has nothing to do.
    """
    shape, batch = y0.shape, y0.shape[0]
    y = y0.reshape(batch, -1)  # (B, n)
    waits = _waits(y)
    state = method._start(y)
    norms, images = y.new_full((2, max_steps, batch), torch.nan).unbind(
        0
    )  # |r| and |G(y)| of each evaluation
    norm_rows, image_rows = norms.unbind(0), images.unbind(0)
    met, out = torch.zeros(2, max_steps, batch, dtype=torch.bool, device=y.device).unbind(
        0
    )  # passed; left for good
    alive = torch.ones(batch, dtype=torch.bool, device=y.device)
    stuck_at = torch.full((batch,), max_steps, device=y.device)
    frozen = False
    for k in range(max_steps):
        g = _image(method._evaluate(G, state, y.view(shape), x), y0).reshape(batch, -1)
        r = g - y
        norm, image = norm_rows[k], image_rows[k]
        vector_norm(r.detach() if r.requires_grad else r, dim=1, out=norm)
        vector_norm(g.detach() if g.requires_grad else g, dim=1, out=image)
        if k == 0:
            limit = (DIVERGED_AT * torch.maximum(norm, image)).clamp_max(torch.finfo(y.dtype).max)
        going = (
            None if method._guarded and k > 0 and state.rejected is None else norm <= limit
        )  # False for NaN
        if tol is not None:
            above = norm > tol * image
            going = above if going is None else going & above
        if frozen or not waits or (going is not None and not bool(going.all())):
            frozen = True
            if tol is not None:
                passed = (norm <= tol * image) & image.isfinite()  # inf is not small beside inf
                met[k] = passed if state.ready is None else passed & state.ready
            left = ~(norm <= limit)
            if method._guarded and k > 0:
                left = (
                    left & (state.rejected >= REJECTIONS)
                    if state.rejected is not None
                    else torch.zeros_like(left)
                )
            out[k] = left
            alive = alive & ~(met[k] | out[k])  # not in place: autograd may hold it
        if tol is not None:
            stuck = _stuck(method, state, norms, images, k + 1)
            if stuck is not None and not (waits and not bool(stuck.any())):
                stuck_at = torch.where(alive & stuck, k, stuck_at)
                alive = alive & ~stuck
                frozen = True
            if frozen and (waits or (k + 1) % SYNC_EVERY == 0) and not bool(alive.any()):
                break
        ahead = method._step(state, y, g, r, norm)
        y = torch.where(alive.unsqueeze(1), ahead, y) if frozen else ahead
    y = torch.where(alive.unsqueeze(1), method._answer(state, y), y)
    return _conclude(
        y.view(shape), norms[: k + 1], images[: k + 1], met[: k + 1], out[: k + 1], stuck_at, tol
    )


def _stuck(method, state, norms, images, count) -> Tensor | None:
    """(B,) bool: which samples stagnate; None when it is not the time to look."""
    if method._patience is None:
        return state.stuck
    if count <= STAGNATION_EVERY or count % STAGNATION_EVERY:
        return None
    relative = norms[:count] / images[:count]  # (count, B)
    best = relative.amin(dim=0)
    floor = 100 * torch.finfo(relative.dtype).eps
    stuck = (best < floor) & (best > 0.5 * relative[:-STAGNATION_EVERY].amin(dim=0))
    if count > method._patience:
        stuck |= best > (1 - STAGNATED_BELOW) * relative[: -method._patience].amin(dim=0)
    return stuck


def _conclude(y, norms, images, met, out, stuck_at, tol) -> Solution:
    index = torch.arange(len(norms), device=y.device)[:, None]  # (K, 1)
    ended = met | out | (index == stuck_at)
    last = torch.where(ended, index, len(norms) - 1).amin(
        dim=0
    )  # (B,) the evaluation each sample ended with
    at_last = lambda history: history.gather(0, last[None])[0]
    status = torch.full_like(
        last, Status.SUCCESS if tol is None else Status.BUDGET_SPENT, dtype=torch.int8
    )
    status = status.masked_fill(last == stuck_at, Status.STAGNATED)
    status = status.masked_fill(at_last(out), Status.DIVERGED)
    status = status.masked_fill(at_last(out & norms.isnan()), Status.NAN)
    status = status.masked_fill(at_last(met), Status.SUCCESS)
    finite = (
        torch.isfinite(y.detach()).reshape(len(y), -1).all(dim=1)
    )  # an iterate not yet evaluated may be broken
    status = status.masked_fill(~finite, Status.NAN)
    residuals = norms / images
    residuals = residuals.masked_fill(norms == 0, 0.0)  # 0 / 0 at a fixed point y = 0
    residuals = residuals.masked_fill(residuals.isnan(), torch.inf)  # an evaluation that met NaN
    residuals = residuals.masked_fill(index > last, torch.nan)
    return Solution(
        y=y,
        status=status,
        steps=last + 1,
        residuals=residuals[: int(last.max()) + 1].T.contiguous(),
    )
