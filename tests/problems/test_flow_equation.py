"""The steady equation: exact solutions, closed forms, convergence, symmetry, steepness."""

import pytest
import torch
from equilibria.operators.steady_flow import steady_state
from equilibria.problems import flow_equation
from equilibria.problems.flow_equation import (
    curl,
    linearised,
    local_constant,
    manufacture,
    manufacture_without_pressure,
    residual,
    velocity,
)
from equilibria.problems.flow_grid import resample, waves
from steady_flows import NU, axes, f64, field, largest_error


@pytest.mark.parametrize("n", [10, 16, 30, 64])
def test_kolmogorov_and_taylor_green_are_steady(n):
    # each is an eigenfunction of the Laplacian, so u.grad w = 0 and curl f = nu |k|^2 w
    x1, x2 = axes(n)
    for w, square in (
        (torch.cos(2 * x2), 4),
        (2 * torch.cos(x1) * torch.cos(x2), 2),
        (torch.sin(x1 - 2 * x2), 5),
    ):
        f = manufacture(w[None], 0.3)
        torch.testing.assert_close(curl(f)[0], 0.3 * square * w, atol=1e-12, rtol=0)
        assert residual(w[None], f, 0.3).item() < 1e-12
        assert largest_error(steady_state(f, 0.3, tol=1e-12).y, w[None]) < 1e-10


def test_transport_of_two_waves_in_closed_form():
    # psi = cos x1 + cos(2 x2) / 4, so
    # u.grad w = d2 psi d1 w - d1 psi d2 w = (1/2 - 2) sin x1 sin 2 x2
    x1, x2 = axes(16)
    w = torch.cos(x1) + torch.cos(2 * x2)
    transport = -1.5 * torch.sin(x1) * torch.sin(2 * x2)
    friction = NU * (torch.cos(x1) + 4 * torch.cos(2 * x2))
    f = manufacture(w[None], NU)
    torch.testing.assert_close(curl(f)[0], transport + friction, atol=1e-12, rtol=0)
    expected = torch.stack([-0.5 * torch.sin(2 * x2), torch.sin(x1)])
    torch.testing.assert_close(velocity(w[None])[0], expected, atol=1e-12, rtol=0)


def test_the_forcing_has_no_divergence_and_no_mean():
    f = manufacture(field(), NU)
    turned = torch.stack([-f[:, 1], f[:, 0]], 1)  # the curl of (-f2, f1) is the divergence of f
    assert curl(turned).abs().max() < 1e-12 * f.abs().max() * 32
    assert f.mean((2, 3)).abs().max() < 1e-16


def test_the_forcing_without_pressure_in_closed_form():
    # psi = cos x1 + cos(2 x2) / 4: u = (-sin(2 x2) / 2, sin x1),
    # (u.grad) u = (-sin x1 cos 2 x2, -sin(2 x2) cos(x1) / 2)
    x1, x2 = axes(16)
    w = torch.cos(x1) + torch.cos(2 * x2)
    u = torch.stack([-0.5 * torch.sin(2 * x2), torch.sin(x1)])
    square = torch.tensor([4.0, 1.0], dtype=f64)[:, None, None]  # |k|^2 of either component
    advection = torch.stack(
        [-torch.sin(x1) * torch.cos(2 * x2), -0.5 * torch.sin(2 * x2) * torch.cos(x1)]
    )
    f = manufacture_without_pressure(w[None], NU)
    torch.testing.assert_close(f[0], advection + NU * square * u, atol=1e-12, rtol=0)
    # the same curl as with a pressure, and friction alone tells w from -w
    torch.testing.assert_close(curl(f), curl(manufacture(w[None], NU)), atol=1e-12, rtol=0)
    opposite = manufacture_without_pressure(-w[None], NU)
    torch.testing.assert_close((f - opposite)[0] / 2, NU * square * u, atol=1e-12, rtol=0)


