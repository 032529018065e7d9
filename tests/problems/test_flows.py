"""Steady flows: exact solutions, convergence, symmetry, two states of one forcing, and data that are what they say."""

import json

import pytest
import torch
from equilibria import Anderson, Picard, SolveError, lipschitz
from equilibria.files import DataError
from equilibria.problems import flows as ns

f64 = torch.float64
NU = 0.01


def axes(n):
    x = 2 * torch.pi / n * torch.arange(n, dtype=f64)
    return x[:, None].expand(n, n), x[None, :].expand(n, n)


def field(count=3, n=32, std=0.05, seed=0):
    return ns.random_vorticity(count, n, std=std, generator=torch.Generator().manual_seed(seed))


def error(a, b):
    return ((a - b).flatten(1).norm(dim=1) / b.flatten(1).norm(dim=1)).max().item()


# ------------------------------------------------------------------------------------------------------------ equation
@pytest.mark.parametrize("n", [10, 16, 30, 64])
def test_kolmogorov_and_taylor_green_are_steady(n):
    x1, x2 = axes(n)
    for w, square in (
        (torch.cos(2 * x2), 4),
        (2 * torch.cos(x1) * torch.cos(x2), 2),
        (torch.sin(x1 - 2 * x2), 5),
    ):
        f = ns.manufacture(
            w[None], 0.3
        )  # each is an eigenfunction of the Laplacian, so u.grad w = 0 and curl f = nu |k|^2 w
        torch.testing.assert_close(ns.curl(f)[0], 0.3 * square * w, atol=1e-12, rtol=0)
        assert ns.residual(w[None], f, 0.3).item() < 1e-12
        found = ns.steady_state(f, 0.3, tol=1e-12)
        assert error(found.y, w[None]) < 1e-10


def test_transport_of_two_waves_in_closed_form():
    x1, x2 = axes(16)
    w = (
        torch.cos(x1) + torch.cos(2 * x2)
    )  # psi = cos x1 + cos(2 x2) / 4, so u.grad w = d2 psi d1 w - d1 psi d2 w = (1/2 - 2) sin x1 sin 2 x2
    f = ns.manufacture(w[None], NU)
    expected = -1.5 * torch.sin(x1) * torch.sin(2 * x2) + NU * (
        torch.cos(x1) + 4 * torch.cos(2 * x2)
    )
    torch.testing.assert_close(ns.curl(f)[0], expected, atol=1e-12, rtol=0)
    u = ns.velocity(w[None])[0]
    torch.testing.assert_close(
        u, torch.stack([-0.5 * torch.sin(2 * x2), torch.sin(x1)]), atol=1e-12, rtol=0
    )


def test_the_forcing_has_no_divergence_and_no_mean():
    f = ns.manufacture(field(), NU)
    turned = torch.stack([-f[:, 1], f[:, 0]], 1)  # the curl of (-f2, f1) is the divergence of f
    assert (
        ns.curl(turned).abs().max() < 1e-12 * f.abs().max() * 32
        and f.mean((2, 3)).abs().max() < 1e-16
    )


@pytest.mark.parametrize(
    "method", [Picard(), Anderson(), None], ids=["picard", "anderson", "newton"]
)
def test_every_method_finds_the_manufactured_flow(method):
    w = field(std=0.01)
    found = ns.steady_state(ns.manufacture(w, NU), NU, method=method, tol=1e-12, max_steps=400)
    assert error(found.y, w) < 1e-10


def test_picard_contracts_at_the_rate_of_its_operator():
    w = field(1, std=0.01)
    f = ns.manufacture(w, NU)
    c = ns.curl(f)
    rate = lipschitz.local(lambda w: ns.operator(NU)(w, c), w, max_steps=60).item()
    residuals = ns.steady_state(f, NU, method=Picard(), tol=1e-12, max_steps=400).residuals[0]
    assert (
        rate < 0.5
        and bool((residuals[2:12] <= rate * residuals[1:11]).all())
        and residuals[1] > rate**2 * residuals[0] / 2
    )


def test_picard_fails_where_anderson_does_not():
    f = ns.manufacture(field(4, std=0.1), NU)
    with pytest.raises(SolveError):
        ns.steady_state(f, NU, method=Picard(), max_steps=300)
    assert (
        ns.steady_state(
            f, NU, method=Anderson(history=20), max_steps=300, throw=False
        ).success.sum()
        >= 2
    )


