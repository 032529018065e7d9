"""No fixed point is steeper than its bound; where nobody arranged it, it is far from it."""

import pytest
import torch
from equilibria.operators.reciprocal import TurningReciprocal
from equilibria.studies.one_over_x import necessity


def test_nothing_lies_above_the_bound_and_turning_leaves_it():
    measured = necessity.measure_necessity(0.5, 12, 0)
    assert measured["worst_ratio"] <= 1.001
    straight, slightly, much = measured["turning"].values()
    for bound, slope in zip(straight["bound"], straight["measured"], strict=True):
        assert slope == pytest.approx(bound, rel=1e-3)  # 1/x: the bound is attained
    for turning in (slightly, much):
        assert turning["bound"][0] > 1000
        assert turning["measured"][0] < 0.1 * turning["bound"][0]
    assert len(measured["learned"]["bound"]) == 12 * 12
    assert measured["least_ratio"] < 0.01


def test_an_operator_that_is_not_regular_is_not_measured(monkeypatch):
    monkeypatch.setattr(necessity, "TurningReciprocal", lambda eta, angle: lambda y, x: 2 * y + 1)
    with pytest.raises(RuntimeError, match="not regular"):
        necessity.measure_necessity(0.5, 4, 0)


@pytest.mark.parametrize("angle", [0.0, 0.3, 2.0])
def test_the_turning_operator_rests_where_its_closed_form_says(angle):
    eta, x = 0.5, torch.tensor([[0.2], [1.0]], dtype=torch.float64)
    y = torch.zeros(2, 2, dtype=torch.float64)
    G = TurningReciprocal(eta, angle)
    for _ in range(400):
        y = G(y, x)
    turn = torch.polar(torch.tensor(1.0).double(), torch.tensor(angle).double())
    exact = eta / (1 - (1 - eta * x[:, 0]) * turn)
    assert torch.allclose(torch.view_as_real(exact), y, atol=1e-12)


@pytest.mark.parametrize(
    ("eta", "angle", "name"), [(1.0, 0.0, "eta"), (0.5, float("inf"), "angle")]
)
def test_bad_settings_are_refused(eta, angle, name):
    with pytest.raises(ValueError, match=name):
        TurningReciprocal(eta, angle)
