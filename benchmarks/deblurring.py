"""A training step of implicit HQS at its equilibrium: ours against deepinv's own DEQ, to the same residuals, in one run.

Same weights (the shipped ones), same four crops of 128 x 128, same loss. deepinv spends `--iterations` evaluations forward
and `--adjoint` backward, as the published protocol does (100 and 20 there); what it reaches is what ours has to reach, per image forward and in
the worst image backward: Anderson's method with that tolerance, from y_0 = x (cold) and from the equilibrium of the weights
one optimiser step earlier (warm, as training with a pool has it). Gradients are compared with a reference solved far further.
    python benchmarks/deblurring.py [--iterations 30] [--adjoint 20] [--repeats 7]
Writes benchmarks/results/deblurring.json: medians, and the ratio that counts.
"""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import equilibria as eq
import torch
from deepinv.optim import HQS, L2, PnP
from deepinv.optim.optimizers import DEQConfig
from deepinv.physics import BlurFFT
from equilibria.problems import images
from equilibria.studies import deblurring as experiment


def gradient(model) -> torch.Tensor:
    return torch.cat([p.grad.flatten() for p in model.denoiser.parameters()])


def residual(model, y, x) -> torch.Tensor:
    with torch.no_grad():
        g = model(y, x)
    return (g - y).flatten(1).norm(dim=1) / g.flatten(1).norm(dim=1)


def adjoint_residual(model, y, x, g, steps) -> float:
    """Relative residual of u = J'u + g after `steps` plain iterations from u = g: what deepinv's backward pass ends at."""
    point = y.detach().requires_grad_()
    z = model(point, x)
    u = g
    for _ in range(steps):
        before, u = u, torch.autograd.grad(z, point, u, retain_graph=True)[0] + g
    return ((u - before).flatten(1).norm(dim=1) / u.flatten(1).norm(dim=1)).max().item()


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, value in (
        ("--iterations", 30),
        ("--adjoint", 20),
        ("--repeats", 7),
        ("--threads", 2),
    ):
        parser.add_argument(name, type=int, default=value)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = experiment.load("hqs")[0].to(device)
    truth = images.crops(list(images.embedded().values())[:4], size=128, seed=0).to(device)
    x = images.measure(truth, model.blur, generator=torch.Generator().manual_seed(0))

    theirs = HQS(
        data_fidelity=L2(),
        prior=PnP(denoiser=model.denoiser),
        stepsize=1 / model.beta.item(),
        g_param=model.sigma.item(),
        max_iter=options.iterations,
        early_stop=False,
        unfold=True,
        trainable_params=[],
        DEQ=DEQConfig(max_iter_backward=options.adjoint),
        verbose=False,
    ).to(device)
    physics = BlurFFT(
        (3, 128, 128), filter=model.blur.kernel.float()[None, None].to(device), device=device
    )

    def step_of_deepinv():
        model.zero_grad()
        y = theirs(x, physics, init=(x, x))
        (y - truth).square().mean().backward()
        return y.detach()

    def step_of_ours(start, tol, adjoint_tol):
        model.zero_grad()
        solution = eq.equilibrium(
            model,
            start,
            x,
            max_steps=300,
            tol=tol,
            throw=False,
            adjoint=eq.Implicit(
                max_steps=100,
                tol=adjoint_tol,
                throw=False,
                record=lambda s: evaluations.update(adjoint=s.steps.max().item()),
            ),
        )
        (solution.y - truth).square().mean().backward()
        evaluations["forward"] = solution.steps.max().item()
        assert bool(solution.success.all())
        return solution.y.detach()

    evaluations = {}
    y = step_of_deepinv()
    their_gradient = gradient(model)
    reached = (
        residual(model, y, x).min().item()
    )  # the best image: ours has to get every image there
    backward = adjoint_residual(model, y, x, 2 * (y - truth) / y.numel(), options.adjoint)
    reference_y = step_of_ours(x, 1e-6, 1e-5)
    reference = gradient(model)

    earlier = experiment.load("hqs")[0].to(
        device
    )  # the weights one step of the size of training's ago
    with torch.no_grad():
        for p, q in zip(earlier.parameters(), model.parameters()):
            p += 1.5e-4 * q.grad.sign() if q.grad is not None else 0.0
    warm = experiment.solved(earlier, x, tol=reached).y
    steps = {
        "deepinv": step_of_deepinv,
        "ours, cold": lambda: step_of_ours(x, reached, backward),
        "ours, warm": lambda: step_of_ours(warm, reached, backward),
    }
    rows = {}
    seconds = {name: [] for name in steps}
    for _ in range(options.repeats + 1):
        for name, step in steps.items():
            evaluations.clear()
            begun = time.perf_counter()
            y = step()
            if device == "cuda":
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - begun)
            off = (gradient(model) - reference).norm() / reference.norm()
            rows[name] = {
                "residual": residual(model, y, x).max().item(),
                "gradient_error": off.item(),
                "distance": ((y - reference_y).norm() / reference_y.norm()).item(),
                "evaluations": evaluations.get("forward", options.iterations),
                "adjoint_evaluations": evaluations.get("adjoint", options.adjoint),
            }
    for name, row in rows.items():
        row["seconds"] = statistics.median(seconds[name][1:])  # the first warms up
        row["times_faster"] = statistics.median(seconds["deepinv"][1:]) / row["seconds"]
        print(
            f"{name:11s} {1e3 * row['seconds']:7.0f} ms, {row['evaluations']:3d} + {row['adjoint_evaluations']:3d} evaluations, residual {row['residual']:.1e}, "
            f"gradient off by {row['gradient_error']:.3f}: {row['times_faster']:.2f} times faster",
            flush=True,
        )
    assert (
        abs(
            (their_gradient - reference).norm() / reference.norm()
            - rows["deepinv"]["gradient_error"]
        )
        < 1e-3
    )
    result = {
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        "threads": options.threads,
        "torch": torch.__version__,
        "iterations": options.iterations,
        "adjoint": options.adjoint,
        "tolerance": reached,
        "adjoint_tolerance": backward,
        "rows": rows,
    }
    path = (
        Path(__file__).parent
        / "results"
        / ("deblurring.json" if device == "cpu" else "deblurring_gpu.json")
    )
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written: {path.relative_to(Path(__file__).parents[1])}")


if __name__ == "__main__":
    main()
