"""What is measured along t, on an operator whose iterates are known."""

from dataclasses import replace

import pytest
import torch
from equilibria.problems import linear_programs
from equilibria.studies import linear_programs as study


def test_errors_violations_and_gaps_along_t(programs, halfway):
    measured = study.along_t(halfway, programs, steps=3, dtype=torch.float64)
    label_norm = programs.y.norm(dim=1)
    for t in (1, 2, 3):
        y = (1 - 0.5**t) * programs.u
        error = (y - programs.y).norm(dim=1) / (label_norm + 1)
        excess = (programs.dense() @ y[..., None])[..., 0] - programs.b
        excess = torch.where(programs.equality, excess.abs(), excess.clamp(min=0))
        violation = excess.norm(dim=1) / label_norm
        gap = ((programs.c * y).sum(1) - programs.objective).abs().mean()
        gap = gap / programs.objective.abs().mean()
        assert measured["mean"][t - 1] == pytest.approx(error.mean().item(), rel=1e-10)
        assert measured["std"][t - 1] == pytest.approx(error.std().item(), rel=1e-10)
        assert measured["violation"][t - 1] == pytest.approx(violation.mean().item(), rel=1e-10)
        assert measured["gap"][t - 1] == pytest.approx(gap.item(), rel=1e-9)


def test_ratios_on_perturbed_programs(programs, halfway):
    moved = linear_programs.perturb(programs, "u", norm=1e-4, seed=0)
    measured = study.perturbed_along_t(halfway, programs, moved, norm=1e-4, steps=3)
    # |dy_t| / |du| = 1 - 2^-t
    assert measured["ratio"] == pytest.approx([0.5, 0.75, 0.875], rel=1e-8)
    assert measured["median"] == pytest.approx([0.5, 0.75, 0.875], rel=1e-8)


def test_an_input_that_the_operator_does_not_see_has_ratio_zero(programs, halfway):
    moved = linear_programs.perturb(programs, "c", norm=1e-4, seed=0)
    measured = study.perturbed_along_t(halfway, programs, moved, norm=1e-4, steps=2)
    assert measured["ratio"] == [0.0, 0.0]


def test_errors_on_perturbed_programs_are_against_their_own_labels(programs, halfway):
    moved = linear_programs.perturb(programs, "u", norm=1e-4, seed=0)
    moved = replace(moved, y=0.5 * moved.u)  # y_1 of the perturbed programs
    measured = study.perturbed_along_t(halfway, programs, moved, norm=1e-4, steps=1)
    assert measured["error"] == pytest.approx([0.0], abs=1e-12)
