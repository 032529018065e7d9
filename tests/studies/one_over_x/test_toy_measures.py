"""The shipped toy keeps its bounds, settles below the explicit networks, and can be broken."""

import pytest
import torch
from equilibria.studies import one_over_x as case


def test_no_function_beats_the_least_error():
    """The best piecewise linear answer with the same bound, found by brute force, attains it."""
    bound, near = 5.0, 0.1
    x = torch.linspace(near, 1, 20_001, dtype=torch.float64)
    # The steepest line through the left end of 1/x: the least error is half of their distance.
    line = 1 / near - bound * (x - near)
    brute_force = float((line - 1 / x).max()) / 2
    assert case.least_error(bound, near) == pytest.approx(brute_force, rel=1e-4)
    assert case.least_error(100.0, near) == case.least_error(1e4, near) == 0.0


@pytest.mark.parametrize("bound", case.BOUNDS)
def test_the_shipped_networks_keep_their_bounds_and_settle_below_the_explicit_ones(bound):
    for seed in case.SEEDS:
        model, card = case.load(f"implicit-{bound}", seed=seed)
        assert card["seed"] == seed
        for measured, limit in zip(model.bounds(), (case.MODULUS, bound), strict=True):
            assert measured <= limit
        errors = case.measure_network(model, case.TIMES)["sup_error"]
        error = dict(zip(case.TIMES, errors, strict=True))
        explicit = case.explicit_results(f"explicit-{bound}", seed=seed)
        assert error[25] < case.least_error(bound, case.NEAR) <= explicit["sup_error"][0]
        assert explicit["steepest"][0] <= bound * (1 + 1e-6)
        assert error[1] > error[5] > error[25] >= error[400]
        assert abs(error[400] - error[100]) < 0.002 / case.NEAR


def test_without_the_contraction_the_toy_does_not_settle():
    toy = case.measure_broken_toy(steps=60)
    broken = toy["without"]["sup_error"]
    assert toy["contraction"]["sup_error"][-1] < 1
    assert broken[-1] > 100
    assert broken[-1] > 2 * broken[30]
