"""A training step of implicit HQS at its equilibrium: ours against deepinv's own DEQ, in one run.

Both use the shipped weights, the same four crops of 128 x 128 and the same loss. deepinv spends
`--iterations` evaluations forward and `--adjoint` backward, as the published protocol does (100
and 20 there). Ours has to reach the residuals that deepinv reaches: forward in every image that
of deepinv's best image, backward that of its worst. It uses Anderson's method with these
tolerances, from y_0 = x (cold) and from the equilibrium of the weights one optimiser step earlier
(warm, as in training with a pool). Gradients are compared with a reference that is solved far
further.

    python benchmarks/deblurring.py [--iterations 30] [--adjoint 20] [--repeats 7] [--threads 2]

Writes benchmarks/results/deblurring.json: medians, and how many times faster ours is.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import equilibria as eq
import torch
from deepinv.optim import HQS, L2, PnP
from deepinv.optim.optimizers import DEQConfig
from deepinv.physics import BlurFFT
from equilibria.operators.deblurring import ImplicitHQS
from equilibria.problems import images
from equilibria.studies import deblurring as study
from torch import Tensor

RESULTS = Path(__file__).parent / "results"
LEARNING_RATE = 1.5e-4  # size of one optimiser step in training, per weight


def gradient(model: ImplicitHQS) -> Tensor:
    return torch.cat([p.grad.flatten() for p in model.denoiser.parameters()])


def relative_error(value: Tensor, reference: Tensor) -> float:
    return ((value - reference).norm() / reference.norm()).item()


def residual(model: ImplicitHQS, y: Tensor, x: Tensor) -> Tensor:
    """|G(y, x) - y| / |G(y, x)| per image, (B,)."""
    with torch.no_grad():
        image = model(y, x)
    return (image - y).flatten(1).norm(dim=1) / image.flatten(1).norm(dim=1)


def adjoint_residual(model: ImplicitHQS, y: Tensor, x: Tensor, g: Tensor, steps: int) -> float:
    """Largest relative residual of u = J'u + g after `steps` plain iterations from u = g.

    This is where deepinv's backward pass ends.
    """
    point = y.detach().requires_grad_()
    image = model(point, x)
    u = g
    for _ in range(steps):
        previous = u
        (product,) = torch.autograd.grad(image, point, u, retain_graph=True)
        u = product + g
    return ((u - previous).flatten(1).norm(dim=1) / u.flatten(1).norm(dim=1)).max().item()


class Deepinv:
    """deepinv's HQS as a deep equilibrium model with the weights of `model`."""

    def __init__(self, model: ImplicitHQS, iterations: int, adjoint: int, device: str):
        self.model = model
        self.evaluations = {"forward": iterations, "adjoint": adjoint}
        self.solver = HQS(
            data_fidelity=L2(),
            prior=PnP(denoiser=model.denoiser),
            stepsize=1 / model.beta.item(),
            g_param=model.sigma.item(),
            max_iter=iterations,
            early_stop=False,
            unfold=True,
            trainable_params=[],
            DEQ=DEQConfig(max_iter_backward=adjoint),
            verbose=False,
        ).to(device)
        kernel = model.blur.kernel.float()[None, None].to(device)
        self.physics = BlurFFT((3, 128, 128), filter=kernel, device=device)

    def step(self, x: Tensor, truth: Tensor) -> Tensor:
        """One training step; returns the answer, and leaves gradients in the model."""
        self.model.zero_grad()
        y = self.solver(x, self.physics, init=(x, x))
        (y - truth).square().mean().backward()
        return y.detach()


class Ours:
    """The same training step by `eq.equilibrium`, to given tolerances forward and backward."""

    def __init__(self, model: ImplicitHQS, start: Tensor, tol: float, adjoint_tol: float):
        self.model, self.start, self.tol = model, start, tol
        self.evaluations: dict[str, int] = {}
        self.adjoint = eq.Implicit(
            max_steps=100, tol=adjoint_tol, throw=False, record=self._record_adjoint
        )

    def _record_adjoint(self, solution: eq.Solution) -> None:
        self.evaluations["adjoint"] = solution.steps.max().item()

    def step(self, x: Tensor, truth: Tensor) -> Tensor:
        """One training step; returns the answer, and leaves gradients in the model."""
        self.model.zero_grad()
        solution = eq.equilibrium(
            self.model,
            self.start,
            x,
            max_steps=300,
            tol=self.tol,
            throw=False,
            adjoint=self.adjoint,
        )
        (solution.y - truth).square().mean().backward()
        self.evaluations["forward"] = solution.steps.max().item()
        assert bool(solution.success.all())
        return solution.y.detach()


