"""The deblurring operators: their data steps against dense algebra and deepinv, their ranges, sizes and parameters."""

import equilibria as eq
import pytest
import torch
from equilibria.operators.deblurring import Denoiser, Explicit, ImplicitHQS, ImplicitPGD, Unfolded
from equilibria.problems import images
from equilibria.problems.images import Blur

f64 = torch.float64
SMALL = dict(channels=(8, 8, 8, 8), blocks=1)


def noise(*shape, seed=0, dtype=f64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


@pytest.fixture
def blur():
    return Blur(images.motion_kernel(size=7))


@pytest.fixture
def denoiser():
    torch.manual_seed(0)
    return Denoiser(**SMALL)


def dense(blur, side):
    """A as a (side^2, side^2) matrix, one column an image with a single bright pixel."""
    return blur(torch.eye(side * side, dtype=f64).view(-1, 1, side, side)).flatten(1).T


def test_pgd_step_against_dense_algebra(blur, denoiser):
    A, y, x = dense(blur, 8), noise(1, 1, 8, 8), noise(1, 1, 8, 8, seed=1)
    operator = ImplicitPGD(denoiser, blur, gamma=0.7).double()
    expected = y.flatten() - 0.7 * A.T @ (A @ y.flatten() - x.flatten())
    torch.testing.assert_close(
        operator.data_step(y, x).flatten(), expected, atol=1e-7, rtol=0
    )  # gamma is stored in float32


def test_hqs_step_against_dense_algebra(blur, denoiser):
    A, y, x = dense(blur, 8), noise(1, 1, 8, 8), noise(1, 1, 8, 8, seed=1)
    operator = ImplicitHQS(denoiser, blur, beta=0.25).double()
    beta = operator.beta.item()
    expected = torch.linalg.solve(
        A.T @ A + beta * torch.eye(64, dtype=f64), A.T @ x.flatten() + beta * y.flatten()
    )
    torch.testing.assert_close(operator.data_step(y, x).flatten(), expected)


def test_hqs_step_against_deepinvs_proximal_operator(denoiser):
    from deepinv.physics import BlurFFT

    kernel, y, x = (
        images.motion_kernel(size=7),
        noise(2, 3, 32, 40, dtype=torch.float32),
        noise(2, 3, 32, 40, seed=1, dtype=torch.float32),
    )
    theirs = BlurFFT((3, 32, 40), filter=kernel.float()[None, None])
    ours = ImplicitHQS(denoiser, Blur(kernel), beta=0.25).data_step(y, x)
    torch.testing.assert_close(
        ours, theirs.prox_l2(y, x, 4.0), atol=1e-5, rtol=0
    )  # gamma = 1 / beta


def test_where_the_blur_removes_everything_the_data_step_returns_y(denoiser):
    box = Blur(torch.ones(3, 1) / 3)  # K = 0 at the frequency of period 3
    wave = (
        torch.cos(2 * torch.pi * torch.arange(24, dtype=f64) / 3)
        .view(1, 1, 24, 1)
        .expand(1, 1, 24, 8)
    )
    for operator in (ImplicitPGD(denoiser, box).double(), ImplicitHQS(denoiser, box).double()):
        torch.testing.assert_close(
            operator.data_step(wave, torch.zeros_like(wave)), wave, atol=1e-10, rtol=0
        )


def test_data_steps_do_not_expand(blur, denoiser):
    y, other, x = noise(2, 3, 16, 16), noise(2, 3, 16, 16, seed=1), noise(2, 3, 16, 16, seed=2)
    for operator in (
        ImplicitPGD(denoiser, blur, gamma=1.9).double(),
        ImplicitHQS(denoiser, blur, beta=1e-3).double(),
    ):
        moved = operator.data_step(y, x) - operator.data_step(other, x)
        assert (moved.flatten(1).norm(dim=1) <= (y - other).flatten(1).norm(dim=1)).all()


def test_learned_numbers_start_where_asked_and_stay_in_range(denoiser, blur):
    pgd, hqs = (
        ImplicitPGD(denoiser, blur, gamma=1.5, sigma=0.1),
        ImplicitHQS(denoiser, blur, beta=0.5),
    )
    assert pgd.gamma.item() == pytest.approx(1.5) and pgd.sigma.item() == pytest.approx(0.1)
    assert hqs.beta.item() == pytest.approx(0.5) and hqs.sigma.item() == pytest.approx(0.03)
    with torch.no_grad():
        for shift in (-60, 120):
            for parameter in (pgd._gamma, pgd._sigma, hqs._log_beta):
                parameter += shift
            assert 0 <= pgd.gamma <= 2 and 0 <= pgd.sigma <= 0.5 and hqs.beta > 0


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda d, b: ImplicitPGD(d, b, gamma=2.0), r"gamma must lie in \(0, 2\), got 2.0"),
        (lambda d, b: ImplicitHQS(d, b, beta=0.0), "beta must be positive.*got 0.0"),
        (
            lambda d, b: ImplicitHQS(d, b, beta=float("inf")),
            "beta must be positive and finite, got inf",
        ),
        (lambda d, b: Explicit(d, sigma=float("nan")), r"sigma must lie in \(0, 0.5\), got nan"),
        (lambda d, b: Unfolded(ImplicitHQS(d, b), 0), "depth must be at least 1, got 0"),
    ],
)
def test_settings_out_of_range(denoiser, blur, build, says):
    with pytest.raises(ValueError, match=says):
        build(denoiser, blur)


