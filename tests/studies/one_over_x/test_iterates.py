"""Iterates of the regular operator are those predicted, and a wrong operator is noticed."""

import pytest
import torch
from equilibria.operators.reciprocal import NaiveReciprocal
from equilibria.studies.one_over_x import iterates


def test_the_iterates_are_the_closed_form():
    curves = iterates.measure_curves(0.3, [1, 5, 20], 60)
    assert max(curves["largest_gap"]) < 1e-12
    assert [len(y) for y in curves["iterates"]] == [60, 60, 60]


def test_the_iterates_of_a_naive_operator_are_not_the_closed_form(monkeypatch):
    monkeypatch.setattr(iterates, "RegularReciprocal", NaiveReciprocal)
    assert max(iterates.measure_curves(0.5, [2], 60)["largest_gap"]) > 0.1


def test_iterations_are_predicted():
    counts = iterates.measure_iterations(0.5, 1e-4, 30)
    assert counts["largest_gap"] == 0
    assert counts["needed"][0] > 50 * counts["needed"][-1]


def test_an_operator_with_a_smaller_step_needs_more_iterations_than_predicted(monkeypatch):
    def with_smaller_step(eta):
        return lambda y, x: y - 0.9 * eta * (x * y - 1)

    monkeypatch.setattr(iterates, "RegularReciprocal", with_smaller_step)
    with pytest.raises(RuntimeError, match="did not come within tol"):
        iterates.measure_iterations(0.5, 1e-4, 30)


def test_residuals_of_a_solve_are_predicted():
    solves = iterates.measure_solves(0.5, 1e-6, [0.1, 0.5])
    assert solves["largest_gap"] < 1e-6
    for one in solves["solves"]:
        assert one["residual"][-1] <= 1e-6 < one["residual"][-2]


def test_iterates_of_the_sketch_end_between_the_moved_fixed_points():
    moves = iterates.measure_moves(0.5, [0.4, 0.15])
    for x, y, (low, high) in zip(moves["x"], moves["iterates"], moves["fixed_points"], strict=True):
        assert y[0] == 0 and y == sorted(y)
        assert low < y[-1] < 1 / x < high


def test_frames_are_the_closed_form_and_their_slopes_its_derivative():
    frames = iterates.measure_frames(30)
    assert len(frames["iterates"]) == len(frames["times"]) == len(frames["slope"])
    i, j = frames["times"].index(10), frames["etas"].index(0.5)
    x = torch.tensor([frames["edge"]], dtype=torch.float64, requires_grad=True)
    y = (1 - (1 - 0.5 * x) ** 10) / x
    y.backward()
    assert float(frames["iterates"][i][j][0]) == pytest.approx(y.item())
    assert frames["slope"][i][j] == pytest.approx(abs(x.grad.item()))
    assert frames["error"][i][j] == pytest.approx(1 - (x * y).item())
