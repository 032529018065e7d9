"""A training step of the implicit Fourier neural operator: ours against the published one.

The published step is written here as the paper describes it (section 5.2): a block of FFTs,
complex weights for the kept modes, convolutions and instance norms; ``--iterations`` evaluations
by Anderson's method without a stop, then a phantom gradient (3 steps, damping 0.8) and Adam. Both
sides have the same weights, flows, operator and loss; a learning rate of 0 leaves the weights as
they are.

The residual that the published solver reaches in the (geometric) mean, ours has to reach in every
flow: from z = 0 (cold), or from the equilibrium of the weights one optimiser step earlier (warm).
``loose`` stops where our tests do, at 1e-3; ``implicit`` replaces the phantom gradient by an
adjoint that is solved as far. Gradients are compared with one that is solved much further in
float64, so that what the phantom gradient leaves out shows in its rows. ``pool visit`` is the step
that ``equilibria train`` makes, with a loss of its own: the mean of a round.

    python benchmarks/navier_stokes.py [--iterations 24] [--repeats 7] [--threads 2]
                                       [--trained 1] [--published 1]

There are two models: the shipped weights, and the published size, untrained, where only seconds
count. Writes benchmarks/results/navier_stokes.json.
"""

import argparse
import copy
import json
import platform
import statistics
import time
from functools import partial
from pathlib import Path

import equilibria as eq
import torch
from equilibria import checkpoints, training
from equilibria.operators.fourier import ImplicitFNO
from equilibria.studies import navier_stokes as study
from published_fno import Plain, anderson, plain
from torch import nn

PHANTOM = eq.Phantom(steps=3, damping=0.8)
ROUND = 4  # visits that a round through the pool takes
LOOSE = 1e-3


