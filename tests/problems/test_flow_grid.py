"""Fields on grids: resampling, random fields that do not depend on the grid, waves."""

import math

import pytest
import torch
from equilibria.problems.flow_equation import curl, manufacture, velocity
from equilibria.problems.flow_grid import filtered_vorticity, random_vorticity, resample, waves
from steady_flows import NU, f64, field, largest_error


def test_random_fields_do_not_depend_on_the_grid():
    fine, coarse = field(2, 64), field(2, 32)
    assert largest_error(resample(coarse, 64), fine) < 1e-8
    std = fine.std((1, 2), correction=0)
    torch.testing.assert_close(std, torch.full((2,), 0.05, dtype=f64))


def test_random_fields_are_strongest_at_their_peak():
    power = torch.fft.fft2(field(200, 32)).abs().square().mean(0)
    k = torch.fft.fftfreq(32, 1 / 32)
    radius = (k[:, None].square() + k.square()).sqrt().round()
    by_radius = torch.stack([power[radius == r].mean() for r in range(8)])
    assert by_radius.argmax() == 2


def test_filtered_fields_have_the_spectrum_and_the_speed_that_they_say():
    def drawn(n, count=300, speed=0.5):
        generator = torch.Generator().manual_seed(0)
        return filtered_vorticity(count, n, speed=speed, generator=generator)

    w = drawn(32)
    assert largest_error(resample(drawn(32, 2), 64), drawn(64, 2)) < 1e-3
    torch.testing.assert_close(drawn(32, 2, 1.0), 2 * drawn(32, 2))
    speed = velocity(w).square().sum(1).sqrt().amax((1, 2))
    torch.testing.assert_close(speed, torch.full_like(speed, 0.5), rtol=0.05, atol=0)
    # E |w_k|^2 is that of |k| times the density, of half of the noise (without divergence)
    power = torch.fft.fft2(w).abs().square().mean(0)
    density = {k: math.exp(-2 * (math.log(k) - 0.25) ** 2) / k for k in (1, 2, 3)}
    for k in (2, 3):
        expected = (k * density[k] / density[1]) ** 2
        assert (power[k, 0] / power[1, 0]).item() == pytest.approx(expected, rel=0.3)


def test_resampling_keeps_the_polynomial():
    w = field(2, 32)
    torch.testing.assert_close(resample(resample(w, 48), 32), w, atol=1e-15, rtol=0)
    torch.testing.assert_close(resample(w, 64)[:, ::2, ::2], w, atol=1e-15, rtol=0)


def test_waves_are_orthonormal():
    basis = waves(16, torch.tensor([[1, 0], [0, 1], [3, 2], [-3, 2]])).flatten(0, 1).flatten(1)
    torch.testing.assert_close(basis @ basis.T, torch.eye(8, dtype=f64), atol=1e-12, rtol=0)


def test_gradients_pass_after_inference():
    with torch.inference_mode():
        curl(manufacture(field(1, 12), NU))
    w = field(1, 12).requires_grad_()
    manufacture(w, NU).square().sum().backward()
    assert torch.isfinite(w.grad).all()
    assert w.grad.abs().max() > 0


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: waves(16, torch.tensor([[8, 0]])), "wavenumbers must"),
        (lambda: resample(torch.zeros(1, 8, 8), 9), "n must be an even int of at least 4, got 9"),
        (lambda: resample(torch.zeros(1, 8, 6), 8), r"field must be of shape .* got \(1, 8, 6\)"),
        (
            lambda: random_vorticity(0, 8, std=1.0, generator=torch.Generator()),
            "count must be at least 1, got 0",
        ),
        (
            lambda: random_vorticity(1, 8, std=0.0, generator=torch.Generator()),
            "std must be positive and finite, got 0.0",
        ),
        (
            lambda: filtered_vorticity(1, 16, speed=-1.0, generator=torch.Generator()),
            "speed must be positive and finite, got -1.0",
        ),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