@pytest.mark.parametrize("n", [32, 64])
@pytest.mark.parametrize("std", [0.05, 0.1])
def test_every_flow_of_moderate_amplitude_is_followed_from_rest(std, n):
    f = ns.manufacture(field(4, n, std=std, seed=3), NU)
    found = ns.steady_state(f, NU)
    assert found.success.all() and (found.residuals.nan_to_num(1.0).amin(1) <= 1e-8).all()
    assert ns.residual(found.y, f, NU).max() < 1e-6
    alone = ns.steady_state(f[2:3], NU)  # a sample is solved as if it were alone
    assert error(alone.y, found.y[2:3]) < 1e-6


def test_strong_forcing_is_solved_and_has_a_second_state():
    w = field(4, std=0.334, seed=3)
    found, distance = ns.another_state(w, NU)
    assert found.success.all() and ns.residual(found.y, ns.manufacture(w, NU), NU).max() < 1e-6
    assert (distance > 0.1).sum() >= 3


def test_other_states_are_found_and_are_steady():
    w = field(4, std=0.334, seed=3)
    f = ns.manufacture(w, NU)
    flows = ns.Flows(f, w, drawn=4)
    states, distance = ns.other_states(
        flows, NU, tries=2, generator=torch.Generator().manual_seed(0), n=32
    )
    second = distance > 0
    assert (
        second.sum() >= 2 and (distance[second] > 0.1).all()
    )  # the flow from rest is another one for most of them
    assert ns.residual(states, f, NU)[second].max() < 1e-6 and torch.equal(
        states[~second], w[~second]
    )
    torch.testing.assert_close(
        (states - w).flatten(1).norm(dim=1) / w.flatten(1).norm(dim=1), distance
    )
    weak = field(2, std=0.01)
    one = ns.other_states(
        ns.Flows(ns.manufacture(weak, NU), weak, drawn=2),
        NU,
        tries=2,
        generator=torch.Generator().manual_seed(0),
    )
    assert torch.equal(one[0], weak) and one[1].tolist() == [
        0,
        0,
    ]  # Picard's iteration contracts there
    assert (
        (ns.another_state(w, NU)[1] > 0.01) <= second
    ).all()  # what following it from rest finds is among what is tried


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(tries=-1), "tries must be an int of at least 0, got -1"),
        (dict(n=33), "n must be an even int of at least 16, got 33"),
        (dict(viscosity=-1.0), "viscosity"),
    ],
)
def test_other_states_refuses_what_cannot_be(change, message):
    w = field(1)
    with pytest.raises(ValueError, match=message):
        ns.other_states(
            ns.Flows(ns.manufacture(w, NU), w, drawn=1),
            **dict(viscosity=NU, tries=1, generator=torch.Generator()) | change,
        )


def test_following_comes_after_the_checks(monkeypatch):
    monkeypatch.setattr(ns, "_from_rest", lambda *_: pytest.fail("a long computation began"))
    with pytest.raises(ValueError, match="tol must be in"):
        ns.steady_state(ns.manufacture(field(1), NU), NU, tol=2.0)
    with pytest.raises(ValueError, match="max_steps must be at least 1, got 0"):
        ns.steady_state(ns.manufacture(field(1), NU), NU, max_steps=0)


@pytest.mark.parametrize("size", [1e100, 1e160])
def test_a_forcing_beyond_all_numbers_is_not_solved(size):
    f = size * ns.manufacture(field(1, 16), NU)
    assert not ns.steady_state(f, NU, throw=False, max_steps=50).success.any()


def test_gradients_pass_after_inference():
    with torch.inference_mode():
        ns.curl(ns.manufacture(field(1, 12), NU))
    w = field(1, 12).requires_grad_()
    ns.manufacture(w, NU).square().sum().backward()
    assert torch.isfinite(w.grad).all() and w.grad.abs().max() > 0


def test_the_dense_equation_is_that_of_the_grid():
    space, w = ns._Galerkin(4, NU), field(2, 32)
    x, dx = space.down(w)
    w, dw = (space.up(a, 32)[None] for a in (x, dx))
    assert error(space.down(w), x[None]) < 1e-12
    left, derivative = space.equation(x)
    torch.testing.assert_close(
        left, space.down(ns.curl(ns.manufacture(w, NU)))[0], atol=1e-12, rtol=0
    )
    torch.testing.assert_close(
        derivative @ dx, space.down(ns.curl(ns.linearised(w, dw, NU)))[0], atol=1e-12, rtol=0
    )


