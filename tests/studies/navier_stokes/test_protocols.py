"""The two Lipschitz protocols of Fig. 4 against closed forms."""

import equilibria as eq
import pytest
import torch
from equilibria.operators.fourier import ImplicitFNO
from equilibria.problems.flow_equation import curl, linearised
from equilibria.studies import navier_stokes as study
from equilibria.studies.navier_stokes import protocols
from steady_flows import NU, Exact, axes, f64, forced


def sizes(df):
    """|df| of (..., 2, n, n)."""
    return df.flatten(-3).norm(dim=-1)


def test_the_waves_of_the_paper_on_its_grid():
    published = [1, 1, 1, 2, 3, 6, 19, 32, 44, 57, 60, 61, 62, 62, 63]  # at n = 128
    assert study.wavenumbers(128) == sorted(set(published))
    assert study.wavenumbers(64) == [1, 3, 9, 16, 22, 28, 30, 31]


# ---------------------------------------------------------------------------------------- corrected
def test_corrected_moves_are_diagonal_waves_of_the_solution():
    n = 32
    x1, x2 = axes(n)
    dw, df = study.perturbations(forced(2)[1], NU)
    expected = [torch.sin(k * (x1 + x2)) for k in study.wavenumbers(n)]
    expected = torch.stack([0.01 * wave / wave.norm() for wave in expected])
    torch.testing.assert_close(dw, expected)
    assert df.shape == (2, len(dw), 2, n, n)
    torch.testing.assert_close(df[1, 3], linearised(forced(2)[1][1:], dw[3:4], NU)[0])


def test_corrected_forcing_at_rest_in_closed_form():
    # at w = 0: |dw| / |df| = |k| / (nu |k|^2) with |k| = sqrt(2) k
    dw, df = study.perturbations(torch.zeros(1, 32, 32, dtype=f64), NU)
    k = torch.tensor(study.wavenumbers(32), dtype=f64)
    ratio = dw.flatten(1).norm(dim=1) / sizes(df[0])
    torch.testing.assert_close(ratio, 1 / (NU * 2**0.5 * k))


def kolmogorov_change(n, k):
    """(w, dw, u.grad dw + du.grad w): Kolmogorov's flow w = cos x2 and a diagonal wave."""
    x1, x2 = axes(n)
    phase = k * (x1 + x2)
    transport = -(k - 1 / (2 * k)) * phase.cos() * x2.sin()
    return x2.cos()[None], phase.sin()[None], transport[None]


@pytest.mark.parametrize("k", [1, 4])
def test_corrected_forcing_at_kolmogorovs_flow_in_closed_form(k):
    w, wave, transport = kolmogorov_change(32, k)
    dw, df = study.perturbations(w, NU)
    place = study.wavenumbers(32).index(k)
    scale = 0.01 / wave.norm()
    torch.testing.assert_close(dw[place], scale * wave[0])
    expected = transport + NU * 2 * k**2 * wave
    torch.testing.assert_close(curl(df[:, place]), scale * expected)
    # no divergence: d1 f1 + d2 f2 is the curl of (-f2, f1)
    turned = torch.stack([-df[:, place, 1], df[:, place, 0]], 1)
    torch.testing.assert_close(curl(turned), torch.zeros(1, 32, 32, dtype=f64), rtol=0, atol=1e-12)


def test_the_corrected_protocol_on_a_known_iteration():
    f, w = forced(2)
    waves = len(study.wavenumbers(32))
    ratios, errors = study.lipschitz_along_t(Exact(32), w, f, steps=3)
    assert ratios.shape == (3, waves, 2)
    assert errors.shape == (3, waves + 1, 2)
    # y_t = (1 - 2^-t) y_1 / (1/2)
    growth = torch.tensor([1.5, 1.75], dtype=f64)[:, None, None]
    torch.testing.assert_close(ratios[1:], ratios[:1] * growth)
    _, df = study.perturbations(w, NU)
    changes = df.flatten(0, 1)
    answer = Exact(32).encode(changes).norm(dim=1) / sizes(changes)
    torch.testing.assert_close(ratios[0].T.flatten(), 0.5 * answer, rtol=1e-6, atol=0)
    curve = study.errors_along_t(Exact(32), f, w, steps=3)
    torch.testing.assert_close(curve, errors[:, 0])


