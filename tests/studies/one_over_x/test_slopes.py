"""Steepness rises to the necessity bound, and an operator that is itself singular breaks it."""

from itertools import pairwise

import pytest
from equilibria.operators.reciprocal import NaiveReciprocal
from equilibria.studies.one_over_x import slopes


@pytest.mark.parametrize("eta", [0.2, 0.9])
def test_steepness_rises_to_the_necessity_bound_and_never_beyond(eta):
    for one in slopes.measure_steepness(eta, [0.3, 0.1], 12):
        assert one["largest_gap"] < 1e-6
        assert all(later >= earlier for earlier, later in pairwise(one["measured"]))
        for measured, bound in zip(one["measured"], one["bound"], strict=True):
            assert measured <= bound * (1 + 1e-6)
        assert one["end_over_limit"] == pytest.approx(1, abs=0.01)
        assert one["limit"] == pytest.approx(one["interval"] ** -2)


def test_a_naive_operator_is_as_steep_as_its_target_at_once(monkeypatch):
    """Broken on purpose: y_1 exceeds what a regular operator could reach in one step."""
    monkeypatch.setattr(slopes, "RegularReciprocal", NaiveReciprocal)
    (one,) = slopes.measure_steepness(0.5, [0.1], 12)
    assert one["measured"][0] == pytest.approx(0.5 / 0.1**2)
    assert one["measured"][0] > 100 * one["bound"][0]


def test_only_the_naive_operator_blows_up():
    measured = slopes.measure_operator_slopes(0.5, 20)
    assert measured["blow_up"]["naive"] == pytest.approx(1e8)
    assert measured["blow_up"]["regular"] == pytest.approx(1)
