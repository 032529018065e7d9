"""The shipped weights: an equilibrium, a trap, and records that belong to them."""

import equilibria as eq
import pytest
import torch
from equilibria.problems import flow_data
from equilibria.studies import navier_stokes as study

pytestmark = pytest.mark.end_to_end


@pytest.fixture(scope="module")
def held_out():
    regime = flow_data.REGIMES["unique"]
    f, w = flow_data.draw(regime, 12, 32, generator=torch.Generator().manual_seed(5))
    return f.float(), w.float()


def test_loading_leaves_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    study.load("implicit")
    assert torch.equal(torch.rand(3), expected)


def test_the_shipped_equilibrium_is_real(held_out):
    f, w = held_out
    model = study.load("implicit")[0]
    curve = study.errors_along_t(model, f, w, steps=200).mean(1).tolist()
    end = curve[199]
    assert end < 1.04 * min(curve)
    assert end == pytest.approx(curve[99], rel=1e-3)

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(len(f), model.width, 32 * 32, generator=generator)
    elsewhere = study.errors_along_t(model, f, w, steps=100, start=noise).mean(1)
    assert elsewhere[99].item() == pytest.approx(end, rel=0.01)  # path independence

    rest = study.solved(model, f, method=eq.Picard(), max_steps=100)
    assert rest.success.all()
    error = study.relative_error(model.decode(rest.y), w).mean().item()
    assert error == pytest.approx(end, rel=0.02)

    answer = study.answer(study.load("explicit")[0], f)
    explicit = study.relative_error(answer, w).mean().item()
    assert end < 0.8 * explicit
    assert curve[0] > explicit


def test_the_trap_rises(held_out):
    f, w = held_out
    curve = study.errors_along_t(study.load("unrolled")[0], f, w, steps=100).mean(1)
    assert not curve[99] < 1.1 * curve.min()  # a NaN has risen too


@pytest.mark.parametrize("name, count", [("explicit", 3), ("implicit", 3), ("unrolled", 1)])
def test_records_are_of_the_shipped_weights(name, count):
    shipped = {seed: study.load(name, seed=seed)[1]["sha256"] for seed in study.seeds(name)}
    recorded = {row["seed"]: row["sha256"] for row in study.reports(name)}
    assert shipped
    assert shipped.items() <= recorded.items()
    assert len(recorded) == count