def one_step_earlier(model: ImplicitHQS, device: str) -> ImplicitHQS:
    """The shipped weights before one optimiser step of training's size, by the present gradient."""
    earlier = study.load("hqs")[0].to(device)
    with torch.no_grad():
        for earlier_weight, weight in zip(earlier.parameters(), model.parameters(), strict=True):
            if weight.grad is not None:
                earlier_weight += LEARNING_RATE * weight.grad.sign()
    return earlier


def timed(
    step: Callable[[Tensor, Tensor], Tensor], x: Tensor, truth: Tensor
) -> tuple[float, Tensor]:
    """(seconds, answer) of one training step."""
    begun = time.perf_counter()
    y = step(x, truth)
    if x.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - begun, y


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--iterations", type=int, default=30)
    parser.add_argument("--adjoint", type=int, default=20)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def main() -> None:
    options = parse_options()
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = study.load("hqs")[0].to(device)
    truth = images.crops(list(images.embedded().values())[:4], size=128, seed=0).to(device)
    x = images.measure(truth, model.blur, generator=torch.Generator().manual_seed(0))

    # What deepinv reaches is what ours has to reach.
    theirs = Deepinv(model, options.iterations, options.adjoint, device)
    y = theirs.step(x, truth)
    their_gradient = gradient(model)
    tol = residual(model, y, x).min().item()
    loss_gradient = 2 * (y - truth) / y.numel()
    adjoint_tol = adjoint_residual(model, y, x, loss_gradient, options.adjoint)

    reference_y = Ours(model, x, 1e-6, 1e-5).step(x, truth)
    reference = gradient(model)
    warm = study.solved(one_step_earlier(model, device), x, tol=tol).y

    contestants = {
        "deepinv": theirs,
        "ours, cold": Ours(model, x, tol, adjoint_tol),
        "ours, warm": Ours(model, warm, tol, adjoint_tol),
    }
    rows = {}
    seconds = {name: [] for name in contestants}
    for _ in range(options.repeats + 1):
        for name, contestant in contestants.items():
            duration, y = timed(contestant.step, x, truth)
            seconds[name].append(duration)
            rows[name] = {
                "residual": residual(model, y, x).max().item(),
                "gradient_error": relative_error(gradient(model), reference),
                "distance": relative_error(y, reference_y),
                "evaluations": contestant.evaluations["forward"],
                "adjoint_evaluations": contestant.evaluations["adjoint"],
            }
    # The first step of each only warms up.
    medians = {name: statistics.median(durations[1:]) for name, durations in seconds.items()}
    for name, row in rows.items():
        row["seconds"] = medians[name]
        row["times_faster"] = medians["deepinv"] / medians[name]
        print(
            f"{name:11s} {1e3 * row['seconds']:7.0f} ms, "
            f"{row['evaluations']:3d} + {row['adjoint_evaluations']:3d} evaluations, "
            f"residual {row['residual']:.1e}, gradient off by {row['gradient_error']:.3f}: "
            f"{row['times_faster']:.2f} times faster",
            flush=True,
        )
    their_error = relative_error(their_gradient, reference)
    assert abs(their_error - rows["deepinv"]["gradient_error"]) < 1e-3

    result = {
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        "threads": options.threads,
        "torch": torch.__version__,
        "iterations": options.iterations,
        "adjoint": options.adjoint,
        "tolerance": tol,
        "adjoint_tolerance": adjoint_tol,
        "rows": rows,
    }
    path = RESULTS / ("deblurring.json" if device == "cpu" else "deblurring_gpu.json")
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written: {path.relative_to(RESULTS.parents[1])}")


if __name__ == "__main__":
    main()
