"""Flows and their files: confirmed labels, nothing made twice, damage that is noticed."""

import pytest
import torch
from equilibria.files import DataError
from equilibria.problems import flow_data
from equilibria.problems.cache import read_tensors
from equilibria.problems.flow_equation import manufacture, residual, velocity
from steady_flows import NU, f64


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    monkeypatch.setattr(flow_data, "FLOWS_PER_FILE", 6)
    return tmp_path


def some(count, regime="unique", n=32, seed=0):
    return flow_data.data(regime, count, n=n, seed=seed, progress=False)


def test_labels_are_solved_and_kept(store):
    flows = some(8)
    assert len(flows) == 8
    assert flows.drawn >= 12
    assert residual(flows.vorticity, flows.forcing, NU).max() <= 1e-8
    std = flows.vorticity.std((1, 2), correction=0)
    torch.testing.assert_close(std, torch.full((8,), 0.1, dtype=f64), rtol=1e-4, atol=0)

    files = sorted(store.rglob("*.safetensors"))
    before = [path.stat().st_mtime_ns for path in files]
    assert torch.equal(some(8).vorticity, flows.vorticity)
    assert torch.equal(some(3).forcing, flows.forcing[:3])
    assert [path.stat().st_mtime_ns for path in files] == before  # nothing was made twice

    files[1].unlink()  # as a run leaves it that was stopped
    assert torch.equal(some(8).vorticity, flows.vorticity)
    files[0].write_bytes(b"damaged")
    with pytest.warns(UserWarning, match=r"0000.safetensors is not a readable .* made again"):
        assert torch.equal(some(8).vorticity, flows.vorticity)


def test_another_recipe_is_another_file(store, monkeypatch):
    slow = some(2, "published", n=16, seed=0)
    some(2, "published", n=16, seed=1)
    files = list(store.rglob("*.safetensors"))
    assert len(files) == 2
    with pytest.raises(DataError, match="made by another recipe"):
        read_tensors(files[0], {"index": 0})
    monkeypatch.setitem(flow_data.REGIMES, "published", flow_data.Regime(speed=1.0, peak=1.0))
    fast = some(2, "published", n=16).vorticity
    torch.testing.assert_close(fast, 2 * slow.vorticity)


def test_the_published_regime_has_the_published_variances(store):
    flows = some(60, "published")
    published = flow_data.PUBLISHED_VARIANCES
    assert flows.vorticity.var().item() == pytest.approx(published["vorticity"], rel=0.3)
    # a factor of one and a half is not explained; without the gradient part it would be six
    ratio = published["forcing"] / flows.forcing.var().item()
    assert 1.2 < ratio < 2
    speed = velocity(flows.vorticity).square().sum(1).sqrt().amax((1, 2))
    torch.testing.assert_close(speed, torch.full_like(speed, 0.5), rtol=0.02, atol=0)
    assert residual(flows.vorticity, flows.forcing, NU).max() < 1e-12


def test_the_viscosity_changes_the_friction_alone(store):
    thick, thin = (
        some(3, "published"),
        flow_data.data("published", 3, n=32, seed=0, viscosity=0.004, progress=False),
    )
    assert torch.equal(thick.vorticity, thin.vorticity)
    friction = thick.forcing - thin.forcing
    expected = manufacture(thick.vorticity, 0.01) - manufacture(thin.vorticity, 0.004)
    torch.testing.assert_close(friction, expected, rtol=0, atol=1e-12)


def test_too_strong_a_forcing_is_refused(store, monkeypatch):
    monkeypatch.setitem(flow_data.REGIMES, "unique", flow_data.Regime(std=3.0, peak=2.0))
    with pytest.raises(DataError, match="forcing is too strong"):
        some(2)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(regime="steady"), "regime must be one of published, unique, got 'steady'"),
        (dict(count=0), "count must be at least 1, got 0"),
        (dict(n=17), "n must be an even int of at least 16, got 17"),
        (dict(seed=-1), "seed must be at least 0, got -1"),
        (dict(viscosity=0.0), "viscosity must be a positive number, got 0.0"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        flow_data.data(**dict(regime="unique", count=1, n=32, seed=0) | change)


def test_a_regime_has_a_speed_or_a_deviation():
    with pytest.raises(ValueError, match="speed and std must be given one without the other"):
        flow_data.Regime(peak=1.0)
