"""Labels are optima, the shortest ones where there are several; programs without one are named."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from equilibria.problems import linear_programs as lp
from scipy.optimize import linprog


def test_labels_are_feasible_and_optimal(programs):
    assert programs.violation(programs.y).max() < 1e-8
    assert torch.allclose(programs.objective, (programs.c * programs.y).sum(1), atol=1e-10)
    rng = np.random.default_rng(0)
    for i in range(6):
        other = feasible_point(programs[i], cost=rng.normal(size=50))
        assert programs.c[i].numpy() @ other >= float(programs.objective[i]) - 1e-9


def feasible_point(one, cost):
    """A vertex of the feasible set of one program, chosen by another cost."""
    A, b, equality = one.dense()[0].numpy(), one.b[0].numpy(), one.equality[0].numpy()
    result = linprog(
        cost,
        A[~equality],
        b[~equality],
        A[equality] if equality.any() else None,
        b[equality] if equality.any() else None,
        np.stack([one.l[0], one.u[0]]).T,
    )
    return result.x


def test_the_shortest_point_of_an_optimal_face_is_chosen():
    # Minimise y0 + y1 + y2 on y0 + y1 + y2 >= 3: of the face of optima, (1, 1, 1) is the shortest.
    one = lp.from_arrays([[1.0, 1, 1]], [3.0], [1.0, 1, 1], [-10.0] * 3, [10.0] * 3, [">="])
    assert torch.allclose(one.y, torch.ones(1, 3, dtype=torch.float64), atol=1e-7)


def test_a_variable_without_cost_is_as_near_to_zero_as_its_bounds_allow():
    one = lp.from_arrays([[1.0, 0]], [0.5], [-1.0, 0.0], [0.0, 2.0], [1.0, 5.0], ["<="])
    assert torch.allclose(one.y, torch.tensor([[0.5, 2.0]], dtype=torch.float64), atol=1e-7)


def test_solve_names_the_program_that_has_no_optimum(programs):
    broken = replace(programs, b=programs.b.clone(), l=programs.l.clone(), u=programs.u.clone())
    broken.l[5, :] = 0.0
    broken.u[5, :] = 1e-9
    broken.b[5, :] = -5.0
    with pytest.raises(lp.LinearProgramError, match="program 5 is infeasible"):
        lp.solve(broken, progress=False)
