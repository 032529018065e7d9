"""Fixed points y* = G(y*, x): the loop of every method (paper, section 2: y_t = G(y_{t-1}, x)).

=====================  =====================================================================
``G(y, x)``            the operator; tensors are batched on dimension 0, and `x` may be any
                       object that G understands
``y``                  state, (B, ...); inside a method it is flat, (B, n)
``r = G(y, x) - y``    residual, measured before damping; reported as |r| / |G(y, x)| per sample
``t``                  iteration: one evaluation of G
=====================  =====================================================================

The loop evaluates, records, finds out who has ended, and steps. `equilibria.solvers.method` says
what a method is, `equilibria.solvers.endings` when a sample ends: it is then held where it is, and
cannot touch its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from equilibria.checks import require
from equilibria.solvers.anderson import DEFAULT_METHOD
from equilibria.solvers.checks import check_solve_arguments, image_like
from equilibria.solvers.endings import Endings, Trace
from equilibria.solvers.method import Method, Operator
from equilibria.solvers.picard import Picard
from equilibria.solvers.solution import Solution, SolveError

__all__ = ["iterate", "solve", "trajectory"]


def solve(
    G: Operator,
    y0: Tensor,
    x: Any,
    *,
    method: Method = DEFAULT_METHOD,
    max_steps: int = 50,
    tol: float | None = None,
    throw: bool = True,
) -> Solution:
    """Solve y = G(y, x) for each sample of a batch as if it were alone.

    G          callable (y, x) -> tensor of y's shape, dtype and device, which treats samples
               (dimension 0) independently
    y0         (B, ...) finite start of a real floating dtype; the paper starts from zeros
    x          anything that G understands; a tensor must be batched like y0, on its device, and of
               its dtype if floating
    method     a Picard, Anderson, Broyden or NewtonKrylov object; Anderson() by default
    max_steps  most evaluations of G; with tol=None exactly this many are made, and that counts as
               success: the paper's test-time compute t is a request
    tol        stop each sample at |G(y, x) - y| / |G(y, x)| <= tol; a sample that does not get
               there has failed
    throw      whether to raise when a sample failed; otherwise look at `.status`

    Returns a `Solution` without gradients; `equilibria.equilibrium` gives them.
    Raises TypeError or ValueError for arguments that cannot be right, before the first evaluation,
    or after it when G returns something unlike y; `SolveError`, which carries the solution, for
    failed samples.

    >>> import torch
    >>> x = torch.tensor([[0.5], [2.0]])
    >>> G = lambda y, x: y - 0.4 * (x * y - 1)  # its fixed point is 1 / x (paper, section 2)
    >>> solution = solve(G, torch.zeros(2, 1), x, method=Picard(), max_steps=100, tol=1e-6)
    >>> solution.y.round(decimals=4).flatten().tolist()
    [2.0, 0.5]
    """
    check_solve_arguments(G, y0, x, method, max_steps, tol)
    require(isinstance(throw, bool), "throw", throw, "a bool", TypeError)
    with torch.no_grad():
        solution = iterate(G, y0.detach(), x, method, max_steps, tol)
    if throw and not bool(solution.success.all()):
        raise SolveError(solution)
    return solution


def trajectory(G: Operator, y0: Tensor, x: Any, steps: int) -> Iterator[Tensor]:
    """The iterates y_1, ..., y_steps of y_t = G(y_{t-1}, x) (paper, section 2), one at a time.

    Gradients flow through the iterates where they are enabled. Shapes and errors as in `solve`.

    >>> import torch
    >>> y0, x = torch.zeros(1, 1), torch.ones(1, 1)
    >>> [round(y_t.item(), 3) for y_t in trajectory(lambda y, x: 0.5 * y + x, y0, x, 3)]
    [1.0, 1.5, 1.75]
    """
    check_solve_arguments(G, y0, x, Picard(), steps, None, steps_name="steps")
    return _iterates(G, y0, x, steps)


def iterate(
    G: Operator, y0: Tensor, x: Any, method: Method, max_steps: int, tol: float | None
) -> Solution:
    """Run the loop of `solve`, for arguments that are checked, without raising for failed samples.

    Steps of `Picard` can be differentiated through, where gradients are enabled.
    """
    shape = y0.shape
    batch = shape[0]
    y = y0.reshape(batch, -1)  # (B, n)
    sync_is_cheap = host_sync_is_cheap(y)
    trace = Trace(y, max_steps, sync_is_cheap=sync_is_cheap)
    endings = Endings(trace, method, y, tol, sync_is_cheap=sync_is_cheap)
    state, verdict = method.start(y, sync_is_cheap=sync_is_cheap)
    for k in range(max_steps):
        # evaluate
        g = image_like(state.evaluate(G, y.view(shape), x), y0).reshape(batch, -1)
        r = g - y
        # record
        trace.record(k, g, _exact_residual(g, y, r))
        # who has ended?
        endings.update(k, verdict)
        if endings.all_ended():
            break
        # step
        verdict = state.step(y, g, r, trace.norm_rows[k])
        y = endings.hold(y, verdict.point)
    y = endings.choose(y, state.answer(y))
    return endings.solution(y.view(shape))


def host_sync_is_cheap(y: Tensor) -> bool:
    """Whether the host can ask about tensors like ``y`` without waiting for another device."""
    return y.device.type == "cpu"


def _exact_residual(g: Tensor, y: Tensor, r: Tensor) -> Tensor:
    """G - y for the trace: half precision would round it to two or three digits."""
    return r if r.dtype.itemsize >= 4 else g.float() - y.float()


def _iterates(G: Operator, y: Tensor, x: Any, steps: int) -> Iterator[Tensor]:
    for _ in range(steps):
        y = image_like(G(y, x), y)
        yield y
