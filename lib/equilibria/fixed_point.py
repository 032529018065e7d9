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

__all__ = ["solve", "trajectory", "Solution", "Status", "SolveError", "Picard", "Anderson", "Broyden"]

DIVERGED_AT = 1e6  # a residual this many times the larger of |r_0| and |G(y_0)| has left the problem
REJECTIONS = 12  # bad points in a row that a safeguarded method takes back before it gives a sample up
STAGNATED_AFTER = 40  # evaluations in which the best residual must fall by STAGNATED_BELOW, relatively
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
                lines.append(f"{len(which)} of {len(mask)} samples {status.name} (sample {shown}): {_ADVICE[status]}")
        super().__init__(f"{what} failed: " + "; ".join(lines))


# ---------------------------------------------------------------------------------------------------------- methods


def _require(ok: bool, name: str, value: Any, need: str, error: type[Exception] = ValueError) -> None:
    if not ok:
        raise error(f"{name} must be {need}, got {value!r}")


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


class Method:
    """Base of the methods; settings are checked when built."""

    _patience: int | None = STAGNATED_AFTER  # None: the method itself knows when it is stuck (state.stuck)

    def _start(self, y: Tensor) -> SimpleNamespace:
        """State for a start `y` (B, n)."""
        return SimpleNamespace(ready=None, stuck=None, rejected=None)

    def _evaluate(self, G: Callable, state: SimpleNamespace, y: Tensor, x: Any) -> Tensor:
        return G(y, x)

    def _step(self, state: SimpleNamespace, y: Tensor, g: Tensor, r: Tensor, norm: Tensor) -> Tensor:
        """Next point (B, n) from g = G(y), r = g - y and norm = |r| (B,)."""
        raise NotImplementedError


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
class Anderson(Method):
    """Anderson acceleration (type II), safeguarded.

    y_{t+1} = y_t + b r_t - sum_j c_j (dy_j + b dr_j),   c = argmin |r_t - sum_j c_j dr_j|^2,
    with the last `history` differences dy, dr in a ring buffer. The Gram matrix of the dr gains one row a step; it is
    scaled to a unit diagonal and `regularisation` is added there (None: 20 machine epsilons of the dtype).

    Safeguard: a point whose residual exceeds `growth` times the least one since the last restart is rejected: that
    sample forgets its history and goes on from the point before, with a damped step. Growth below that is allowed,
    so a map on which Picard diverges can still be solved.

    Raises ValueError for history < 1, damping outside (0, 1], regularisation < 0 or growth <= 1.
    """

    history: int = 10
    damping: float = 1.0
    regularisation: float | None = None
    growth: float = 10.0
    _patience = 100

    def __post_init__(self):
        _check_secant(self)
        if self.regularisation is not None:
            _require(_is_real(self.regularisation), "regularisation", self.regularisation, "a number or None", TypeError)
            _require(self.regularisation >= 0, "regularisation", self.regularisation, "at least 0")

    def _start(self, y):
        batch, n = y.shape
        state = _start_secant(self, y)
        state.dr = y.new_zeros(batch, self.history + 1, n)  # the last row holds r_t, so one product gives Gram row and rhs
        state.grams = (y.new_zeros(batch, self.history, self.history),)
        state.ridge = 20 * torch.finfo(y.dtype).eps if self.regularisation is None else self.regularisation
        return state

    def _step(self, state, y, g, r, norm):
        y, r, z = _safeguard(self, state, y, g, r, norm)
        slot = _slot(self, state, z)
        if slot is None:
            state.dr[:, -1] = r
            return z
        m = self.history
        torch.sub(r, state.dr[:, m], out=state.dr[:, slot])
        state.dr[:, m] = r
        products = torch.bmm(state.dr, state.dr[:, slot :: m - slot].mT)[:, :m]  # (B, m, 2): dr_j . dr_slot, dr_j . r
        if state.valid is not None:
            products = products * state.valid[:, :, None]
        gram = state.grams[0]
        gram[:, slot] = products[:, :, 0]
        gram[:, :, slot] = products[:, :, 0]
        scale = gram.diagonal(dim1=1, dim2=2).clamp_min(torch.finfo(y.dtype).tiny).rsqrt()  # (B, m)
        unit = gram * scale[:, :, None] * scale[:, None, :]
        unit.diagonal(dim1=1, dim2=2).add_(state.ridge)
        c = torch.linalg.solve_ex(unit, products[:, :, 1] * scale)[0] * scale
        return torch.baddbmm(z[:, None], c[:, None], state.dz, alpha=-1)[:, 0]