def gradient(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    """All gradients as one real vector, float64."""
    parts = []
    for t in tensors.values():
        parts.append(torch.view_as_real(t).flatten() if t.is_complex() else t.flatten())
    return torch.cat(parts).double()


def grads(model) -> dict[str, torch.Tensor]:
    return {name: p.grad for name, p in model.named_parameters()}


def residual(model, z, q) -> float:
    """The relative residual of z, in the geometric mean over the flows."""
    with torch.no_grad():
        return study.relative_error(z, model(z, q)).log().mean().exp().item()


def pick_start(
    model: ImplicitFNO, gradients: dict[str, torch.Tensor], x: torch.Tensor, tol: float
) -> torch.Tensor:
    """The equilibrium of the weights one optimiser step earlier.

    Adam moves a weight by about the learning rate, whose mean over the training is half its peak.
    """
    earlier = copy.deepcopy(model)
    size = study.RECIPES["quick"].learning_rate / 2
    with torch.no_grad():
        for name, p in earlier.named_parameters():
            p += size * gradients[name].sign()
        q = earlier.encode(x)
        return eq.solve(earlier, model.start(q), q, max_steps=100, tol=tol, throw=False).y


def far_solution(
    exact: ImplicitFNO, x: torch.Tensor, truth: torch.Tensor
) -> tuple[torch.Tensor, float]:
    """The gradient by an adjoint that is solved very far in float64, and the residual behind it.

    Leaves the gradients in ``exact``.
    """
    q = exact.encode(x.double())
    adjoint = eq.Implicit(max_steps=200, tol=1e-7, throw=False)
    solution = eq.equilibrium(
        exact, exact.start(q), q, max_steps=300, tol=1e-8, throw=False, adjoint=adjoint
    )
    study.relative_error(exact.decode(solution.y), truth.double()).mean().backward()
    far = gradient(plain(grads(exact), exact.output.spectral.modes))
    return far, residual(exact, solution.y.detach(), q)


def check_agreement(model: ImplicitFNO, theirs: Plain, x: torch.Tensor) -> float:
    """How far the two operators differ at random states; ends the program where they do."""
    with torch.no_grad():
        q = model.encode(x)
        z = torch.randn(model.start(q).shape, generator=torch.Generator().manual_seed(0))
        z = z.to(x.device)
        once = model(z, q)
        fields = z.view(len(x), -1, *x.shape[2:])
        other = theirs(fields, theirs.encode(x)).flatten(2)
    agreement = ((once - other).norm() / once.norm()).item()
    if not agreement < 1e-4:
        raise SystemExit(
            f"the two operators differ by {agreement:.1e}: they must have the same weights"
        )
    return agreement


class Steps:
    """The losses that are compared; each leaves what it reached in ``states`` and ``count``."""

    def __init__(self, model: ImplicitFNO, x: torch.Tensor, truth: torch.Tensor, iterations: int):
        self.model = model
        self.theirs = Plain(model).to(x.device)
        self.compiled = study.compiled(model)
        self.flows = study.TrainingFlows(x, torch.zeros_like(x), truth, (1.0, 1.0))
        self.x, self.truth = x, truth
        self.iterations = iterations
        self.states: dict[str, torch.Tensor] = {}
        self.count: dict[str, int] = {}
        self.optimisers = {
            side: torch.optim.Adam(side.parameters(), lr=0.0) for side in (model, self.theirs)
        }
        size = ROUND * len(x)
        self.pool = study.FlowPool.empty(size, width=model.width, n=x.shape[-1], device=x.device)

    def published(self) -> torch.Tensor:
        """The loss of the published step."""
        q = self.theirs.encode(self.x)
        z = q.new_zeros(len(q), self.model.width, *q.shape[2:])
        with torch.no_grad():
            z = anderson(lambda z: self.theirs(z, q), z, self.iterations)
        self.states["published, plain"] = z.flatten(2)
        for _ in range(PHANTOM.steps):
            z = (1 - PHANTOM.damping) * z + PHANTOM.damping * self.theirs(z, q)
        self.count.update(forward=self.iterations, graded=PHANTOM.steps)
        return study.relative_error(self.theirs.decode(z), self.truth).mean()

    def ours(self, name: str, G, start: torch.Tensor, tol: float, adjoint) -> torch.Tensor:
        """The loss of our step with the operator G, solved from ``start``."""
        q = self.model.encode(self.x)
        # an implicit adjoint says itself how many evaluations it took, in the backward pass
        self.count["graded"] = PHANTOM.steps
        solution = eq.equilibrium(G, start, q, max_steps=100, tol=tol, adjoint=adjoint)
        self.states[name] = solution.y.detach()
        self.count["forward"] = solution.steps.max().item()
        return study.relative_error(self.model.decode(solution.y), self.truth).mean()

    def eager_backward(self, z: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
        """The compiled model; the plain one for gradients, as a compiled graph goes back once."""
        return self.model(z, q) if torch.is_grad_enabled() else self.compiled(z, q)

    def count_adjoint(self, solution: eq.Solution) -> None:
        """Keep the evaluations of an adjoint that was solved."""
        self.count["graded"] = solution.steps.max().item()

    def visit(self, step: int) -> torch.Tensor:
        """The loss of a visit to the pool."""
        slots = training.minibatch(len(self.pool.flow), len(self.x), seed=0, step=step)
        generator = torch.Generator().manual_seed(step)
        return study.pool_loss(self.compiled, self.pool, self.flows, slots, generator)

    def make(self, side: nn.Module, loss: torch.Tensor) -> None:
        """The rest of a step: gradients and the optimiser."""
        self.optimisers[side].zero_grad()
        loss.backward()
        self.optimisers[side].step()

    def pool_residual(self) -> float:
        """The residual of the states that the pool holds."""
        inputs, _ = self.flows.images(self.pool.flow, self.pool.speed, self.pool.code)
        return residual(self.model, self.pool.warm.state, self.model.encode(inputs))


def measure(
    model: ImplicitFNO, x: torch.Tensor, truth: torch.Tensor, options: argparse.Namespace
) -> dict:
    """The rows of one model, on the flows x (B, 2, n, n), truth (B, n, n)."""
    torch.compiler.reset()  # else the second model would be compiled for any n
    modes = model.output.spectral.modes
    steps = Steps(model, x, truth, options.iterations)
    agreement = check_agreement(model, steps.theirs, x)
    with torch.no_grad():
        q = model.encode(x)
    steps.make(steps.theirs, steps.published())
    reached = residual(model, steps.states["published, plain"], q)
    tol = max(reached, 1e-6)  # below, float32 rounds
    exact = copy.deepcopy(model).double()
    far, reference_residual = far_solution(exact, x, truth)
    cold = model.start(q)
    warm = pick_start(model, grads(exact), x, tol)

    implicit = eq.Implicit(tol=LOOSE, record=steps.count_adjoint)
    compiled = steps.compiled
    losses = {
        "published, plain": (steps.theirs, steps.published),
        "pool visit": (model, None),
    }
    for name, settings in {
        "ours, eager, cold": (model, cold, tol, PHANTOM),
        "ours, compiled, cold": (compiled, cold, tol, PHANTOM),
        "ours, compiled, warm": (compiled, warm, tol, PHANTOM),
        "ours, compiled, warm, loose": (compiled, warm, LOOSE, PHANTOM),
        "ours, warm, loose, implicit": (steps.eager_backward, warm, LOOSE, implicit),
    }.items():
        losses[name] = (model, partial(steps.ours, name, *settings))

    seconds = {name: [] for name in losses}
    rows = {}
    for repeat in range(options.repeats + 1):
        for name, (side, loss) in losses.items():
            seconds[name].append(seconds_of_a_step(steps, side, loss, repeat))
            if loss is None:
                continue
            own = grads(side) if side is steps.theirs else plain(grads(side), modes)
            rows[name] = {
                "residual": residual(model, steps.states[name], q),
                "evaluations": steps.count["forward"],
                "graded": steps.count["graded"],
                "gradient_error": ((gradient(own) - far).norm() / far.norm()).item(),
            }
    rows["pool visit"] = {
        "residual": steps.pool_residual(),
        "evaluations": sum(study.FREE) / 2,
        "graded": study.GRADED,
        "gradient_error": None,
    }
    baseline = statistics.median(seconds["published, plain"][1:])  # the first warms up
    for name, (_, loss) in losses.items():
        row = rows[name]
        row["saved_mib"] = training.saved_bytes(loss or partial(steps.visit, 0)) / 2**20
        row["seconds"] = statistics.median(seconds[name][1:])
        row["times_faster"] = baseline / row["seconds"]
        print_row(name, row)
    return {
        "width": model.width,
        "modes": modes,
        "n": x.shape[-1],
        "batch": len(x),
        "parameters": sum(p.numel() for p in model.parameters()),
        "agreement": agreement,
        "tolerance": tol,
        "reference_residual": reference_residual,
        "rows": {name: rows[name] for name in losses},
    }


def seconds_of_a_step(steps: Steps, side: nn.Module, loss, repeat: int) -> float:
    """Make a step with ``loss``, or a round of visits to the pool where it is None."""
    begun = time.perf_counter()
    visits = ROUND if loss is None else 1
    for index in range(visits):
        steps.make(side, steps.visit(ROUND * repeat + index) if loss is None else loss())
    if steps.x.device.type == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - begun) / visits


def print_row(name: str, row: dict) -> None:
    off = "-" if row["gradient_error"] is None else f"{row['gradient_error']:.3f}"
    print(
        f"{name:27s} {row['seconds']:6.3f} s, "
        f"{row['evaluations']:4.3g} + {row['graded']:2d} evaluations, "
        f"residual {row['residual']:.1e}, gradient off by {off}, "
        f"{row['saved_mib']:6.1f} MiB kept: {row['times_faster']:5.2f} times faster",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for option, value in (
        ("iterations", 24),
        ("repeats", 7),
        ("threads", 2),
        ("batch", 4),
        ("trained", 1),
        ("published", 1),
    ):
        parser.add_argument(f"--{option}", type=int, default=value)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    models = {}
    if options.trained:
        try:
            models["trained"] = study.load("implicit")[0]
        except checkpoints.CheckpointError as error:
            raise SystemExit(f"{error}; or leave this part out with --trained 0") from error
    if options.published:
        model = study.new("implicit-unique", profile="paper")
        with torch.no_grad():  # with a stronger input it has an equilibrium
            for p in model.injections.parameters():
                p *= 4
        models["published size, untrained"] = model
    flows = study.test_set(count=options.batch)
    x, truth = flows.forcing.float().to(device), flows.vorticity.float().to(device)
    result = {
        **vars(options),
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        "torch": torch.__version__,
        "models": {},
    }
    for label, model in models.items():
        print(f"{label}: width {model.width}, {model.output.spectral.modes} modes", flush=True)
        result["models"][label] = measure(model.to(device), x, truth, options)
    name = "navier_stokes.json" if device == "cpu" else "navier_stokes_gpu.json"
    path = Path(__file__).parent / "results" / name
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written: {path.relative_to(Path(__file__).parents[1])}")


if __name__ == "__main__":
    main()
