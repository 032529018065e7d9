"""Fourier neural operators: against FFTs, the published count, grids that do not matter."""

import equilibria as eq
import pytest
import torch
from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO, SpectralConvolution
from equilibria.problems.flow_grid import random_vorticity, resample

f64 = torch.float64


def smooth(count, channels, n, seed=0, std=1.0):
    generator = torch.Generator().manual_seed(seed)
    w = random_vorticity(count * channels, n, std=std, generator=generator)
    return w.view(count, channels, n, n)


def count(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize("n", [10, 16, 24])
def test_the_spectral_convolution_is_what_ffts_give(n):
    torch.manual_seed(0)
    layer, m = SpectralConvolution(3, 4).double(), 4
    z = torch.randn(2, 3, n, n, dtype=f64)
    weight = torch.complex(layer.weight[..., :3], layer.weight[..., 3:])
    weight = weight.view(m, 2 * m, 3, 3)  # [k2, k1, in, out]
    a = torch.fft.rfft2(z)
    b = torch.zeros_like(a)
    k1 = [*range(m), *range(-m, 0)]
    for j, k in enumerate(k1):
        b[:, :, k, :m] = torch.einsum("bil,lio->bol", a[:, :, k, :m], weight[:, j])
    torch.testing.assert_close(layer(z.flatten(2)).view_as(z), torch.fft.irfft2(b, s=(n, n)))
    mix = torch.randn(3, 3, dtype=f64)
    torch.testing.assert_close(layer(z.flatten(2), mix), mix @ layer(z.flatten(2)))
    small = z[:1, :, :10, :10].flatten(2).clone().requires_grad_()
    assert torch.autograd.gradcheck(layer, small)


def test_too_small_a_grid_is_refused():
    with pytest.raises(ValueError, match=r"n must be at least 2 modes \+ 2 = 10, got 8"):
        SpectralConvolution(2, 4)(torch.zeros(1, 2, 64))


def test_gradients_pass_after_inference():
    model, x = ImplicitFNO(width=4, modes=3), torch.randn(1, 2, 16, 16)
    with torch.inference_mode():
        model(model.start(model.encode(x)), model.encode(x))
    q = model.encode(x)
    model(model.start(q), q).square().sum().backward()
    assert all(p.grad is not None for p in model.blocks.parameters())


def test_the_published_count():
    implicit, explicit = ImplicitFNO(width=32, modes=12), ExplicitFNO(width=32, modes=12)
    assert count(implicit) == 2_376_322  # 2.376 million, and the damping
    assert count(explicit) == count(implicit) - 1
    assert implicit.state_dict().keys() - explicit.state_dict().keys() == {"_damping"}


def test_the_explicit_model_is_the_block_once():
    torch.manual_seed(0)
    implicit, explicit = ImplicitFNO(width=4, modes=3), ExplicitFNO(width=4, modes=3)
    explicit.load_state_dict({k: v for k, v in implicit.state_dict().items() if k != "_damping"})
    x = torch.randn(2, 2, 16, 16)
    z = implicit.block(0, implicit.lift(x), implicit.encode(x))
    torch.testing.assert_close(explicit(x), implicit.decode(z))


def test_depth_and_width():
    x = torch.randn(2, 2, 16, 16)
    for model in (ExplicitFNO(width=4, modes=3, depth=3), ExplicitFNO(width=6, modes=3)):
        y = model(x)
        assert y.shape == (2, 16, 16)
        assert y.mean((1, 2)).abs().max() < 1e-6
    one, three = ExplicitFNO(width=4, modes=3), ExplicitFNO(width=4, modes=3, depth=3)
    block = count(one.blocks[0]) + count(one.injections[0])
    assert count(three) - count(one) == 2 * block
    first, second = (three.blocks[index][0].skip.weight for index in (0, 1))
    assert not torch.equal(first, second)


def test_the_plain_model_sees_its_input_once():
    torch.manual_seed(0)
    plain = ExplicitFNO(width=4, modes=3, depth=2, injected=False)
    explicit = ExplicitFNO(width=4, modes=3, depth=2)
    assert count(explicit) - count(plain) == 2 * 3 * 4 * 4  # the matrices of the injections
    shared = {k: v for k, v in plain.state_dict().items() if not k.startswith("biases")}
    explicit.load_state_dict(shared, strict=False)
    with torch.no_grad():
        for injection, bias in zip(explicit.injections, plain.biases, strict=True):
            bias.copy_(torch.randn_like(bias))
            injection.weight.zero_()
            injection.bias.copy_(bias[:, 0])
    x = torch.randn(2, 2, 16, 16)
    torch.testing.assert_close(plain(x), explicit(x))


def test_the_damping_and_the_zero_mean():
    torch.manual_seed(0)
    model = ImplicitFNO(width=4, modes=3, damping=0.25, output_scale=3.0)
    q = model.encode(torch.randn(2, 2, 16, 16))
    z = torch.randn(2, 4, 256)
    torch.testing.assert_close(model(z, q), 0.75 * z + 0.25 * model.block(0, z, q))
    assert model.decode(z).mean((1, 2)).abs().max() < 1e-6
    assert model.start(q).abs().max() == 0


def test_iterates_stay_bounded():
    """The norm's output has mean square one: with the injection it bounds |block| for any z."""
    torch.manual_seed(0)
    model = ImplicitFNO(width=4, modes=3)
    q = model.encode(torch.randn(2, 2, 16, 16)).detach()
    z = 1e3 * torch.randn(2, 4, 256)
    bound = 16 + q[:, -4:].flatten(1).norm(dim=1) / 2
    with torch.no_grad():
        *_, z = eq.trajectory(model, z, q, 60)
    assert (z.flatten(1).norm(dim=1) / 2 <= 1.01 * bound).all()


def test_gradients_through_the_equilibrium():
    torch.manual_seed(0)
    model, x = ImplicitFNO(width=3, modes=2).double(), torch.randn(1, 2, 8, 8, dtype=f64)
    # large states, which the norm shrinks: a contraction, so that both ways have a limit
    model.injections[0].weight.data *= 30

    def gradient(adjoint, method):
        model.zero_grad()
        q = model.encode(x)
        solution = eq.equilibrium(
            model, model.start(q), q, method=method, max_steps=150, tol=None, adjoint=adjoint
        )
        model.decode(solution.y).square().mean().backward()
        return torch.cat([p.grad.flatten() for p in model.parameters()])

    implicit = gradient(eq.Implicit(max_steps=80, tol=None), eq.Picard())
    unrolled = gradient(eq.Unrolled(), eq.Picard())
    atol = 1e-8 * implicit.abs().max().item()
    torch.testing.assert_close(implicit, unrolled, rtol=1e-6, atol=atol)


def test_shifts_carry_over():
    torch.manual_seed(0)
    model, x = ExplicitFNO(width=4, modes=3).double(), torch.randn(1, 2, 16, 16, dtype=f64)
    torch.testing.assert_close(model(x.roll((3, 5), (2, 3))), model(x).roll((3, 5), (1, 2)))


def test_the_grid_does_not_matter():
    """On band-limited input grids differ by the aliasing of GELU, smaller on a finer grid."""
    torch.manual_seed(0)
    model, x = ExplicitFNO(width=8, modes=8).double(), smooth(1, 2, 128)
    with torch.no_grad():
        best = model(x)
        off = []
        for n in (32, 64):
            answer = model(resample(x, n))
            difference = resample(best, n) - answer
            off.append((difference.norm() / answer.norm()).item())
    assert off[1] < 5e-3
    assert off[1] < 0.1 * off[0]


def test_bad_arguments():
    for settings, message in (
        (dict(width=0, modes=3), "width must be at least 1, got 0"),
        (dict(width=4, modes=-1), "modes must be .* got -1"),
    ):
        with pytest.raises(ValueError, match=message):
            SpectralConvolution(**settings)
    with pytest.raises(ValueError, match=r"z must have shape \(B, 4, n \* n\), got \(1, 4, 80\)"):
        SpectralConvolution(4, 3)(torch.zeros(1, 4, 80))
    with pytest.raises(
        TypeError, match=r"x must have the weights' dtype torch\.float32, got torch\.float64"
    ):
        ExplicitFNO(width=4, modes=3)(torch.zeros(1, 2, 16, 16, dtype=f64))
    with pytest.raises(ValueError, match="damping must be in"):
        ImplicitFNO(width=4, modes=3, damping=1.1)
    with pytest.raises(ValueError, match="depth must be at least 1, got 0"):
        ExplicitFNO(width=4, modes=3, depth=0)
    with pytest.raises(ValueError, match="input_scale must be positive"):
        ImplicitFNO(width=4, modes=3, input_scale=0.0)
    with pytest.raises(ValueError, match=r"x must have shape \(B, 2, n, n\), got \(1, 3, 16, 16\)"):
        ExplicitFNO(width=4, modes=3)(torch.zeros(1, 3, 16, 16))
