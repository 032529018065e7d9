"""Measurements against closed forms."""

import equilibria as eq
import pytest
import torch
from equilibria import training
from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO
from equilibria.problems.flow_equation import linearised
from equilibria.studies import navier_stokes as study
from steady_flows import NU, Exact, f64, forced


def test_perturbations_are_unit_waves_at_the_percentiles():
    _, w = forced(2)
    dw, df = study.perturbations(w, NU)
    assert dw.shape == (15, 32, 32)
    assert df.shape == (2, 15, 2, 32, 32)
    torch.testing.assert_close(dw.flatten(1).norm(dim=1), torch.full((15,), 0.01, dtype=f64))
    torch.testing.assert_close(df[1, 3], linearised(w[1:], dw[3:4], NU)[0])
    k = torch.fft.fftfreq(32, 1 / 32)
    radius = (k[:, None].square() + k.square()).sqrt()
    below_nyquist = (k.abs() < 16)[:, None] & (k.abs() < 16)
    inside = radius[below_nyquist & (radius > 0)]
    for wave, percentile in zip(dw, study.PERCENTILES, strict=True):
        own = radius.flatten()[torch.fft.fft2(wave).abs().argmax()]
        assert (inside < own).double().mean().item() == pytest.approx(percentile, abs=0.02)


def test_the_lipschitz_protocol_on_a_known_iteration():
    f, w = forced(2)
    ratios, errors = study.lipschitz_along_t(Exact(32), w, f, steps=3)
    assert ratios.shape == (3, 15, 2)
    assert errors.shape == (3, 16, 2)
    # y_t = (1 - 2^-t) y_1 / (1/2)
    growth = torch.tensor([1.5, 1.75], dtype=f64)[:, None, None]
    torch.testing.assert_close(ratios[1:], ratios[:1] * growth)
    _, df = study.perturbations(w, NU)
    changes = df.flatten(0, 1)
    answer = Exact(32).encode(changes).norm(dim=1) / changes.flatten(1).norm(dim=1)
    torch.testing.assert_close(ratios[0].T.flatten(), 0.5 * answer, rtol=1e-6, atol=0)
    curve = study.errors_along_t(Exact(32), f, w, steps=3)
    torch.testing.assert_close(curve, errors[:, 0])


def test_solved_says_where_it_did_not_get_there():
    f, _ = forced(2)
    picard = eq.Picard()
    assert study.solved(Exact(32), f, method=picard, tol=1e-6).success.all()
    short = study.solved(Exact(32), f, method=picard, tol=1e-6, max_steps=10)
    assert not short.success.any()


def test_local_constants_in_closed_form():
    f, _ = forced(2, 16)
    slopes, settled = study.local_along_t(Exact(16), f, [1, 3], tol=1e-6)
    # y_t = (1 - 2^-t) (nu |k|^2)^-1 curl f is steepest at |k| = 1, where curl has norm 1
    expected = torch.tensor([0.5, 0.875], dtype=f64)[:, None].expand(2, 2) / NU
    torch.testing.assert_close(slopes, expected, rtol=1e-4, atol=0)
    assert bool(settled.all())


def test_an_explicit_model_has_one_local_constant_whatever_t():
    f, _ = forced(2, 16)
    explicit = ExplicitFNO(width=4, modes=3)
    value, settled = study.local_along_t(explicit, f.float(), [1, 2, 4])
    assert value.shape == (3, 2)
    assert torch.equal(value[0], value[2])
    assert bool(settled.all())
    bound, rough = study.local_along_t(explicit, f.float(), [1], max_steps=1, tol=1e-6)
    assert not rough.any()
    assert bool((bound < value[:1]).all())


def test_memory_is_flat_for_the_implicit_adjoint_and_grows_when_unrolled():
    torch.manual_seed(0)
    model, x = ImplicitFNO(width=4, modes=3), torch.randn(2, 2, 16, 16)
    q = model.encode(x).detach()

    def kept(steps, adjoint):
        def loss():
            z0 = model.start(q)
            solution = eq.equilibrium(
                model, z0, q, method=eq.Picard(), max_steps=steps, adjoint=adjoint
            )
            return solution.y.square().mean()

        return training.saved_bytes(loss)

    assert kept(50, eq.Phantom()) == kept(5, eq.Phantom())
    unrolled = kept(10, eq.Unrolled())
    assert kept(20, eq.Unrolled()) > 1.8 * unrolled > 3 * kept(10, eq.Phantom())


def test_the_memory_of_an_implicit_step_does_not_depend_on_its_free_iterations():
    torch.manual_seed(0)
    f, w = (part.float() for part in forced(2))
    implicit, explicit = ImplicitFNO(width=4, modes=3), ExplicitFNO(width=4, modes=3)
    few = study.training_bytes(implicit, f, w, free=2)
    many = study.training_bytes(implicit, f, w, free=40)
    # three iterations with gradient against one pass
    assert few == many > 2 * study.training_bytes(explicit, f, w) > 0