def test_spectral_convergence():
    sharp = ns.resample(torch.exp(torch.cos(axes(128)[0]) + 0.7 * torch.sin(axes(128)[1])), 128)
    w = 0.02 * (sharp - sharp.mean())[None]  # analytic: its coefficients fall exponentially
    f = ns.manufacture(w, NU)
    off = [error(ns.resample(ns.manufacture(ns.resample(w, n), NU), 128), f) for n in (12, 24, 48)]
    assert off[1] < 0.01 * off[0] and off[2] < 1e-4 * off[1] and off[2] < 1e-9


def test_shifts_carry_over():
    w = field(2)
    f = ns.manufacture(w, NU)
    shifted = ns.manufacture(w.roll((3, 5), (1, 2)), NU)
    torch.testing.assert_close(shifted, f.roll((3, 5), (2, 3)), atol=1e-15, rtol=0)


def test_no_forcing_no_flow():
    still = torch.zeros(2, 2, 16, 16, dtype=f64)
    assert ns.steady_state(still, NU).y.abs().max() == 0
    assert ns.residual(still[:, 0], still, NU).tolist() == [0, 0]
    assert ns.another_state(still[:, 0], NU)[1].tolist() == [0, 0]


def test_dtype_follows_the_input_and_the_arithmetic_does_not():
    w = field(2).float()
    f = ns.manufacture(w, NU)
    exact = ns.manufacture(w.double(), NU)
    assert f.dtype == torch.float32 and error(f.double(), exact) < 1e-7
    assert ns.steady_state(f, NU).y.dtype == torch.float32


