"""Measures of the deblurring study against closed forms and plain iterations."""

import equilibria as eq
import pytest
import torch
from deblurring_models import Shrink, f64, scene
from equilibria import adjoints
from equilibria.operators.blur import Blur
from equilibria.operators.deblurring import Denoiser, Explicit, ImplicitHQS, ImplicitPGD, Unfolded
from equilibria.problems import images
from equilibria.studies import deblurring as study


# --------------------------------------------------------------------------------- steepness
def test_waves_are_unit_singular_vectors_at_rising_frequencies(blur):
    like = torch.zeros(1, 3, 32, 32, dtype=f64)
    v, size = study.waves(blur, like)
    assert v.shape == (5, 3, 32, 32)
    torch.testing.assert_close(v.flatten(1).norm(dim=1), torch.ones(5, dtype=f64))
    expected = size.square()[:, None, None, None] * v
    torch.testing.assert_close(blur.adjoint(blur(v)), expected, atol=1e-12, rtol=0)
    assert study.RANKS == (0.1, 0.3, 0.5, 0.7, 0.9)  # the paper's
    rows, columns = torch.fft.fftfreq(32), torch.fft.rfftfreq(32)
    frequencies = torch.stack(torch.meshgrid(rows, columns, indexing="ij")).norm(dim=0).flatten()
    for wave, rank in zip(v, study.RANKS, strict=True):
        radius = frequencies[torch.fft.rfft2(wave[0]).abs().argmax()]
        assert (frequencies < radius).float().mean().item() == pytest.approx(rank, abs=0.02)


@pytest.mark.parametrize("kind", [ImplicitPGD, ImplicitHQS])
def test_the_lipschitz_protocol_on_a_linear_operator(blur, kind):
    model, truth = kind(Shrink(0.9), blur).double(), scene()
    x = blur(truth)
    ratios, quality = study.lipschitz_along_t(model, truth, x, steps=4)
    assert ratios.shape == (4, 5, 2)
    assert quality.shape == (4, 6, 2)
    # At one frequency y_t = a x + b y_{t-1}, with a = 0.9 w K, b = 0.9 (1 - w K^2), gamma = 1 or
    # beta = 1/4.
    K = study.waves(blur, x)[1]
    w = 1 / (K.square() + 0.25) if kind is ImplicitHQS else torch.ones_like(K)
    a, b = 0.9 * w * K, 0.9 * (1 - w * K.square())
    for t in range(1, 5):
        expected = a * (1 - b**t) / (1 - b)
        torch.testing.assert_close(ratios[t - 1], expected[:, None].expand(5, 2), rtol=1e-6, atol=0)
    *_, y = eq.trajectory(model, torch.zeros_like(x), x, 4)
    torch.testing.assert_close(quality[-1, 0], images.psnr(y, truth).detach())
    # A perturbation of norm 0.01 cannot be seen.
    assert (quality[:, 1:] - quality[:, :1]).abs().max() < 0.05


def test_local_constant_and_rate_of_a_linear_operator(blur):
    model, x = ImplicitPGD(Shrink(0.5), blur).double(), scene(count=1)
    K = blur.symbol(x).abs()
    b = 0.5 * (1 - K.square())
    y_2 = 0.5 * K * (1 + b)  # what two iterations from 0 multiply x by, at each frequency
    constant = study.local_constant_of_y_t(model, x, 2).item()
    assert constant == pytest.approx(y_2.max().item(), rel=0.02)
    y_star = study.solved(model, x, tol=1e-10).y
    rate = study.convergence_rate(model, y_star, x, seed=0)
    assert rate.shape == (1,)
    assert rate.item() == pytest.approx(b.max().item(), rel=0.03)


# ------------------------------------------------------------------------- answers, PSNR along t
def test_psnr_along_t(blur):
    model, truth = ImplicitHQS(Shrink(), blur).double(), scene()
    x = blur(truth)
    curve = study.psnr_along_t(model, truth, x, steps=3)
    *_, y = eq.trajectory(model, torch.zeros_like(x), x, 3)
    torch.testing.assert_close(curve[-1], images.psnr(y, truth).detach())
    from_x = study.psnr_along_t(model, truth, x, steps=3, start=x)
    assert curve.shape == (3, 2)
    assert not torch.equal(curve, from_x)