@dataclass(frozen=True, kw_only=True)
class Broyden(Method):
    """Broyden's (good) method for r(y) = G(y, x) - y = 0 with limited memory, safeguarded as `Anderson` is.

    y_{t+1} = y_t + b r_t - sum_j c_j (dy_j + b dr_j),   (S'R + L(S'S) / b) c = S' r_t,
    the compact form of the inverse update from -b I by the last `history` pairs (columns of S = dy, R = dr), where L
    keeps the strictly lower triangle in order of age. One new row and column a step. Where that small system is
    singular the sample takes a damped Picard step.

    Raises ValueError for history < 1, damping outside (0, 1] or growth <= 1.
    """

    history: int = 10
    damping: float = 1.0
    growth: float = 10.0
    _patience = 100

    def __post_init__(self):
        _check_secant(self)

    def _start(self, y):
        m = self.history
        state = _start_secant(self, y)
        state.dy = y.new_zeros(len(y), m + 1, y.shape[1])  # the last row holds r_t
        state.grams = (y.new_zeros(len(y), m, m), y.new_zeros(len(y), m, m))  # dy_i . dr_j and dy_i . dy_j
        age = (torch.arange(m)[None] - torch.arange(m)[:, None] - 1) % m  # age[s, i]: rank of slot i when s is newest
        state.later = (age[:, :, None] > age[:, None, :]).to(y)
        state.y = state.rhs = None
        return state

    def _step(self, state, y, g, r, norm):
        m, before = self.history, state.dy[:, -1]
        y, r, z = _safeguard(self, state, y, g, r, norm)
        slot = _slot(self, state, z)
        if slot is None:
            before.copy_(r)
            state.y, state.rhs = y, y.new_zeros(len(y), m)
            return z
        new = state.dy[:, slot]
        torch.sub(y, state.y, out=new)
        state.y = y
        state.rhs[:, slot] = torch.linalg.vecdot(new, before)  # now dy_j . r_{t-1} for every j
        before.copy_(r)
        products = torch.bmm(state.dy, state.dy[:, slot :: m - slot].mT)[:, :m]  # (B, m, 2): dy_j . dy_slot, dy_j . r
        beta = self.damping if state.beta is None else state.beta[:, None]
        row = (torch.bmm(state.dz, new[:, :, None])[:, :, 0] - products[:, :, 0]) / beta  # dy_slot . dr_j
        column = products[:, :, 1] - state.rhs  # dy_j . dr_slot
        if state.valid is not None:
            products, row, column = products * state.valid[:, :, None], row * state.valid, column * state.valid
        rhs = state.rhs = products[:, :, 1].clone()
        cross, own = state.grams
        cross[:, slot], cross[:, :, slot] = row, column
        own[:, slot], own[:, :, slot] = products[:, :, 0], products[:, :, 0]
        system = cross + own * state.later[slot] / (beta if state.beta is None else beta[:, :, None])
        size = own.diagonal(dim1=1, dim2=2)
        system.diagonal(dim1=1, dim2=2).add_((size == 0).to(size))  # empty slots
        scale = torch.where(size == 0, 1.0, size).rsqrt()
        system = system * scale[:, :, None] * scale[:, None, :]
        c = torch.linalg.solve_ex(system, rhs * scale)[0] * scale
        c = torch.where(torch.isfinite(c).all(dim=1, keepdim=True), c, 0.0)
        return torch.baddbmm(z[:, None], c[:, None], state.dz, alpha=-1)[:, 0]


def _check_secant(method) -> None:
    _require(_is_int(method.history), "history", method.history, "an int", TypeError)
    _require(method.history >= 1, "history", method.history, "at least 1")
    for name in ("damping", "growth"):
        _require(_is_real(getattr(method, name)), name, getattr(method, name), "a number", TypeError)
    _require(0 < method.damping <= 1, "damping", method.damping, "in (0, 1]")
    _require(method.growth > 1, "growth", method.growth, "above 1")


def _start_secant(method, y: Tensor) -> SimpleNamespace:
    batch, n = y.shape
    return SimpleNamespace(
        ready=None, stuck=None,
        t=-1,
        waits=_waits(y),
        dz=y.new_zeros(batch, method.history, n),
        z=None, best=None, beta=None, rejected=None, since=None, valid=None,
        born=torch.full((method.history,), -1, device=y.device),
    )  # fmt: skip


