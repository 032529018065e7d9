"""Flows and their files: confirmed labels, nothing made twice, damage that is noticed."""

import pytest
import torch
from equilibria.files import DataError
from equilibria.problems import flow_data
from equilibria.problems.cache import read_tensors
from equilibria.problems.flow_equation import residual
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
    some(2, "published", n=16, seed=0)
    some(2, "published", n=16, seed=1)
    files = list(store.rglob("*.safetensors"))
    assert len(files) == 2
    with pytest.raises(DataError, match="made by another recipe"):
        read_tensors(files[0], {"index": 0})
    monkeypatch.setitem(flow_data.REGIMES, "published", flow_data.Regime(std=0.2, solved=False))
    std = some(2, "published", n=16).vorticity.std((1, 2), correction=0)
    assert std[0].item() == pytest.approx(0.2)


def test_too_strong_a_forcing_is_refused(store, monkeypatch):
    monkeypatch.setitem(flow_data.REGIMES, "unique", flow_data.Regime(std=3.0, solved=True))
    with pytest.raises(DataError, match="forcing is too strong"):
        some(2)


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(regime="steady"), "regime must be one of unique, published, got 'steady'"),
        (dict(count=0), "count must be at least 1, got 0"),
        (dict(n=17), "n must be an even int of at least 16, got 17"),
        (dict(seed=-1), "seed must be at least 0, got -1"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        some(**dict(count=1) | change)
