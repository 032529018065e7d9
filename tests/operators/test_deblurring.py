"""The deblurring operators: data steps against dense algebra and deepinv, ranges and sizes."""

import equilibria as eq
import pytest
import torch
from deblurring_models import Shrink, f64, noise
from equilibria.operators.blur import Blur
from equilibria.operators.deblurring import Denoiser, Explicit, ImplicitHQS, ImplicitPGD, Unfolded
from equilibria.problems import images

SMALL = {"channels": (8, 8, 8, 8), "blocks": 1}


@pytest.fixture
def blur():
    return Blur(images.motion_kernel(size=7))


@pytest.fixture
def denoiser():
    torch.manual_seed(0)
    return Denoiser(**SMALL)


def dense(blur, side):
    """A as a (side^2, side^2) matrix; each column is the blurred image of one bright pixel."""
    return blur(torch.eye(side * side, dtype=f64).view(-1, 1, side, side)).flatten(1).T


# -------------------------------------------------------------------------------- data steps
def test_pgd_step_against_dense_algebra(blur, denoiser):
    A, y, x = dense(blur, 8), noise(1, 1, 8, 8), noise(1, 1, 8, 8, seed=1)
    operator = ImplicitPGD(denoiser, blur, gamma=0.7).double()
    expected = y.flatten() - 0.7 * A.T @ (A @ y.flatten() - x.flatten())
    step = operator.data_step(y, x).flatten()
    torch.testing.assert_close(step, expected, atol=1e-7, rtol=0)  # gamma is stored in float32


def test_hqs_step_against_dense_algebra(blur, denoiser):
    A, y, x = dense(blur, 8), noise(1, 1, 8, 8), noise(1, 1, 8, 8, seed=1)
    operator = ImplicitHQS(denoiser, blur, beta=0.25).double()
    beta = operator.beta.item()
    matrix = A.T @ A + beta * torch.eye(64, dtype=f64)
    expected = torch.linalg.solve(matrix, A.T @ x.flatten() + beta * y.flatten())
    torch.testing.assert_close(operator.data_step(y, x).flatten(), expected)


def test_hqs_step_against_deepinvs_proximal_operator(denoiser):
    from deepinv.physics import BlurFFT

    kernel = images.motion_kernel(size=7)
    y = noise(2, 3, 32, 40, dtype=torch.float32)
    x = noise(2, 3, 32, 40, seed=1, dtype=torch.float32)
    physics = BlurFFT((3, 32, 40), filter=kernel.float()[None, None])
    theirs = physics.prox_l2(y, x, 4.0)  # its gamma is 1 / beta
    ours = ImplicitHQS(denoiser, Blur(kernel), beta=0.25).data_step(y, x)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", [ImplicitPGD, ImplicitHQS])
def test_where_the_blur_removes_everything_the_data_step_returns_y(kind, denoiser):
    box = Blur(torch.ones(3, 1) / 3)  # K = 0 at the frequency of period 3
    wave = torch.cos(2 * torch.pi * torch.arange(24, dtype=f64) / 3)
    wave = wave.view(1, 1, 24, 1).expand(1, 1, 24, 8)
    operator = kind(denoiser, box).double()
    step = operator.data_step(wave, torch.zeros_like(wave))
    torch.testing.assert_close(step, wave, atol=1e-10, rtol=0)


@pytest.mark.parametrize(
    "kind, number", [(ImplicitPGD, {"gamma": 1.9}), (ImplicitHQS, {"beta": 1e-3})]
)
def test_data_steps_do_not_expand(kind, number, blur, denoiser):
    y, other, x = noise(2, 3, 16, 16), noise(2, 3, 16, 16, seed=1), noise(2, 3, 16, 16, seed=2)
    operator = kind(denoiser, blur, **number).double()
    moved = operator.data_step(y, x) - operator.data_step(other, x)
    assert (moved.flatten(1).norm(dim=1) <= (y - other).flatten(1).norm(dim=1)).all()


