"""Newton's method with a matrix-free linear solve.

Each Newton step solves (1 - dG/dy) d = r in Krylov spaces (GMRES), and then goes y + s d with a
step length s that is halved until |r| falls. Each evaluation of G does one of three things for a
sample, its phase:

==========  =======================================================================
``BASE``    evaluates a point that is accepted whatever its residual
``KRYLOV``  multiplies a Krylov vector with dG/dy at the accepted point
``TRIAL``   evaluates y + s d, which is accepted if its residual is small enough
==========  =======================================================================

Samples of a batch are in different phases, so that each step computes every update and keeps it
where it applies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from equilibria.checks import is_real, require, require_int, require_real
from equilibria.derivatives import Arnoldi, tangent
from equilibria.solvers import norms
from equilibria.solvers.method import Method, MethodState, Operator, Verdict

__all__ = ["NewtonKrylov"]

BASE, KRYLOV, TRIAL = range(3)
SUFFICIENT_DECREASE = 1e-4  # a trial must reduce |r| by this fraction of s (Armijo's condition)


@dataclass(frozen=True, kw_only=True)
class NewtonKrylov(Method):
    """Newton's method on r(y) = G(y, x) - y: solve (1 - dG/dy) d = r, then y <- y + s d.

    krylov      largest Krylov space. There are no restarts: a direction that GMRES did not finish
                is taken if it reduces |r|.
    forcing     GMRES stops at a linear residual of forcing * |r|
    backtracks  s = 1, 1/2, 1/4, ... with at most this many halvings, until |r| falls by the factor
                1 - 1e-4 s; after that the sample has STAGNATED
    continuation, path
                solve path(x, s) for each s of the tuple in turn, each from the solution before
                (paper, section 4: from easy forcing to the hard one). path gets x and s, a (B,)
                tensor with each sample's current value; path(x, last) must be x.
    stage_tol   relative residual at which the stages before the last end

    A product with dG/dy is an evaluation, since it computes G(y, x) too. It counts as one in steps
    and max_steps, and its entry in the residuals is that of its y. Products run in forward mode or,
    where G has an operation without one, through two backward passes. Where no tol was reached, y
    is the last point accepted.
    Raises TypeError or ValueError for settings that cannot be right, and for one of continuation
    and path alone.
    """

    krylov: int = 30
    forcing: float = 0.05
    backtracks: int = 10
    continuation: tuple[float, ...] = ()
    path: Callable[[Any, Tensor], Any] | None = None
    stage_tol: float = 1e-2

    takes_back: ClassVar[bool] = True

    def __post_init__(self) -> None:
        require_int("krylov", self.krylov, least=1)
        require_int("backtracks", self.backtracks, least=1)
        require_real("forcing", self.forcing)
        require(0 < self.forcing < 1, "forcing", self.forcing, "in (0, 1)")
        require_real("stage_tol", self.stage_tol)
        require(0 < self.stage_tol < 1, "stage_tol", self.stage_tol, "in (0, 1)")
        numbers = isinstance(self.continuation, tuple) and all(map(is_real, self.continuation))
        require(numbers, "continuation", self.continuation, "a tuple of numbers", TypeError)
        callable_or_none = self.path is None or callable(self.path)
        require(callable_or_none, "path", self.path, "callable or None", TypeError)
        both = (self.continuation, self.path)
        together = bool(self.continuation) == (self.path is not None)
        require(together, "continuation and path", both, "given together or not at all")

    def start(self, y: Tensor, *, sync_is_cheap: bool) -> tuple[MethodState, Verdict]:
        """See `Method.start`."""
        batch = len(y)
        zeros = y.new_zeros(batch)
        path = None
        if self.path is not None:
            path = Continuation.at_first_stage(self.path, self.continuation, y)
        state = NewtonKrylovState(
            settings=self,
            sync_is_cheap=sync_is_cheap,
            path=path,
            phase=torch.full((batch,), BASE, device=y.device),
            base=y,
            norm=zeros,
            direction=torch.zeros_like(y),
            length=zeros + 1,
            halvings=zeros,
            space=Arnoldi.empty(y, min(self.krylov, y.shape[1])),
            pushed=y,
            two_backwards=False,
        )
        stuck = torch.zeros(batch, dtype=torch.bool, device=y.device)
        decisive = None if path is None else path.at_last
        return state, Verdict(y, decisive=decisive, stuck=stuck)


@dataclass
class Continuation:
    """A path of problems from an easy one to the one asked for."""

    path: Callable[[Any, Tensor], Any]  # (x, s) -> the input at s
    values: tuple[float, ...]  # s of each stage
    stages: Tensor  # (S,) the same
    stage: Tensor  # (B,) int64: which of them each sample is at
    at_last: Tensor  # (B,) bool: which samples solve the problem that was asked for
    checked: bool = False  # whether path(x, last) was compared with x

    @classmethod
    def at_first_stage(
        cls, path: Callable[[Any, Tensor], Any], values: tuple[float, ...], y: Tensor
    ) -> Continuation:
        """Every sample of ``y`` (B, n) at its first stage."""
        stage = torch.zeros(len(y), dtype=torch.long, device=y.device)
        return cls(path, values, y.new_tensor(values), stage, at_last=stage == len(values) - 1)

    def advance(self, onward: Tensor) -> None:
        """Go on to the next stage for samples ``onward`` (B,) bool."""
        self.stage = self.stage + onward.long()
        self.at_last = self.stage == len(self.values) - 1

    def input(self, x: Any, y: Tensor) -> Any:
        """The input at each sample's present stage.

        Raises ValueError, at the first call, where the path does not lead to ``x``.
        """
        if not self.checked:
            self._check(x, y)
            self.checked = True
        return self.path(x, self.stages[self.stage])

    def _check(self, x: Any, y: Tensor) -> None:
        if not isinstance(x, Tensor):
            return
        value = self.values[-1]
        last = self.path(x, y.new_full((len(y),), value))
        leads_to_x = isinstance(last, Tensor) and last.shape == x.shape and torch.allclose(last, x)
        if not leads_to_x:
            raise ValueError(
                f"path(x, {value!r}) must be x: "
                "the last stage of continuation is the problem itself"
            )


@dataclass
class NewtonKrylovState(MethodState):
    """One solve by Newton-Krylov."""

    settings: NewtonKrylov  # of the method
    sync_is_cheap: bool  # whether the host may look in each step
    path: Continuation | None  # stages of continuation, if asked for
    phase: Tensor  # (B,) int64: BASE, KRYLOV or TRIAL, what the next evaluation is for
    base: Tensor  # (B, n) the point accepted last
    norm: Tensor  # (B,) |r| there
    direction: Tensor  # (B, n) d
    length: Tensor  # (B,) s of the next trial
    halvings: Tensor  # (B,) floating: how often s was halved along this direction
    space: Arnoldi  # Krylov spaces of 1 - dG/dy at base
    pushed: Tensor  # (B, ...) dG/dy times the present Krylov vector
    two_backwards: bool  # whether G was seen to have no forward mode

    def evaluate(self, G: Operator, y: Tensor, x: Any) -> Tensor:
        """See `MethodState.evaluate`; computes the Krylov product on the way, if one is due."""
        if self.path is not None:
            x = self.path.input(x, y)
        if self.sync_is_cheap and not bool((self.phase == KRYLOV).any()):
            return G(y, x)
        v = self.space.newest().reshape(y.shape)
        g, self.pushed, self.two_backwards = tangent(lambda y: G(y, x), y, v, self.two_backwards)
        return g

    def step(self, y: Tensor, g: Tensor, r: Tensor, norm: Tensor) -> Verdict:
        """See `MethodState.step`."""
        image = norms.norm(g)
        krylov, trial = self.phase == KRYLOV, self.phase == TRIAL
        falls = norm <= (1 - SUFFICIENT_DECREASE * self.length) * self.norm  # False for NaN
        accepted = (self.phase == BASE) | (trial & falls)
        phase = self.phase
        self._halve(trial & ~falls)
        if not self.sync_is_cheap or bool(krylov.any()):
            solved = self._extend_space(krylov)
            phase = torch.where(solved, TRIAL, phase)
        phase = self._accept(accepted, phase, y, r, norm, image)
        # after too many halvings: back to the base
        stuck = self.halvings > self.settings.backtracks
        self.phase = torch.where(stuck, BASE, phase)
        ahead = self.base + self.length[:, None] * self.direction
        point = torch.where((self.phase == TRIAL)[:, None], ahead, self.base)
        decisive = None if self.path is None else self.path.at_last
        return Verdict(point, decisive=decisive, stuck=stuck)

    def answer(self, y: Tensor) -> Tensor:
        """The last point accepted: the next one may be a trial that nobody has looked at."""
        return self.base

    def _halve(self, failed: Tensor) -> None:
        """Halve the step for samples (B,) whose trial failed."""
        self.length = torch.where(failed, 0.5 * self.length, self.length)
        self.halvings = torch.where(failed, self.halvings + 1, self.halvings)

    def _extend_space(self, active: Tensor) -> Tensor:
        """Add the product to the Krylov spaces of ``active`` samples.

        Returns which samples have a finished direction, (B,) bool.
        """
        product = self.space.newest() - self.pushed.reshape(self.base.shape)  # (1 - dG/dy) v
        exhausted = self.space.extend(product, active)
        # d = V c with the c that makes |r - (1 - dG/dy) V c| least
        c, left = self.space.least_squares(self.norm)
        solved = active & ((left <= self.settings.forcing * self.norm) | exhausted)
        self.direction = torch.where(solved[:, None], self.space.combine(c), self.direction)
        self.length = torch.where(solved, 1.0, self.length)
        self.halvings = torch.where(solved, 0.0, self.halvings)
        return solved

    def _accept(
        self, accepted: Tensor, phase: Tensor, y: Tensor, r: Tensor, norm: Tensor, image: Tensor
    ) -> Tensor:
        """Make y the base of ``accepted`` samples, with a new Krylov space.

        Returns the new phases, (B,).
        """
        self.base = torch.where(accepted[:, None], y, self.base)
        self.norm = torch.where(accepted, norm, self.norm)
        self.space.restart(accepted, r, norm)
        if self.path is None:
            return torch.where(accepted, KRYLOV, phase)
        # on to the next stage, whose problem is evaluated at the same point first
        small = norm <= self.settings.stage_tol * image
        onward = accepted & ~self.path.at_last & small
        self.path.advance(onward)
        return torch.where(accepted, torch.where(onward, BASE, KRYLOV), phase)