def test_bad_input_is_named():
    w = field(2, 16)
    f = ns.manufacture(w, NU)
    for call, message in (
        (lambda: ns.manufacture(w + 1, NU), "vorticity must have mean zero"),
        (lambda: ns.manufacture(w[:, :-1], NU), r"vorticity must have shape .* got \(2, 15, 16\)"),
        (lambda: ns.manufacture(w[:, :15, :15], NU), "even n"),
        (lambda: ns.manufacture(w * torch.nan, NU), "vorticity must be finite"),
        (lambda: ns.manufacture(w, 0.0), "viscosity must be a positive number, got 0.0"),
        (lambda: ns.steady_state(f, -1.0), "viscosity must be a positive number"),
        (lambda: ns.steady_state(f[:, :1], NU), "forcing must have shape"),
        (lambda: ns.steady_state(f, NU, start=w[:1]), "one batch size"),
        (lambda: ns.residual(field(2, 32), f, NU), "one batch size and one n"),
        (lambda: ns.local_constant(w, NU, largest=8), "largest must be"),
        (lambda: ns.waves(16, torch.tensor([[8, 0]])), "wavenumbers must"),
        (lambda: ns.data("steady", 1, seed=0), "regime must be one of"),
        (lambda: ns.data("unique", 0, seed=0), "count must be"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="vorticity must be a real floating tensor"):
        ns.manufacture(w.int(), NU)


# ----------------------------------------------------------------------------------------------------------- steepness
def test_linearised_is_the_derivative_of_manufacture():
    w, dw = field(2), field(2, seed=1)
    df = ns.linearised(w, dw, NU)
    step = 1e-3  # manufacture is quadratic, so a central difference is exact
    central = (ns.manufacture(w + step * dw, NU) - ns.manufacture(w - step * dw, NU)) / (2 * step)
    assert error(df, central) < 1e-10


def test_the_local_constant_at_rest_is_that_of_the_largest_scale():
    rest = torch.zeros(1, 16, 16, dtype=f64)
    assert ns.local_constant(rest, 0.2, largest=3).item() == pytest.approx(
        1 / 0.2
    )  # |dw| / |df| = 1 / (nu |k|)


def test_the_local_constant_is_what_perturbed_flows_show():
    w = field(1, std=0.05)
    f = ns.manufacture(w, NU)
    constant = ns.local_constant(w, NU)
    assert constant.item() == pytest.approx(ns.local_constant(w, NU, largest=8).item(), rel=1e-6)
    k = torch.tensor([[k, l] for k in range(-8, 9) for l in range(9) if l > 0 or k > 0])
    basis = ns.waves(32, k).flatten(0, 1)
    pushed = torch.cat(
        [
            ns.linearised(w.expand(len(part), -1, -1), part, NU).flatten(1)
            for part in basis.split(64)
        ]
    )
    least = torch.linalg.svd(pushed, full_matrices=False).U[:, -1]
    dw = (least[:, None, None] * basis).sum(0)[None]
    df = ns.linearised(w, dw, NU)
    moved = ns.steady_state(f + 1e-6 * df / df.norm(), NU, start=w, tol=1e-12).y - w
    assert moved.norm().item() / 1e-6 == pytest.approx(constant.item(), rel=1e-3)


def test_waves_are_orthonormal():
    basis = ns.waves(16, torch.tensor([[1, 0], [0, 1], [3, 2], [-3, 2]])).flatten(0, 1).flatten(1)
    torch.testing.assert_close(basis @ basis.T, torch.eye(8, dtype=f64), atol=1e-12, rtol=0)


# ----------------------------------------------------------------------------------------------------------------- data
def test_random_fields_do_not_depend_on_the_grid():
    fine, coarse = field(2, 64), field(2, 32)
    assert error(ns.resample(coarse, 64), fine) < 1e-8
    torch.testing.assert_close(fine.std((1, 2), correction=0), torch.full((2,), 0.05, dtype=f64))
    power = torch.fft.fft2(field(200, 32)).abs().square().mean(0)
    size = (
        (torch.fft.fftfreq(32, 1 / 32)[:, None].square() + torch.fft.fftfreq(32, 1 / 32).square())
        .sqrt()
        .round()
    )
    assert (
        torch.stack([power[size == k].mean() for k in range(8)]).argmax() == 2
    )  # the peak wavenumber


def test_resampling_keeps_the_polynomial():
    w = field(2, 32)
    torch.testing.assert_close(ns.resample(ns.resample(w, 48), 32), w, atol=1e-15, rtol=0)
    torch.testing.assert_close(ns.resample(w, 64)[:, ::2, ::2], w, atol=1e-15, rtol=0)


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    monkeypatch.setattr(ns, "_CHUNK", 6)
    return tmp_path


def test_labels_are_solved_and_kept(store):
    flows = ns.data("unique", 8, n=32, seed=0, progress=False)
    assert len(flows) == 8 and flows.drawn >= 12
    assert ns.residual(flows.vorticity, flows.forcing, NU).max() <= 1e-8
    torch.testing.assert_close(
        flows.vorticity.std((1, 2), correction=0),
        torch.full((8,), 0.1, dtype=f64),
        rtol=1e-4,
        atol=0,
    )
    files = sorted(store.rglob("*.safetensors"))
    before = [path.stat().st_mtime_ns for path in files]
    again, fewer = (
        ns.data("unique", 8, n=32, seed=0, progress=False),
        ns.data("unique", 3, n=32, seed=0, progress=False),
    )
    assert torch.equal(again.vorticity, flows.vorticity) and torch.equal(
        fewer.forcing, flows.forcing[:3]
    )
    assert [path.stat().st_mtime_ns for path in files] == before  # nothing was made twice
    files[1].unlink()  # as a run leaves it that was stopped
    assert torch.equal(
        ns.data("unique", 8, n=32, seed=0, progress=False).vorticity, flows.vorticity
    )
    files[0].write_bytes(b"damaged")
    with pytest.warns(UserWarning, match="0000.safetensors is not a readable .* made again"):
        assert torch.equal(
            ns.data("unique", 8, n=32, seed=0, progress=False).vorticity, flows.vorticity
        )


def test_another_recipe_is_another_file(store, monkeypatch):
    ns.data("published", 2, n=16, seed=0, progress=False)
    ns.data("published", 2, n=16, seed=1, progress=False)
    assert len(list(store.rglob("*.safetensors"))) == 2
    folder = next(store.rglob("0000.safetensors")).parent
    path = folder / "0000.safetensors"
    with pytest.raises(DataError, match="made by another recipe"):
        ns._read(path, json.dumps({"index": 0}))
    monkeypatch.setitem(ns.REGIMES, "published", ns.Regime(std=0.2, solved=False))
    assert ns.data("published", 2, n=16, seed=0, progress=False).vorticity.std(
        (1, 2), correction=0
    )[0].item() == pytest.approx(0.2)


def test_too_strong_a_forcing_is_refused(store, monkeypatch):
    monkeypatch.setitem(ns.REGIMES, "unique", ns.Regime(std=3.0, solved=True))
    with pytest.raises(DataError, match="forcing is too strong"):
        ns.data("unique", 2, n=32, seed=0, progress=False)
