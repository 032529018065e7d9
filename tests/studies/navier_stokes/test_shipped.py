"""The shipped weights: an equilibrium, and records that belong to them."""

import equilibria as eq
import pytest
import torch
from equilibria.problems import flow_data
from equilibria.studies import navier_stokes as study

pytestmark = pytest.mark.end_to_end


def held_out(regime):
    """New flows, which no training and no test has seen."""
    f, w = flow_data.draw(
        flow_data.REGIMES[regime], 12, 32, generator=torch.Generator().manual_seed(5)
    )
    return f.float(), w.float()


def test_loading_leaves_random_numbers_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    study.load("implicit")
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize("regime, suffix", [("published", ""), ("unique", "-unique")])
def test_the_shipped_equilibrium_is_real(regime, suffix):
    f, w = held_out(regime)
    model = study.load(f"implicit{suffix}")[0]
    curve = study.errors_along_t(model, f, w, steps=200).mean(1).tolist()
    end = curve[199]
    assert end < 1.04 * min(curve)
    assert end == pytest.approx(curve[99], rel=0.01)

    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(len(f), model.width, 32 * 32, generator=generator)
    elsewhere = study.errors_along_t(model, f, w, steps=100, start=noise).mean(1)
    assert elsewhere[99].item() == pytest.approx(end, rel=0.02)  # path independence

    rest = study.solved(model, f, method=eq.Picard(), max_steps=100)
    assert rest.success.all()
    error = study.relative_error(model.decode(rest.y), w).mean().item()
    assert error == pytest.approx(end, rel=0.02)


def test_the_shipped_networks_keep_their_order():
    f, w = held_out("published")
    plain, explicit, implicit = (
        study.relative_error(study.answer(study.load(name)[0], f), w).median().item()
        for name in ("plain", "explicit", "implicit")
    )
    assert implicit < 0.7 * explicit < 0.7 * plain


@pytest.mark.parametrize("name", ["implicit", "explicit", "plain", "implicit-unique"])
def test_records_are_of_the_shipped_weights(name):
    shipped = {seed: study.load(name, seed=seed)[1]["sha256"] for seed in study.seeds(name)}
    recorded = {row["seed"]: row["sha256"] for row in study.reports(name)}
    assert shipped
    assert shipped.items() <= recorded.items()