# -------------------------------------------------------------------------------------- as released
def test_released_waves_count_both_ends_and_share_their_norm():
    n, batch = 16, 4
    dw = study.released_waves(n, batch)
    sides = torch.arange(n, dtype=f64) / (n - 1)  # from 0 to 1, both ends
    for k, wave in zip(study.wavenumbers(n), dw, strict=True):
        expected = torch.sin(2 * torch.pi * k * (sides[:, None] + sides))
        torch.testing.assert_close(wave / wave[1, 0], expected / expected[1, 0])
        whole = wave.expand(batch, n, n).norm().item()
        assert whole == pytest.approx(0.01)


@pytest.mark.parametrize("k", [1, 3])
def test_released_forcing_at_kolmogorovs_flow_in_closed_form(k):
    # d1 f2 = -(u.grad dw + du.grad w) - nu lap dw: the velocity has the opposite sign
    w, wave, _ = kolmogorov_change(32, k)
    x1, x2 = axes(32)
    phase = k * (x1 + x2)
    # integrated along x1, cos(k (x1 + x2)) becomes sin / k and sin becomes -cos / k
    f2 = (k - 1 / (2 * k)) * phase.sin() / k * x2.sin() - NU * 2 * k * phase.cos()
    df = study.released_forcing(w, wave, NU)
    torch.testing.assert_close(df[0, 1], f2)
    assert df[:, 0].abs().max() == 0


def test_released_forcing_drops_what_does_not_depend_on_x1():
    x1, x2 = axes(32)
    rest = torch.zeros(1, 32, 32, dtype=f64)
    assert study.released_forcing(rest, x2.sin()[None], NU).abs().max() < 1e-12
    both = study.released_forcing(rest, (x2.sin() + x1.sin())[None], NU)
    torch.testing.assert_close(both[0, 1], -NU * x1.cos(), rtol=0, atol=1e-12)


def test_the_released_protocol_on_a_known_iteration():
    n, scales, steps = 32, (0.002, 0.05), 10
    f, w = forced(2)
    ratios = study.released_lipschitz(Exact(n), w, f, steps=steps, scales=scales)
    assert ratios.shape == (steps, len(study.wavenumbers(n)), 2)
    # the start does not know the forcing
    assert ratios[:2].abs().max() == 0
    # Anderson's method solves this linear iteration at once: y = curl f / (nu |k|^2)
    base = w / scales[1]
    for index, wave in enumerate(study.released_waves(n, 2)):
        df = study.released_forcing(base, wave.expand_as(base), NU)
        answer = Exact(n).encode(df).norm(dim=1) / sizes(df)
        expected = scales[0] / scales[1] * answer
        torch.testing.assert_close(ratios[-1, index], expected, rtol=1e-5, atol=0)


def test_released_ratios_do_not_depend_on_the_size_of_the_moves():
    f, w = forced(2, 16)
    small, large = (
        study.released_lipschitz(Exact(16), w, f, steps=5, scales=(0.002, 0.05), norm=norm)
        for norm in (1e-3, 1e-2)
    )
    torch.testing.assert_close(small, large, rtol=1e-4, atol=0)


def test_one_solve_gives_the_answers_of_every_budget():
    torch.manual_seed(0)
    model = ImplicitFNO(width=4, modes=3).double()
    with torch.no_grad():
        q = model.encode(1e3 * forced(2, 16)[0])
        answers = protocols._anderson_answers(model, q, 12)
        assert len(answers) == 12
        z0 = model.start(q)
        assert torch.equal(answers[0], model.decode(z0))
        assert torch.equal(answers[1], answers[0])
        for budget in (3, 7, 12):
            solution = eq.solve(
                model, z0, q, method=eq.Anderson(), max_steps=budget, tol=1e-6, throw=False
            )
            torch.testing.assert_close(answers[budget - 1], model.decode(solution.y))