# ---------------------------------------------------------------------------- learned numbers
def test_learned_numbers_start_where_asked_and_stay_in_range(denoiser, blur):
    pgd = ImplicitPGD(denoiser, blur, gamma=1.5, sigma=0.1)
    hqs = ImplicitHQS(denoiser, blur, beta=0.5)
    assert pgd.gamma.item() == pytest.approx(1.5)
    assert pgd.sigma.item() == pytest.approx(0.1)
    assert hqs.beta.item() == pytest.approx(0.5)
    assert hqs.sigma.item() == pytest.approx(0.03)
    with torch.no_grad():
        for shift in (-60, 120):
            for parameter in (pgd._gamma, pgd._sigma, hqs._log_beta):
                parameter += shift
            assert 0 <= pgd.gamma <= 2
            assert 0 <= pgd.sigma <= 0.5
            assert hqs.beta > 0


@pytest.mark.parametrize(
    "build, says",
    [
        (lambda d, b: ImplicitPGD(d, b, gamma=2.0), r"gamma must be in \(0, 2\), got 2.0"),
        (lambda d, b: ImplicitHQS(d, b, beta=0.0), "beta must be positive and finite, got 0.0"),
        (lambda d, b: ImplicitHQS(d, b, beta=float("inf")), "positive and finite, got inf"),
        (lambda d, b: Explicit(d, sigma=float("nan")), r"sigma must be in \(0, 0.5\), got nan"),
        (lambda d, b: Unfolded(ImplicitHQS(d, b), 0), "depth must be at least 1, got 0"),
    ],
)
def test_numbers_out_of_range(denoiser, blur, build, says):
    with pytest.raises(ValueError, match=says):
        build(denoiser, blur)


# ------------------------------------------------------------------------------- the networks
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
    def count(model):
        return sum(p.numel() for p in model.parameters())

    network = count(Denoiser())
    assert network == 144120
    assert count(Explicit(Denoiser())) == network + 1  # sigma
    assert count(ImplicitPGD(Denoiser(), blur)) == network + 2  # sigma and gamma
    assert count(ImplicitHQS(Denoiser(), blur)) == network + 2  # sigma and beta
    assert count(Unfolded(ImplicitHQS(Denoiser(), blur), 3)) == 3 * (network + 2)


def test_unfolded_blocks_begin_equal_and_are_their_own(denoiser, blur):
    block = ImplicitHQS(denoiser, blur)
    model, x = Unfolded(block, 2), noise(1, 3, 16, 16, dtype=torch.float32)
    torch.testing.assert_close(model(x), block(block(x, x), x))
    with torch.no_grad():
        model.blocks[0]._log_beta += 1
    assert model.blocks[1].beta.item() == block.beta.item() == pytest.approx(0.25)


# ------------------------------------------------------------------------------ the equilibrium
def equation_of(kind, w, A):
    """(M, N) such that the equilibrium with H(v) = w v solves M y = N x, in flat images."""
    eye = torch.eye(len(A), dtype=f64)
    if kind is ImplicitPGD:  # y = w (y - A^T (A y - x)), with gamma = 1
        return eye - w * (eye - A.T @ A), w * A.T
    beta = torch.tensor(0.25, dtype=f64)
    inverse = torch.linalg.inv(A.T @ A + beta * eye)
    return eye - w * beta * inverse, w * inverse @ A.T


@pytest.mark.parametrize("kind", [ImplicitHQS, ImplicitPGD])
def test_equilibrium_and_its_gradient_in_closed_form(blur, kind):
    A, x = dense(blur, 8), noise(1, 1, 8, 8)
    operator = kind(Shrink(), blur).double()
    adjoint = eq.Implicit(max_steps=200, tol=1e-10)
    solution = eq.equilibrium(operator, x, x, max_steps=200, tol=1e-10, adjoint=adjoint)
    solution.y.square().sum().backward()

    w = operator.denoiser.w.detach().clone().requires_grad_()
    M, N = equation_of(kind, w, A)
    y = torch.linalg.solve(M, N @ x.flatten())
    y.square().sum().backward()
    torch.testing.assert_close(solution.y.detach().flatten(), y.detach(), atol=1e-6, rtol=0)
    torch.testing.assert_close(operator.denoiser.w.grad, w.grad, rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", [ImplicitHQS, ImplicitPGD])
def test_gradients_reach_every_parameter(blur, denoiser, kind):
    x = torch.rand(2, 3, 16, 16)
    operator = kind(denoiser, blur)
    adjoint = eq.Implicit(max_steps=3, tol=None)
    solution = eq.equilibrium(operator, x, x, max_steps=3, adjoint=adjoint)
    solution.y.square().sum().backward()
    for parameter in operator.parameters():
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0