def test_solved_says_where_it_did_not_get_there(blur):
    x = scene()
    good, bad = ImplicitHQS(Shrink(0.5), blur).double(), ImplicitPGD(Shrink(3.0), blur).double()
    solution = study.solved(good, x)
    assert bool(solution.success.all())
    torch.testing.assert_close(good(solution.y, x), solution.y, atol=1e-3, rtol=0)
    torch.testing.assert_close(study.answer(good, x), solution.y, atol=1e-3, rtol=0)
    *_, y = eq.trajectory(good, x, x, 100)
    assert torch.equal(study.answer(good, x), y)  # the paper's 100 iterations from y_0 = x
    diverged = study.solved(bad, x, method=eq.Picard(), max_steps=20)
    assert not bool(diverged.success.any())


# -------------------------------------------------------------------------------- comparisons
@pytest.fixture
def small_hqs(blur):
    torch.manual_seed(0)
    return ImplicitHQS(Denoiser((8, 8, 8, 8), 1), blur)


def memory_growth(model, adjoint):
    """Memory after 100 iterations over that after 10."""
    x = scene(count=1).float()
    after_10, after_100 = (
        study.equilibrium_memory(model, x, iterations=t, adjoint=adjoint) for t in (10, 100)
    )
    return after_100 / after_10


def test_memory_is_flat_for_the_implicit_adjoint_and_grows_by_unrolling(small_hqs):
    assert memory_growth(small_hqs, eq.Implicit()) <= 1.03
    assert memory_growth(small_hqs, eq.Unrolled()) >= 8
    with torch.no_grad():  # the measurement does not depend on where it is called from
        assert memory_growth(small_hqs, eq.Unrolled()) >= 8


def test_an_adjoint_that_keeps_its_graph_is_found_out(small_hqs, monkeypatch):
    def solve_with_graph(G, y0, x, **settings):
        return eq.equilibrium(G, y0, x, adjoint=eq.Unrolled(), **settings)

    monkeypatch.setattr(adjoints, "solve", solve_with_graph)
    assert memory_growth(small_hqs, eq.Implicit()) >= 8


def test_memory_grows_with_the_depth_of_an_unfolded_network(small_hqs):
    x = scene().float()
    shallow = study.unfolded_memory(Unfolded(small_hqs, 2), x)
    assert study.unfolded_memory(Unfolded(small_hqs, 4), x) > 1.8 * shallow


def test_psnr_by_budget(blur):
    model, truth = ImplicitHQS(Shrink(0.5), blur).double(), scene()
    x = blur(truth)
    curve = study.psnr_by_budget(model, truth, x, method=eq.Picard(), budgets=[2, 4])
    assert curve.evaluations == [2, 4]
    assert curve.residual.shape == (4,)
    assert curve.residual[-1] < curve.residual[0]
    by_t = study.psnr_along_t(model, truth, x, steps=4, start=x).mean(1)
    assert curve.psnr[1].item() == pytest.approx(by_t[3].item())


def test_another_blur_reaches_the_implicit_models_only_for_the_call(blur):
    truth, other = scene().float(), Blur(torch.ones(5, 5))
    models = {"explicit": Explicit(Shrink()), "hqs": ImplicitHQS(Shrink(), blur)}
    psnr = study.psnr_of_all(models, truth, blur=other, noise=0.0, seed=0)
    assert list(psnr) == ["x", "explicit", "hqs"]
    assert models["hqs"].blur is blur
    x = other(truth)
    assert psnr["x"] == images.psnr(x, truth).mean()
    expected = images.psnr(study.answer(ImplicitHQS(Shrink(), other), x), truth).mean()
    torch.testing.assert_close(psnr["hqs"], expected)


# ------------------------------------------------------------------------------------ pictures
def test_the_most_detailed_square():
    image = torch.full((3, 96, 120), 0.5)
    image[:, 24:64, 48:88] = scene(1, 40).float()[0]
    assert study.most_detailed_square(image) == (24, 48)


def test_log_symbol_has_frequency_zero_in_the_middle():
    kernel = images.motion_kernel()
    symbol = study.log_symbol(kernel)
    assert symbol.shape == (64, 64)
    assert symbol[32, 32].item() == pytest.approx(0, abs=1e-12)  # K = 1 there
    K = Blur(kernel).symbol(torch.zeros(64, 64, dtype=f64)).abs()
    expected = K.clamp(min=1e-3).log10()[0, :32]
    torch.testing.assert_close(symbol[32, 32:], expected)