def _safeguard(method, state, y, g, r, norm):
    """Reject a point whose residual grew too much; returns y, r and z = y + beta r, each (B, n), of the point to go on from.

    A rejected sample goes back to its best point with an empty history (`valid`) and half the beta; a new least
    residual doubles its beta again, up to `damping`. Until the first rejection beta = damping and none of this costs.
    """
    state.t += 1
    if state.t == 0:
        state.best = (y, r, norm)
    best_y, best_r, least = state.best
    bad = ~(norm <= method.growth * least)  # also NaN
    better = norm < least
    any_bad = not state.waits or bool(bad.any())
    if state.beta is None and any_bad:
        state.beta, state.since = torch.full_like(norm, method.damping), torch.full_like(norm, -1)
        state.rejected = torch.zeros_like(norm)
    if state.beta is None:
        z = g if method.damping == 1 else torch.add(y, r, alpha=method.damping)
    else:
        beta = torch.where(better, (2 * state.beta).clamp_max(method.damping), state.beta)
        state.beta = torch.where(bad, 0.5 * beta, beta)
        state.rejected = torch.where(bad, state.rejected + 1, torch.where(better, 0.0, state.rejected))
        if any_bad and state.t > 0:
            y = torch.where(bad[:, None], best_y, y)
            r = torch.where(bad[:, None], best_r, r)
            state.since = torch.where(bad, state.t, state.since)
            for gram in state.grams:
                gram.masked_fill_(bad[:, None, None], 0.0)
        z = torch.addcmul(y, state.beta[:, None], r)
    if not state.waits or bool(better.any()):
        all_better = state.waits and bool(better.all())
        choose = lambda new, old: new if all_better else torch.where(better[:, None], new, old)
        state.best = (choose(y, best_y), choose(r, best_r), torch.minimum(norm, least))
    return y, r, z


def _slot(method, state, z):
    """Write z_t - z_{t-1} into the ring; returns the slot, None at the first step."""
    if state.t == 0:
        state.z = z
        return None
    slot = (state.t - 1) % method.history
    torch.sub(z, state.z, out=state.dz[:, slot])
    state.z = z
    if state.beta is not None:
        state.born[slot] = state.t
        state.valid = (state.born > state.since[:, None]).to(z.dtype)
    return slot


def _waits(y: Tensor) -> bool:
    """True where asking the host about a tensor is cheap."""
    return y.device.type == "cpu"


# ------------------------------------------------------------------------------------------------------------- loop


