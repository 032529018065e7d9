"""The blur is an exact circular convolution, its adjoint is exact, and bad kernels are refused."""

import math

import pytest
import torch
from deblurring_models import f64, noise
from equilibria.operators.blur import Blur
from equilibria.problems import images


def test_blur_is_the_circular_convolution_written_as_a_loop():
    kernel = images.motion_kernel(size=5, seed=3)
    y = noise(1, 1, 8, 9)
    expected = torch.zeros_like(y)
    for i in range(5):
        for j in range(5):
            expected += kernel[i, j] * y.roll((i - 2, j - 2), (2, 3))
    torch.testing.assert_close(Blur(kernel)(y), expected)


@pytest.mark.parametrize("size", [(32, 32), (33, 41), (17, 20)])
def test_adjoint(size):
    blur = Blur(images.motion_kernel())
    y, x = noise(2, 3, *size), noise(2, 3, *size, seed=1)
    torch.testing.assert_close((blur(y) * x).sum(), (y * blur.adjoint(x)).sum())


@pytest.mark.parametrize("shape", [(5, 5), (17, 17)])
def test_blur_agrees_with_deepinv(shape):
    from deepinv.physics import BlurFFT

    kernel = images.motion_kernel(size=shape[0])
    y = noise(2, 3, 40, 32).float()
    theirs = BlurFFT((3, 40, 32), filter=kernel.float()[None, None])
    blur = Blur(kernel)
    torch.testing.assert_close(blur(y), theirs.A(y), atol=2e-6, rtol=0)
    torch.testing.assert_close(blur.adjoint(y), theirs.A_adjoint(y), atol=2e-6, rtol=0)


def test_a_picture_without_batch_or_colours():
    blur = Blur(images.motion_kernel(size=5))
    y = noise(2, 3, 8, 9)
    torch.testing.assert_close(blur(y[0, 0]), blur(y)[0, 0])
    torch.testing.assert_close(blur.adjoint(y[0, 0]), blur.adjoint(y)[0, 0])


def test_correct_is_a_step_towards_the_data():
    blur = Blur(images.motion_kernel())
    y, x = noise(2, 3, 32, 32), noise(2, 3, 32, 32, seed=1)
    step = blur.correct(y, x, torch.tensor(0.7, dtype=f64))
    torch.testing.assert_close(step, y - 0.7 * blur.adjoint(blur(y) - x))


def test_the_norm_of_a_is_one_and_mass_is_kept():
    blur = Blur(images.motion_kernel())
    y = torch.rand(1, 3, 40, 40, dtype=f64)
    assert blur.symbol(y).abs().max().item() == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close(blur(y).mean((2, 3)), y.mean((2, 3)))


@pytest.mark.parametrize(
    "kernel, says",
    [
        (torch.ones(4, 5), "odd"),
        (torch.ones(3), "odd"),
        (-torch.ones(3, 3), "negative"),
        (torch.zeros(3, 3), "zero"),
        (torch.full((3, 3), math.nan), "finite"),
        (torch.tensor([[1.0, math.inf, 1.0]]), "finite"),
    ],
)
def test_bad_kernels(kernel, says):
    with pytest.raises(ValueError, match=f"kernel.*{says}"):
        Blur(kernel)


def test_an_image_smaller_than_the_kernel():
    with pytest.raises(ValueError, match="17 x 17 pixels, got 16 x 40"):
        Blur(images.motion_kernel())(torch.zeros(1, 3, 16, 40))
