"""Measurements are blur plus seeded noise; PSNR and SSIM follow their formulas."""

import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from deblurring_models import f64, noise
from equilibria.operators.blur import Blur
from equilibria.problems import images


def test_measurement():
    y, blur = torch.rand(2, 3, 40, 40), Blur(images.motion_kernel())

    def measure(seed, **level):
        return images.measure(y, blur, generator=torch.Generator().manual_seed(seed), **level)

    assert torch.equal(measure(0), measure(0))
    assert not torch.equal(measure(0), measure(1))
    assert torch.equal(measure(0, noise=0.0), blur(y))
    assert torch.equal(measure(0, noise=0.03), measure(0)) and images.NOISE == 0.03
    noise = measure(0, noise=0.5) - blur(y)
    torch.testing.assert_close(measure(0, noise=0.25) - blur(y), noise / 2, rtol=0, atol=1e-6)
    assert (measure(0) - blur(y)).std().item() == pytest.approx(0.03, rel=0.03)
    with pytest.raises(ValueError, match="noise must be at least 0, got -1"):
        measure(0, noise=-1)
    with pytest.raises(ValueError, match="noise must be at least 0, got nan"):
        measure(0, noise=math.nan)
    with pytest.raises(ValueError, match="y has pixels that are not finite"):
        images.measure(y * math.nan, blur, generator=torch.Generator())


def test_psnr_and_ssim():
    truth = torch.rand(2, 3, 32, 32, dtype=f64) * 0.5
    torch.testing.assert_close(images.psnr(truth + 0.1, truth), torch.full((2,), 20.0, dtype=f64))
    worse = truth + 0.1 * noise(2, 3, 32, 32)
    assert images.psnr(truth[:1] + 1, truth[:1]).item() == pytest.approx(0, abs=1e-13)
    assert (images.ssim(truth, truth) == 1).all()
    assert (images.ssim(worse, truth) < 0.9).all()
    with pytest.raises(ValueError, match="zip"):
        images.ssim(worse, truth[:1])


def test_ssim_against_its_formula():
    truth = scipy.ndimage.gaussian_filter(np.random.default_rng(0).random((3, 40, 40)), (0, 2, 2))
    given = truth + 0.05 * np.random.default_rng(1).standard_normal(truth.shape)

    def mean(a):
        return scipy.ndimage.gaussian_filter(a, (0, 1.5, 1.5), truncate=3.5)

    u, v = mean(truth), mean(given)
    variances = mean(truth**2) - u**2 + mean(given**2) - v**2
    covariance = mean(truth * given) - u * v
    C1, C2 = 0.01**2, 0.03**2  # Wang et al. 2004, for values in a range of 1
    similarity = (2 * u * v + C1) * (2 * covariance + C2)
    similarity /= (u**2 + v**2 + C1) * (variances + C2)
    expected = similarity[:, 5:-5, 5:-5].mean()  # where the window fits
    found = images.ssim(torch.tensor(given[None]), torch.tensor(truth[None])).item()
    assert found == pytest.approx(expected, abs=1e-6)