def test_spectral_convergence():
    x1, x2 = axes(128)
    sharp = resample(torch.exp(torch.cos(x1) + 0.7 * torch.sin(x2)), 128)
    w = 0.02 * (sharp - sharp.mean())[None]  # analytic: its coefficients fall exponentially
    f = manufacture(w, NU)
    off = []
    for n in (12, 24, 48):
        coarse = manufacture(resample(w, n), NU)
        off.append(largest_error(resample(coarse, 128), f))
    assert off[1] < 0.01 * off[0]
    assert off[2] < 1e-4 * off[1]
    assert off[2] < 1e-9


def test_shifts_carry_over():
    w = field(2)
    f = manufacture(w, NU)
    shifted = manufacture(w.roll((3, 5), (1, 2)), NU)
    torch.testing.assert_close(shifted, f.roll((3, 5), (2, 3)), atol=1e-15, rtol=0)


def test_rest_has_no_residual():
    still = torch.zeros(2, 2, 16, 16, dtype=f64)
    assert residual(still[:, 0], still, NU).tolist() == [0, 0]


def test_dtype_follows_the_input_and_the_arithmetic_does_not():
    w = field(2).float()
    f = manufacture(w, NU)
    assert f.dtype == torch.float32
    assert largest_error(f.double(), manufacture(w.double(), NU)) < 1e-7


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda w, f: manufacture(w + 1, NU), "vorticity must have mean zero"),
        (
            lambda w, f: manufacture(w[:, :-1], NU),
            r"vorticity must have shape .* got \(2, 15, 16\)",
        ),
        (lambda w, f: manufacture(w[:, :15, :15], NU), "even n"),
        (lambda w, f: manufacture(w[0], NU), r"vorticity must have shape .* got \(16, 16\)"),
        (lambda w, f: manufacture(w * torch.nan, NU), "vorticity must be finite"),
        (lambda w, f: manufacture(w, 0.0), "viscosity must be a positive number, got 0.0"),
        (lambda w, f: curl(f[:, :1]), "forcing must have shape"),
        (lambda w, f: residual(field(2, 32), f, NU), "one batch size and one n"),
        (lambda w, f: linearised(w, w[:1], NU), "change must have vorticity's shape"),
        (lambda w, f: local_constant(w, NU, largest=8), "largest must be"),
    ],
)
def test_bad_input_is_named(call, message):
    w = field(2, 16)
    f = manufacture(w, NU)
    with pytest.raises(ValueError, match=message):
        call(w, f)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_small_and_odd_grids_are_refused(n):
    with pytest.raises(ValueError, match="even n of at least 4"):
        velocity(torch.zeros(1, n, n, dtype=f64))
    with pytest.raises(ValueError, match=r"shape \(B, n, n\)"):
        velocity(torch.zeros(0, 4, 4, dtype=f64))
    for shape in ((1, 16, 14), (1, 14, 16)):
        with pytest.raises(ValueError, match="vorticity must have shape"):
            velocity(torch.zeros(shape, dtype=f64))
    with pytest.raises(ValueError, match="forcing must have shape"):
        curl(torch.zeros(1, 2, 16, 14, dtype=f64))
    assert velocity(torch.zeros(1, 4, 4, dtype=f64)).shape == (1, 2, 4, 4)


def test_a_mean_of_a_ten_thousandth_of_the_size_is_passed_over():
    x1, _ = axes(16)
    w = torch.cos(x1)[None]  # its largest value is 1, where the mean is added
    for mean, passes in ((0.999e-4, True), (-0.999e-4, True), (1.001e-4, False)):
        if passes:
            torch.testing.assert_close(velocity(w + mean), velocity(w), rtol=0, atol=1e-12)
        else:
            with pytest.raises(ValueError, match=r"got a mean of 0\.0001"):
                velocity(w + mean)
    two = torch.cat([w, w + 1])
    with pytest.raises(ValueError, match="must have mean zero"):
        velocity(two)


def test_fields_that_do_not_fit_each_other_are_refused():
    w, f = field(2, 16), manufacture(field(2, 16), NU)
    for other in (field(1, 16), field(2, 32)):
        with pytest.raises(ValueError, match="one batch size and one n"):
            residual(other, f, NU)
    assert residual(w, f, NU).max() < 1e-10


