"""Broyden's method against the dense update that it stands for."""

import equilibria as eq
import torch
from equilibria import Broyden
from fixed_point_problems import rotation


def test_broyden_equals_the_dense_update():
    """Good Broyden with the dense inverse Jacobian H, from -damping I, step by step."""
    problem, damping = rotation(batch=1), 0.8
    method = Broyden(history=20, damping=damping)
    y = problem.y0[0]
    h = -damping * torch.eye(40, dtype=torch.float64)
    r = problem.G(y[None], problem.x)[0] - y
    for t in range(1, 9):
        s = -h @ r
        y = y + s
        after = problem.G(y[None], problem.x)[0] - y
        change = after - r
        # H <- H + (s - H dr) s'H / s'H dr
        h = h + torch.outer(s - h @ change, s @ h) / (s @ h @ change)
        r = after
        ours = eq.solve(problem.G, problem.y0, problem.x, method=method, max_steps=t).y[0]
        torch.testing.assert_close(ours, y, rtol=1e-9, atol=1e-10)