@pytest.mark.parametrize("size", [(16, 16), (33, 47), (40, 17)])
def test_images_of_any_size(denoiser, blur, size):
    y = noise(2, 3, *size, dtype=torch.float32)
    for model in (Explicit(denoiser), Unfolded(ImplicitPGD(denoiser, blur), 2)):
        assert model(y).shape == y.shape
    assert ImplicitHQS(denoiser, blur)(y, y).shape == y.shape


def test_padding_changes_nothing_far_from_the_edge_it_adds(denoiser):
    y = noise(1, 3, 128, 128, dtype=torch.float32)
    whole, part = denoiser(y, 0.05), denoiser(y[..., :124, :], 0.05)
    torch.testing.assert_close(whole[..., :56, :], part[..., :56, :])


def test_denoiser_takes_a_level_per_image(denoiser):
    y = noise(2, 3, 16, 16, dtype=torch.float32)
    together = denoiser(y, torch.tensor([0.01, 0.2]))
    torch.testing.assert_close(together[1:], denoiser(y[1:], 0.2))
    assert not torch.allclose(together[1:], denoiser(y[1:], 0.01))


def test_denoiser_is_deepinvs_drunet():
    from deepinv.models import DRUNet

    torch.manual_seed(0)
    theirs = DRUNet(nc=[8, 8, 8, 8], nb=1, pretrained=None)
    torch.manual_seed(0)
    ours = Denoiser(**SMALL, residual=False)
    y = noise(1, 3, 32, 32, dtype=torch.float32)
    torch.testing.assert_close(ours(y, 0.1), theirs(y, 0.1))


def test_the_models_of_the_comparison_have_the_same_network(blur):
    count = lambda model: sum(p.numel() for p in model.parameters())
    network = count(Denoiser())
    assert network == 144120
    assert count(Explicit(Denoiser())) == network + 1  # sigma
    assert (
        count(ImplicitPGD(Denoiser(), blur)) == count(ImplicitHQS(Denoiser(), blur)) == network + 2
    )  # sigma and gamma or beta
    assert count(Unfolded(ImplicitHQS(Denoiser(), blur), 3)) == 3 * (network + 2)


def test_unfolded_blocks_begin_equal_and_are_their_own(denoiser, blur):
    block = ImplicitHQS(denoiser, blur)
    model, x = Unfolded(block, 2), noise(1, 3, 16, 16, dtype=torch.float32)
    torch.testing.assert_close(model(x), block(block(x, x), x))
    with torch.no_grad():
        model.blocks[0]._log_beta += 1
    assert model.blocks[1].beta.item() == block.beta.item() == pytest.approx(0.25)


class Shrink(torch.nn.Module):
    """A denoiser with an equilibrium in closed form: H(v) = w v."""

    def __init__(self):
        super().__init__()
        self.w = torch.nn.Parameter(torch.tensor(0.9, dtype=f64))

    def forward(self, v, sigma):
        return self.w * v


@pytest.mark.parametrize("kind", [ImplicitHQS, ImplicitPGD])
def test_equilibrium_and_its_gradient_in_closed_form(blur, kind):
    A, x = dense(blur, 8), noise(1, 1, 8, 8)
    operator = kind(Shrink(), blur).double()
    solution = eq.equilibrium(
        operator, x, x, max_steps=200, tol=1e-10, adjoint=eq.Implicit(max_steps=200, tol=1e-10)
    )
    solution.y.square().sum().backward()
    w, beta, gamma = (
        operator.denoiser.w.detach().clone().requires_grad_(),
        torch.tensor(0.25, dtype=f64),
        1.0,
    )
    eye = torch.eye(64, dtype=f64)
    inverse = torch.linalg.inv(A.T @ A + beta * eye)
    system = eye - w * (beta * inverse if kind is ImplicitHQS else eye - gamma * A.T @ A)
    y = torch.linalg.solve(
        system, w * (inverse if kind is ImplicitHQS else gamma * eye) @ A.T @ x.flatten()
    )
    y.square().sum().backward()
    torch.testing.assert_close(solution.y.detach().flatten(), y.detach(), atol=1e-6, rtol=0)
    torch.testing.assert_close(operator.denoiser.w.grad, w.grad, rtol=1e-6, atol=0)


def test_gradients_reach_every_parameter(blur, denoiser):
    x = torch.rand(2, 3, 16, 16)
    for operator in (ImplicitHQS(denoiser, blur), ImplicitPGD(denoiser, blur)):
        operator.zero_grad()
        eq.equilibrium(
            operator, x, x, max_steps=3, adjoint=eq.Implicit(max_steps=3, tol=None)
        ).y.square().sum().backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in operator.parameters())
