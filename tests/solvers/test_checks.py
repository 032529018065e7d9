"""Arguments that cannot be right are refused before the first evaluation, and named."""

import math

import equilibria as eq
import pytest
import torch
from equilibria import Anderson, NewtonKrylov

Y, X = torch.zeros(2, 3), torch.ones(2, 3)


def never(y, x):
    raise AssertionError("G was evaluated")


BAD_STARTS = [
    (TypeError, "y0 must be a tensor, got 'list'", {"y0": [0.0]}),
    (TypeError, "y0 must be of a real floating dtype, got torch.int64", {"y0": Y.long()}),
    (TypeError, r"y0 .*complex64", {"y0": Y.to(torch.complex64)}),
    (ValueError, r"y0 must be of shape \(B, ...\), not empty, got \(\)", {"y0": torch.tensor(0.0)}),
    (ValueError, r"y0 must be .* not empty, got \(0, 3\)", {"y0": torch.zeros(0, 3)}),
    (
        ValueError,
        r"y0 must be finite, .* samples \[1\]",
        {"y0": torch.tensor([[0.0], [torch.nan]]), "x": None},
    ),
    (
        ValueError,
        r"y0 must be finite, .* samples \[0\]",
        {"y0": torch.tensor([[torch.inf], [1.0]]), "x": None},
    ),
    (
        TypeError,
        "y0 must be float32 or float64 for NewtonKrylov, got torch.bfloat16",
        {"y0": Y.bfloat16(), "x": None, "method": NewtonKrylov()},
    ),
]
BAD_INPUTS = [
    (ValueError, r"x must be batched like y0.*\(2, 3\), got \(5, 3\)", {"x": torch.ones(5, 3)}),
    (ValueError, r"x must be batched like y0.* got \(\)", {"x": torch.tensor(1.0)}),
    (TypeError, "x must be of y0's dtype torch.float32, got torch.float64", {"x": X.double()}),
    (ValueError, "x must be on y0's device cpu, got .*meta", {"x": X.to("meta")}),
]
BAD_SETTINGS = [
    (TypeError, "G must be callable, got 3", {"G": 3}),
    (TypeError, "method must be .*, got 'anderson'", {"method": "anderson"}),
    (TypeError, "method must be .*, got <class", {"method": Anderson}),
    (TypeError, "max_steps must be an int, got 3.0", {"max_steps": 3.0}),
    (TypeError, "max_steps must be an int, got True", {"max_steps": True}),
    (ValueError, "max_steps must be at least 1, got 0", {"max_steps": 0}),
    (ValueError, "max_steps must be at least 1, got -4", {"max_steps": -4}),
    (TypeError, "tol must be a number or None, got '1e-3'", {"tol": "1e-3"}),
    (TypeError, "tol must be a number or None, got nan", {"tol": math.nan}),
    (ValueError, "tol must be in .*, got 0", {"tol": 0}),
    (ValueError, "tol must be in .*, got -1", {"tol": -1}),
    (ValueError, "tol must be in .*, got 1", {"tol": 1}),
    (ValueError, "tol must be in .*resolution of torch.float32, got 1e-09", {"tol": 1e-9}),
    (TypeError, "throw must be a bool, got 'no'", {"throw": "no"}),
    (TypeError, "tolerance", {"tolerance": 1e-3}),
]


@pytest.mark.parametrize(("error", "match", "change"), BAD_STARTS + BAD_INPUTS + BAD_SETTINGS)
def test_bad_input_is_refused_before_the_first_evaluation(error, match, change):
    arguments = {"G": never, "y0": Y, "x": X} | change
    with pytest.raises(error, match=match):
        eq.solve(**arguments)


NOT_LIKE_Y = [
    (torch.zeros(2, 4), ValueError, r"y's shape \(2, 3\).* got \(2, 4\)"),
    (torch.zeros(3), ValueError, r"got \(3,\)"),
    (torch.zeros(2, 3, dtype=torch.float64), ValueError, r"got .*torch.float64"),
    ((torch.zeros(2, 3),), TypeError, "G must return a tensor, got tuple"),
]


@pytest.mark.parametrize(("returned", "error", "match"), NOT_LIKE_Y)
def test_a_g_that_returns_something_else_is_named(returned, error, match):
    def G(y, x):
        return returned

    with pytest.raises(error, match=match):
        eq.solve(G, Y, X)
    with pytest.raises(error, match=match):
        next(eq.trajectory(G, Y, X, 2))
