"""Notebook 01's measurements on small grids, the shipped toy, its training, and claims that fail for a broken model."""

import json

import pytest
import torch
from equilibria import checkpoints
from equilibria.operators.reciprocal import NaiveReciprocal
from equilibria.studies import one_over_x as case


def test_the_iterates_are_the_closed_form():
    found = case.curves(0.3, [1, 5, 20], 60)
    assert max(found["largest_gap"]) < 1e-12
    assert [len(y) for y in found["iterates"]] == [60, 60, 60]


@pytest.mark.parametrize("eta", [0.2, 0.9])
def test_steepness_rises_to_the_necessity_bound_and_never_beyond(eta):
    for one in case.steepness(eta, [0.3, 0.1], 12):
        assert one["largest_gap"] < 1e-6
        assert all(b >= a for a, b in zip(one["measured"], one["measured"][1:]))
        assert all(m <= b * (1 + 1e-6) for m, b in zip(one["measured"], one["bound"]))
        assert one["end_over_limit"] == pytest.approx(1, abs=0.01) and one[
            "limit"
        ] == pytest.approx(one["interval"] ** -2)


def test_a_naive_operator_is_as_steep_as_its_target_at_once(monkeypatch):
    """Broken on purpose: handed the singularity, y_1 exceeds what a regular operator could reach in one step."""
    monkeypatch.setattr(case, "RegularReciprocal", NaiveReciprocal)
    (one,) = case.steepness(0.5, [0.1], 12)
    assert (
        one["measured"][0] == pytest.approx(0.5 / 0.1**2)
        and one["measured"][0] > 100 * one["bound"][0]
    )
    assert max(case.curves(0.5, [2], 60)["largest_gap"]) > 0.1


def test_iterations_are_predicted_and_a_wrong_step_is_noticed(monkeypatch):
    found = case.needed_iterations(0.5, 1e-4, 30)
    assert found["largest_gap"] == 0 and found["needed"][0] > 50 * found["needed"][-1]
    monkeypatch.setattr(
        case, "RegularReciprocal", lambda eta: lambda y, x: y - 0.9 * eta * (x * y - 1)
    )
    with pytest.raises(RuntimeError, match="did not come within tol"):
        case.needed_iterations(0.5, 1e-4, 30)


def test_residuals_of_a_solve_are_predicted():
    found = case.solves(0.5, 1e-6, [0.1, 0.5])
    assert found["largest_gap"] < 1e-6
    assert all(one["residual"][-1] <= 1e-6 < one["residual"][-2] for one in found["solves"])


def test_every_target_is_sufficed_and_a_wrong_step_is_not():
    right, wrong = case.sufficiency(10, 0), case.sufficiency(10, 0, step=case.constant_step)
    for name in right["order"]:
        one, other = right["targets"][name], wrong["targets"][name]
        assert (
            one["regular"] and one["operator"][-1] <= 1 and one["late_growth"]["operator"] <= 1.01
        )
        assert one["necessity"]["worst_ratio"] <= 1.001 and one["necessity"]["worst_gap"] < 0.01
        assert other["operator"][-1] > 1 and other["late_growth"]["operator"] > 4
        assert one["late_growth"]["constant_step"] > 4 and one["late_growth"]["target"] > 4


def test_sign_leaves_the_theory():
    found = case.limit(10, 0)
    for part in ("approach", "smoothed"):
        assert all(
            gap <= allowed * (1 + 1e-6)
            for gap, allowed in zip(found[part]["one_minus_mu"], found[part]["allowed"])
        )
    assert found["approach"]["one_minus_mu"][-1] < 1e-5 and found["smoothed"]["mu"][-1] > 0.999
    assert found["at_zero"] == {"mu": 1.0, "regular": False, "report": found["at_zero"]["report"]}


def test_fig_1_starts_flat_and_ends_on_the_target():
    found = case.conceptual([1, 2, 10_000], 60)
    away = (found["x"].abs() > 0.1) & ((found["x"] - 1).abs() > 0.1)
    for name in ("paper", "automatic"):
        first, second, last = found["iterates"][name]
        assert first.abs().max() <= second.abs().max() < last.abs().max()
        assert torch.allclose(last[away], found["target"][away], rtol=0.02)
        assert found["step"][name].min() > 0 and found["step"][name].max() <= 0.5


# The toy.


def test_no_function_beats_the_least_error():
    """The best piecewise linear answer with the same bound, found by brute force, attains it."""
    bound, near = 5.0, 0.1
    x = torch.linspace(near, 1, 20_001, dtype=torch.float64)
    # 1/x - e and the steepest line through its left end: the least e for which the two stay within 2 e of each other
    line = 1 / near - bound * (x - near)
    assert case.least_error(bound, near) == pytest.approx(float((line - 1 / x).max()) / 2, rel=1e-4)
    assert case.least_error(100.0, near) == case.least_error(1e4, near) == 0.0


@pytest.mark.parametrize("bound", case.BOUNDS)
def test_the_shipped_networks_keep_their_bounds_and_settle_below_the_explicit_ones(bound):
    for seed in case.SEEDS:
        model, card = case.load(f"implicit-{bound}", seed=seed)
        assert card["seed"] == seed and all(
            b <= limit for b, limit in zip(model.bounds(), (case.MODULUS, bound))
        )
        found = dict(zip(case.TIMES, case._measure(model, case.TIMES)["sup_error"]))
        explicit = case.explicit_results(f"explicit-{bound}", seed=seed)
        assert found[25] < case.least_error(bound, case.NEAR) <= explicit["sup_error"][0]
        assert explicit["steepest"][0] <= bound * (1 + 1e-6)
        assert (
            found[1] > found[5] > found[25] >= found[400]
            and abs(found[400] - found[100]) < 0.002 / case.NEAR
        )


def test_without_the_contraction_the_toy_does_not_settle():
    found = case.broken_toy(steps=60)
    assert found["contraction"]["sup_error"][-1] < 1 < 100 < found["without"]["sup_error"][-1]
    assert found["without"]["sup_error"][-1] > 2 * found["without"]["sup_error"][30]


def test_a_training_writes_what_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    monkeypatch.setattr(case, "_STEPS", {"explicit": 2, "implicit": 2})
    monkeypatch.setattr(case, "_FREE", (0, 1))
    monkeypatch.setattr(case, "_GRADED", 2)
    for name in ("implicit-5", "explicit-5"):
        assert case.train(name, profile="quick", seed=1).finished
    model, card = case.load("implicit-5", seed=1)
    assert card["name"] == "implicit-5" and model.bounds()[1] <= 5
    assert case.explicit_results("explicit-5", seed=1)["steepest"][0] <= 5 * (1 + 1e-6)
    case.train("implicit-5", profile="quick", seed=1)  # again: the same weights, bit by bit
    assert (
        checkpoints.read_card(tmp_path / "checkpoints/one_over_x/implicit-5-seed1")["sha256"]
        == card["sha256"]
    )
    with pytest.raises(checkpoints.CheckpointError, match="implicit-10"):
        case.load("implicit-10", seed=1)
    stem = tmp_path / "checkpoints/one_over_x/explicit-5-seed1.json"
    stem.write_text(json.dumps({"name": "foreign"}))
    with pytest.raises(checkpoints.CheckpointError, match="explicit-5 --seed 1"):
        case.explicit_results("explicit-5", seed=1)
    with pytest.raises(ValueError, match="implicit-7"):
        case.train("implicit-7", profile="quick")