def solve(G: Callable, y0: Tensor, x: Any, *, method: Method = Anderson(), max_steps: int = 50,
          tol: float | None = None, throw: bool = True) -> Solution:  # fmt: skip
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
    _require(y0.dim() >= 1 and y0.numel() > 0, "y0", tuple(y0.shape), "of shape (B, ...), not empty")
    _require(isinstance(method, Method), "method", method, "a Picard, Anderson, Broyden or NewtonKrylov object", TypeError)
    _require(_is_int(max_steps), steps_name, max_steps, "an int", TypeError)
    _require(max_steps >= 1, steps_name, max_steps, "at least 1")
    if tol is not None:
        _require(_is_real(tol), "tol", tol, "a number or None", TypeError)
        eps = torch.finfo(y0.dtype).eps
        _require(eps <= tol < 1, "tol", tol, f"in [{eps:.3g}, 1), the resolution of {y0.dtype}")
    if isinstance(x, Tensor):
        batched = x.dim() >= 1 and x.shape[0] == y0.shape[0]
        _require(batched, "x", tuple(x.shape), f"batched like y0, which has shape {tuple(y0.shape)}")
        same = not (x.is_floating_point() or x.is_complex()) or x.dtype == y0.dtype
        _require(same, "x", x.dtype, f"of y0's dtype {y0.dtype}", TypeError)
        _require(x.device == y0.device, "x", x.device, f"on y0's device {y0.device}")
    finite = torch.isfinite(y0).reshape(y0.shape[0], -1).all(dim=1)
    if not bool(finite.all()):
        raise ValueError(f"y0 must be finite, got NaN or infinity in samples {(~finite).nonzero().flatten().tolist()}")


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
    """The loop of every method. No host synchronisation per step: the host looks every SYNC_EVERY steps, if tol asks."""
    shape, batch = y0.shape, y0.shape[0]
    y = y0.reshape(batch, -1)  # (B, n)
    waits = _waits(y)
    state = method._start(y)
    size = y.new_full((2, max_steps, batch), torch.nan)  # |r| and |G(y)| of each evaluation
    out = torch.zeros(max_steps, batch, dtype=torch.bool, device=y.device)  # left for good
    met = torch.zeros(max_steps, batch, dtype=torch.bool, device=y.device)  # passed the stop test
    alive = torch.ones(batch, dtype=torch.bool, device=y.device)
    stuck_at = torch.full((batch,), max_steps, device=y.device)
    limit = y.new_tensor(torch.inf)
    count = 0
    for k in range(max_steps):
        g = _image(method._evaluate(G, state, y.view(shape), x), y0).reshape(batch, -1)
        r = g - y
        norm, image = vector_norm(r.detach(), dim=1), vector_norm(g.detach(), dim=1)
        size[0, k], size[1, k] = norm, image
        count = k + 1
        if k == 0:
            limit = (DIVERGED_AT * torch.maximum(norm, image)).clamp_max(torch.finfo(y.dtype).max)
        going = norm <= limit  # False for NaN
        if k > 0 and state.rejected is not None:
            going |= state.rejected < REJECTIONS
        torch.logical_not(going, out=out[k])
        if tol is not None:
            torch.le(norm, tol * image, out=met[k])
            if state.ready is not None:
                met[k] &= state.ready
            going &= ~met[k]
        alive &= going
        if tol is not None:
            stuck = _stuck(method, state, size, count)
            if stuck is not None:
                stuck_at = torch.where(alive & stuck, k, stuck_at)
                alive &= ~stuck
            if (waits or count % SYNC_EVERY == 0) and not bool(alive.any()):
                break
        ahead = method._step(state, y, g, r, norm)
        y = ahead if waits and bool(alive.all()) else torch.where(alive[:, None], ahead, y)
    return _conclude(y.view(shape), size[:, :count], met[:count], out[:count], stuck_at, tol)


def _stuck(method, state, size, count) -> Tensor | None:
    """(B,) bool: which samples stagnate; None when it is not the time to look."""
    if method._patience is None:
        return state.stuck
    if count < STAGNATION_EVERY or count % STAGNATION_EVERY:
        return None
    relative = size[0, :count] / size[1, :count]  # (count, B)
    best = relative.amin(dim=0)
    floor = 100 * torch.finfo(relative.dtype).eps
    before = relative[: -STAGNATION_EVERY].amin(dim=0) if count > STAGNATION_EVERY else torch.full_like(best, torch.inf)
    stuck = (best < floor) & (best > 0.5 * before)
    if count > method._patience:
        stuck |= best > (1 - STAGNATED_BELOW) * relative[: -method._patience].amin(dim=0)
    return stuck


def _conclude(y, size, met, out, stuck_at, tol) -> Solution:
    norm, image = size  # (K, B)
    count = len(norm)
    index = torch.arange(count, device=y.device)[:, None]
    ended = met | out | (index == stuck_at)
    last = torch.where(ended, index, count - 1).amin(dim=0)  # (B,) the evaluation each sample ended with
    pick = lambda history: history.gather(0, last[None])[0]
    default = Status.SUCCESS if tol is None else Status.BUDGET_SPENT
    status = torch.full_like(last, default, dtype=torch.int8)
    status[last == stuck_at] = Status.STAGNATED
    status[pick(out)] = Status.DIVERGED
    status[pick(out & norm.isnan())] = Status.NAN
    status[pick(met)] = Status.SUCCESS
    # an iterate that was never evaluated may still be broken
    status[~torch.isfinite(y.detach()).flatten(1).all(dim=1) if y.dim() > 1 else ~torch.isfinite(y.detach())] = Status.NAN
    residuals = torch.where(index <= last, norm / image, torch.nan)
    residuals = torch.where((index <= last) & (norm == 0), 0.0, residuals)  # 0 / 0 at a fixed point y = 0
    residuals = torch.where((index <= last) & residuals.isnan(), torch.inf, residuals)  # an evaluation that met NaN
    return Solution(y=y, status=status, steps=last + 1, residuals=residuals.T[:, : int(last.max()) + 1].contiguous())
