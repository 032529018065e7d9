"""The released protocol, on an operator whose iterates are known."""

from dataclasses import replace

import pytest
import torch
from equilibria.problems import linear_programs
from equilibria.studies import linear_programs as study


def moved_in_u(programs):
    return linear_programs.perturb(programs, "u", norm=study.RELEASED_NORM, seed=0)


def test_slopes_are_over_the_rounded_data(programs, halfway):
    moved = moved_in_u(programs)
    measured = study.as_released_along_t(halfway, programs, moved, steps=3)
    # y_k = (1 - 2^-k) u and y_0 = 0; float32 leaves three digits of a difference of 1e-5.
    assert measured["ratio"][0] == 0
    assert measured["ratio"][1:] == pytest.approx([0.5, 0.75, 0.875], rel=0.05)
    raw = (moved.u - programs.u).norm(dim=1)
    rounded = (moved.u.round(decimals=5) - programs.u.round(decimals=5)).norm(dim=1)
    assert (rounded / raw - 1).abs().max() > 0.05, "the rounding should be seen"


def test_errors_pool_clean_and_perturbed_programs(programs, halfway):
    moved = replace(moved_in_u(programs), y=0.5 * programs.u)
    measured = study.as_released_along_t(halfway, programs, moved, steps=1)
    clean = study.relative_error(0.5 * programs.u, programs.y).mean().item()
    assert measured["error"][1] == pytest.approx(0.5 * clean, rel=1e-4)
    at_rest = torch.cat([programs.y, moved.y]).norm(dim=1)
    assert measured["error"][0] == pytest.approx((at_rest / (at_rest + 1)).mean().item(), rel=1e-5)


def test_a_move_that_the_rounding_undoes_is_refused(programs, halfway):
    moved = linear_programs.perturb(programs, "b", norm=1e-9, seed=0)
    with pytest.raises(ValueError, match="moved must differ from programs by more than the round"):
        study.as_released_along_t(halfway, programs, moved)
