"""A GPU gives what a CPU gives: solvers, adjoints, Lipschitz estimates, the parts of each case.

Run by `pytest -m gpu`.
"""

import dataclasses

import equilibria as eq
import pytest
import torch
from equilibria import lipschitz
from equilibria.operators import steady_flow
from equilibria.operators.blur import Blur
from equilibria.operators.fourier import ImplicitFNO
from equilibria.operators.lp_graph import graph
from equilibria.problems import flow_data, flow_equation, flow_grid, images
from equilibria.problems import linear_programs as programs
from equilibria.studies import deblurring, language, linear_programs, navier_stokes
from steady_flows import TINY

pytestmark = pytest.mark.gpu
DEVICE = "cuda"
f64 = torch.float64


def G(y, x):
    return torch.tanh(0.5 * y.roll(1, 1) + x)


@pytest.mark.parametrize(
    "method",
    [eq.Picard(), eq.Anderson(), eq.Broyden(), eq.NewtonKrylov()],
    ids=lambda m: type(m).__name__,
)
def test_solvers(method):
    x = torch.linspace(-2, 2, 40, dtype=f64).view(4, 10)
    here, there = (
        eq.solve(G, torch.zeros_like(a), a, method=method, max_steps=200, tol=1e-10)
        for a in (x, x.to(DEVICE))
    )
    assert there.y.device.type == DEVICE and there.success.all()
    torch.testing.assert_close(there.y.cpu(), here.y)


@pytest.mark.parametrize(
    "adjoint",
    [eq.Implicit(tol=1e-10), eq.Phantom(), eq.JacobianFree(), eq.Unrolled()],
    ids=lambda a: type(a).__name__,
)
def test_gradients(adjoint):
    found = []
    for device in ("cpu", DEVICE):
        x = torch.linspace(-2, 2, 40, dtype=f64, device=device).view(4, 10).requires_grad_()
        eq.equilibrium(
            G, torch.zeros_like(x), x, method=eq.Picard(), max_steps=200, tol=1e-10, adjoint=adjoint
        ).y.square().sum().backward()
        found.append(x.grad.cpu())
    torch.testing.assert_close(found[1], found[0], rtol=1e-6, atol=1e-9)


def test_lipschitz_constants():
    x = torch.linspace(-1, 1, 12, dtype=f64).view(2, 6)

    def f(x):
        return x**3 + x.roll(1, 1)

    torch.testing.assert_close(
        lipschitz.local(f, x.to(DEVICE)).cpu(), lipschitz.local(f, x), rtol=1e-3, atol=0
    )


def test_flows():
    w = flow_grid.random_vorticity(2, 24, std=0.05, generator=torch.Generator().manual_seed(0))
    f = flow_equation.manufacture(w.to(DEVICE), 0.01)
    found = steady_flow.steady_state(f, 0.01)
    assert found.y.device.type == DEVICE and found.success.all()
    torch.testing.assert_close(found.y.cpu(), w, rtol=0, atol=1e-6)
    strong = flow_grid.random_vorticity(
        2, 24, std=0.334, generator=torch.Generator().manual_seed(0)
    ).to(DEVICE)
    other, distance = steady_flow.other_states(
        flow_equation.manufacture(strong, 0.01),
        strong,
        0.01,
        tries=1,
        generator=torch.Generator().manual_seed(0),
        n=24,
    )
    assert other.device.type == distance.device.type == DEVICE and distance.max() > 0.01
    torch.testing.assert_close(
        flow_equation.local_constant(w.to(DEVICE), 0.01).cpu(),
        flow_equation.local_constant(w, 0.01),
        rtol=1e-6,
        atol=0,
    )


def test_the_fourier_operator():
    torch.manual_seed(0)
    model, x = ImplicitFNO(width=4, modes=3).double(), torch.randn(2, 2, 16, 16, dtype=f64)
    answers = []
    for device in ("cpu", DEVICE):
        answers.append(navier_stokes.answer(model.to(device), x.to(device)).cpu())
    torch.testing.assert_close(
        answers[1], answers[0], rtol=0, atol=1e-3
    )  # both stop at a residual of 1e-3


def test_shipped_models():
    """A shipped implicit model of each case iterates to the same answers on both devices."""
    truth = images.crops(list(images.embedded().values())[:1], size=64, seed=0)
    hqs, looped, lp = (
        deblurring.load("hqs")[0],
        language.load("parity", seed=language.seeds("parity")[0])[0],
        linear_programs.load("implicit-4", seed=0)[0],
    )
    fno, forcing = (
        navier_stokes.load("implicit")[0],
        flow_equation.manufacture(
            flow_grid.random_vorticity(2, 32, std=0.1, generator=torch.Generator().manual_seed(0)),
            0.01,
        ).float(),
    )
    blurred = images.measure(
        truth, Blur(deblurring.kernel("quick")), generator=torch.Generator().manual_seed(0)
    )
    asked, some = (
        language.reasoning.test_questions("parity", 4, 8, seed=0).tokens,
        programs.generate(4, seed=3, progress=False),
    )
    found = []
    for device in ("cpu", DEVICE):
        x, tokens = blurred.to(device), asked.to(device)
        *_, y = eq.trajectory(hqs.to(device), x, x, 10)
        logits = looped.to(device).run(tokens, 8)
        *_, p = linear_programs.trajectory(lp.to(device), graph(some, device=device), 8)
        *_, w = navier_stokes.predictions_along_t(fno.to(device), forcing.to(device), steps=10)
        found.append(
            (w.cpu(), y.cpu(), (logits[0] if isinstance(logits, tuple) else logits).cpu(), p.cpu())
        )
    with torch.no_grad():
        for here, there in zip(*found, strict=True):
            torch.testing.assert_close(there, here, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("name", ["implicit", "explicit"])
def test_a_few_steps_of_training(name, tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    steps = {"implicit": (6, 2), "explicit": (6, 2), "unrolled": (2, 1)}
    recipe = dataclasses.replace(TINY, steps=steps)
    monkeypatch.setitem(navier_stokes.RECIPES, "paper", recipe)
    monkeypatch.setattr(flow_data, "FLOWS_PER_FILE", 12)
    outcome = navier_stokes.train(name, profile="paper", device=DEVICE)
    assert outcome.finished and navier_stokes.load(name, profile="paper")[1]["device"] == DEVICE
    monkeypatch.setattr(navier_stokes.probes, "LOCAL_T", (1, 2))
    record = navier_stokes.evaluate(name, seed=0, profile="paper", device=DEVICE)
    assert len(record["errors"]) == 4
    assert ("apart" in record) == (name == "implicit")