def test_the_residual_is_relative_to_the_curl_of_the_forcing():
    w = field(2)
    f = manufacture(w, NU)
    torch.testing.assert_close(residual(w, 2 * f, NU), torch.full((2,), 0.5, dtype=f64))
    rest = torch.zeros_like(w)
    torch.testing.assert_close(residual(rest, f, NU), torch.ones(2, dtype=f64))


def test_the_wavenumbers_of_the_local_constant(monkeypatch):
    w = field(1, 16, std=0.05)
    for largest in (0, 8, -1, 2.0):
        with pytest.raises(ValueError, match="largest must be"):
            local_constant(w, NU, largest=largest)
    constants = [local_constant(w, NU, largest=k).item() for k in (1, 7)]
    assert constants[0] < constants[1]
    assert local_constant(w, NU).item() == constants[1]


def test_the_space_grows_until_the_constant_grows_by_less_than_a_thousandth(monkeypatch):
    """The constants of each space are made up: 1.0011 and 1.0009 times the one before."""
    asked = []
    made_up = {10: 1.0, 14: 1.0011, 18: 1.0011 * 1.0009, 22: 2.0}

    def constant(vorticity, viscosity, *, largest, pressure):
        assert pressure
        asked.append(largest)
        return torch.tensor([made_up[largest]], dtype=f64)

    monkeypatch.setattr(flow_equation, "local_constant", constant)
    assert local_constant(field(1, 64), NU).item() == made_up[18]
    assert asked == [10, 14, 18]


def test_whole_numbers_are_refused():
    with pytest.raises(TypeError, match="vorticity must be a real floating tensor"):
        manufacture(field(2, 16).int(), NU)


# --------------------------------------------------------------------------------------- steepness
@pytest.mark.parametrize("pressure", [True, False])
def test_linearised_is_the_derivative_of_manufacture(pressure):
    force = manufacture if pressure else manufacture_without_pressure
    w, dw = field(2), field(2, seed=1)
    df = linearised(w, dw, NU, pressure=pressure)
    step = 1e-3  # both are quadratic, so a central difference is exact
    central = (force(w + step * dw, NU) - force(w - step * dw, NU)) / (2 * step)
    assert largest_error(df, central) < 1e-10


def test_the_local_constant_at_rest_is_that_of_the_largest_scale():
    rest = torch.zeros(1, 16, 16, dtype=f64)
    # |dw| / |df| = 1 / (nu |k|)
    assert local_constant(rest, 0.2, largest=3).item() == pytest.approx(1 / 0.2)


def test_keeping_the_gradient_part_makes_the_physical_map_less_steep():
    w = field(1, std=0.05)
    with_pressure = local_constant(w, NU, largest=6)
    without = local_constant(w, NU, largest=6, pressure=False)
    assert 0 < without.item() < with_pressure.item()


def test_the_local_constant_is_what_perturbed_flows_show():
    w = field(1, std=0.05)
    f = manufacture(w, NU)
    constant = local_constant(w, NU)
    assert constant.item() == pytest.approx(local_constant(w, NU, largest=8).item(), rel=1e-6)
    pairs = torch.cartesian_prod(torch.arange(-8, 9), torch.arange(9))
    half = (pairs[:, 1] > 0) | (pairs[:, 0] > 0)  # one of each pair k, -k
    basis = waves(32, pairs[half]).flatten(0, 1)
    changes = [linearised(w.expand(len(part), -1, -1), part, NU) for part in basis.split(64)]
    pushed = torch.cat(changes).flatten(1)
    least = torch.linalg.svd(pushed, full_matrices=False).U[:, -1]
    dw = (least[:, None, None] * basis).sum(0)[None]
    df = linearised(w, dw, NU)
    found = steady_state(f + 1e-6 * df / df.norm(), NU, start=w, tol=1e-12)
    moved = (found.y - w).norm().item()
    assert moved / 1e-6 == pytest.approx(constant.item(), rel=1e-3)
