"""Measurements against closed forms."""

import equilibria as eq
import torch
from equilibria import training
from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO
from equilibria.problems.flow_grid import waves
from equilibria.studies import navier_stokes as study
from steady_flows import NU, Exact, f64, forced


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


def test_local_constants_over_some_directions_only():
    f, w = forced(2, 16)
    every = study.physical_directions(w, NU, largest=3)
    assert every.shape == (2, 48, 2, 16, 16)
    gram = every.flatten(2) @ every.flatten(2).mT
    torch.testing.assert_close(gram, torch.eye(48, dtype=f64).expand(2, -1, -1))
    # w = curl f / (nu |k|^2) is steepest along k = 1, and half as steep along k = 2
    one, two = waves(16, torch.tensor([[1, 0], [2, 0]]))[:, 0]
    for wave, k in ((one, 1), (two, 2)):
        along = torch.stack([torch.zeros_like(wave), wave]).expand(2, 1, 2, 16, 16)
        slope, _ = study.local_along_t(Exact(16), f, [1], directions=along, tol=1e-6)
        torch.testing.assert_close(slope[0], torch.full((2,), 0.5 / (NU * k), dtype=f64))


def test_the_radius_at_rest_is_the_rate():
    f, _ = forced(2, 16)
    model = Exact(16)
    q = model.encode(f)
    move, radius = study.radius_at_rest(model, 1.01 * q, q)
    torch.testing.assert_close(radius, torch.full((2,), 0.5, dtype=f64))
    torch.testing.assert_close(move, torch.full((2,), 0.005 / 1.01, dtype=f64))


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
