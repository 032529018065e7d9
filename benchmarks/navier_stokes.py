"""A training step of the implicit Fourier neural operator: ours against the published step, to the same residual, in one run.

The published step is written here as the paper describes it (section 5.2): a block of FFTs, complex weights for the kept modes, convolutions and instance
norms; `--iterations` evaluations by Anderson's method without a stop, then a phantom gradient (3 steps, damping 0.8) and Adam. Both sides have the same
weights, flows, operator and loss; a rate of 0 leaves the weights as they are. What the published solver reaches in the (geometric) mean, ours has to reach
in every flow: from z = 0 (cold) or from the equilibrium of the weights one optimiser step earlier (warm). `loose` stops where our tests do, at 1e-3;
`implicit` replaces the phantom gradient by an adjoint solved as far. Gradients are compared with one solved far further in float64, so that what the
phantom gradient leaves out shows in its rows. `pool visit` is the step that `equilibria train` makes, with a loss of its own: the mean of a round.
    python benchmarks/navier_stokes.py [--iterations 24] [--repeats 7] [--threads 2] [--trained 1] [--published 1]
Two models: the shipped weights, and the published size, untrained: there only seconds count. Writes benchmarks/results/navier_stokes.json.
"""

import argparse
import copy
import json
import platform
import statistics
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import equilibria as eq
import torch
from equilibria import checkpoints, training
from equilibria.operators.fourier import ImplicitFNO
from equilibria.studies import navier_stokes as experiment
from torch import nn

PHANTOM = eq.Phantom(steps=3, damping=0.8)
ROUND = 4  # visits that a round through the pool takes
LOOSE = 1e-3


class PlainSpectral(nn.Module):
    """rfft2, a complex matrix for each kept mode (modes rows from either end), irfft2."""

    def __init__(self, width: int, modes: int):
        super().__init__()
        self.modes = modes
        self.weight = nn.Parameter(torch.zeros(2, width, width, modes, modes, dtype=torch.cfloat))

    def forward(self, z):
        m, c = self.modes, torch.fft.rfft2(z)
        out = torch.zeros_like(c)
        out[:, :, :m, :m] = torch.einsum("bikl,iokl->bokl", c[:, :, :m, :m], self.weight[0])
        out[:, :, -m:, :m] = torch.einsum("bikl,iokl->bokl", c[:, :, -m:, :m], self.weight[1])
        return torch.fft.irfft2(out, s=z.shape[-2:])


class PlainLayer(nn.Module):
    def __init__(self, width: int, modes: int):
        super().__init__()
        self.spectral, self.norm = PlainSpectral(width, modes), nn.InstanceNorm2d(width)
        self.skip, self.hidden, self.out = (nn.Conv2d(width, width, 1) for _ in range(3))

    def mixed(self, z):
        return self.skip(z) + self.out(nn.functional.gelu(self.hidden(self.spectral(z))))

    def forward(self, z, injected):
        return self.norm(self.mixed(z)) + injected


class Plain(nn.Module):
    """The published network, with the names of `ImplicitFNO`'s weights (and its damping, which the paper does not have)."""

    def __init__(self, model: ImplicitFNO):
        super().__init__()
        width, modes = model.width, model.output.spectral.modes
        self.scales = model.input_scale, model.output_scale
        self.lifting = nn.Conv2d(model.inputs, width, 1)
        self.blocks = nn.ModuleList([nn.ModuleList(PlainLayer(width, modes) for _ in range(3))])
        self.injections = nn.ModuleList([nn.Conv2d(width, 3 * width, 1)])
        self.output = PlainLayer(width, modes)
        self.output.norm = nn.Identity()
        self.project = nn.Sequential(nn.Conv2d(width, width, 1), nn.GELU(), nn.Conv2d(width, 1, 1))
        self._damping = nn.Parameter(torch.zeros(()))
        self.load_state_dict(plain(dict(model.state_dict()), modes))

    def encode(self, x):
        return self.injections[0](self.lifting(x / self.scales[0]))

    def forward(self, z, q):
        first, second, third = self.blocks[0]
        a, b, c = q.chunk(3, 1)
        return torch.lerp(
            z,
            third(nn.functional.gelu(second(nn.functional.gelu(first(z, a)), b)), c),
            self._damping.sigmoid(),
        )

    def decode(self, z):
        y = self.project(nn.functional.gelu(self.output.mixed(z)))[:, 0]
        return self.scales[1] * (y - y.mean((1, 2), keepdim=True))


def plain(tensors: dict[str, torch.Tensor], modes: int) -> dict[str, torch.Tensor]:
    """Weights (or gradients) of `ImplicitFNO` in the layout of `Plain`."""
    found = {}
    for name, value in tensors.items():
        if name.endswith("spectral.weight"):
            width = value.shape[1]
            real, imaginary = value.view(modes, 2, modes, width, 2, width).permute(
                4, 1, 3, 5, 2, 0
            )  # each: end, from, to, k1, k2
            found[name] = torch.complex(real.contiguous(), imaginary.contiguous())
        else:
            found[name] = value[..., None, None] if value.dim() == 2 else value
    return found


def anderson(f, z, steps: int, history: int = 5, ridge: float = 1e-4):
    """`steps` evaluations of f: the weights, of sum 1, that make the combined residual of the last points least, by a bordered system."""
    points, images = (z.new_zeros(len(z), history, z[0].numel()) for _ in range(2))
    system = torch.zeros(len(z), history + 1, history + 1, device=z.device)
    system[:, 0, 1:] = system[:, 1:, 0] = 1
    right = torch.zeros(len(z), history + 1, 1, device=z.device)
    right[:, 0] = 1
    for k in range(steps):
        points[:, k % history] = z.flatten(1)
        images[:, k % history] = f(z).flatten(1)
        m = min(k + 1, history)
        r = images[:, :m] - points[:, :m]
        system[:, 1 : m + 1, 1 : m + 1] = r @ r.mT + ridge * torch.eye(m, device=z.device)
        c = torch.linalg.solve(system[:, : m + 1, : m + 1], right[:, : m + 1])[:, 1:]
        z = (c.mT @ images[:, :m]).view_as(z)
    return z


def gradient(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat(
        [
            torch.view_as_real(t).flatten() if t.is_complex() else t.flatten()
            for t in tensors.values()
        ]
    ).double()


def grads(model) -> dict[str, torch.Tensor]:
    return {name: p.grad for name, p in model.named_parameters()}


def residual(model, z, q) -> float:
    """Relative residual of z, its geometric mean over the flows."""
    with torch.no_grad():
        return experiment.relative_error(z, model(z, q)).log().mean().exp().item()


def measure(
    model: ImplicitFNO, x: torch.Tensor, truth: torch.Tensor, options: argparse.Namespace
) -> dict:
    """The rows of one model, on the flows x (B, 2, n, n), truth (B, n, n)."""
    torch.compiler.reset()  # else the second model would be compiled for any n
    modes, device = model.output.spectral.modes, x.device
    theirs, compiled = Plain(model).to(device), experiment._compiled(model)
    optimisers = {side: torch.optim.Adam(side.parameters(), lr=0.0) for side in (model, theirs)}
    count = {}

    with torch.no_grad():
        q = model.encode(x)
        z = torch.randn(model.start(q).shape, generator=torch.Generator().manual_seed(0)).to(device)
        once, other = (
            model(z, q),
            theirs(z.view(len(x), -1, *x.shape[2:]), theirs.encode(x)).flatten(2),
        )
    agreement = ((once - other).norm() / once.norm()).item()
    if not agreement < 1e-4:
        raise SystemExit(
            f"the two operators differ by {agreement:.1e}: they must have the same weights"
        )

    def published():
        q = theirs.encode(x)
        with torch.no_grad():
            z = anderson(
                lambda z: theirs(z, q),
                q.new_zeros(len(q), model.width, *q.shape[2:]),
                options.iterations,
            )
        states["published, plain"] = z.flatten(2)
        for _ in range(PHANTOM.steps):
            z = (1 - PHANTOM.damping) * z + PHANTOM.damping * theirs(z, q)
        count.update(forward=options.iterations, graded=PHANTOM.steps)
        return experiment.relative_error(theirs.decode(z), truth).mean()

    def ours(name, G, start, tol, adjoint):
        q = model.encode(x)
        solution = eq.equilibrium(G, start, q, max_steps=100, tol=tol, adjoint=adjoint)
        states[name], count["forward"], count["graded"] = (
            solution.y.detach(),
            solution.steps.max().item(),
            PHANTOM.steps,
        )
        return experiment.relative_error(model.decode(solution.y), truth).mean()

    def visit(step):
        slots = training.minibatch(recipe.pool, recipe.batch, seed=0, step=step)
        return experiment.pool_loss(
            compiled, pool, x, truth, slots, torch.Generator().manual_seed(step)
        )

    def stepped(side, loss):
        optimisers[side].zero_grad()
        loss.backward()
        optimisers[side].step()

    states, rows = {}, {}
    stepped(theirs, published())
    tol = max(residual(model, states["published, plain"], q), 1e-6)  # below, float32 rounds

    exact = copy.deepcopy(model).double()
    wide = exact.encode(x.double())
    solution = eq.equilibrium(
        exact,
        exact.start(wide),
        wide,
        max_steps=300,
        tol=1e-8,
        throw=False,
        adjoint=eq.Implicit(max_steps=200, tol=1e-7, throw=False),
    )
    experiment.relative_error(exact.decode(solution.y), truth.double()).mean().backward()
    far = gradient(plain(grads(exact), modes))

    earlier, size = (
        copy.deepcopy(model),
        experiment.RECIPES["quick"].learning_rate / 2,
    )  # Adam moves a weight by about the rate: its mean over the training
    with torch.no_grad():
        for p, g in zip(earlier.parameters(), grads(exact).values()):
            p += size * g.sign()
        before = earlier.encode(x)
        cold = model.start(before)
        warm = eq.solve(earlier, cold, before, max_steps=100, tol=tol, throw=False).y
    recipe = replace(
        experiment.RECIPES["quick"], width=model.width, batch=len(x), pool=ROUND * len(x)
    )
    pool = experiment._pool(recipe, x.shape[-1], device)
    losses = {"published, plain": (theirs, published), "pool visit": (model, None)}
    both = lambda z, q: (model if torch.is_grad_enabled() else compiled)(z, q)  # noqa: E731  (a compiled graph goes backward once only)
    implicit = eq.Implicit(tol=LOOSE, record=lambda s: count.update(graded=s.steps.max().item()))
    for name, settings in {
        "ours, eager, cold": (model, cold, tol, PHANTOM),
        "ours, compiled, cold": (compiled, cold, tol, PHANTOM),
        "ours, compiled, warm": (compiled, warm, tol, PHANTOM),
        "ours, compiled, warm, loose": (compiled, warm, LOOSE, PHANTOM),
        "ours, warm, loose, implicit": (both, warm, LOOSE, implicit),
    }.items():
        losses[name] = (model, partial(ours, name, *settings))
    seconds = {name: [] for name in losses}
    for repeat in range(options.repeats + 1):
        for name, (side, loss) in losses.items():
            begun = time.perf_counter()
            for step in range(ROUND if loss is None else 1):
                stepped(side, visit(ROUND * repeat + step) if loss is None else loss())
            if device.type == "cuda":
                torch.cuda.synchronize()
            seconds[name].append((time.perf_counter() - begun) / (ROUND if loss is None else 1))
            rows[name] = {}
            if loss is not None:
                off = gradient(grads(side) if side is theirs else plain(grads(side), modes)) - far
                rows[name] = {
                    "residual": residual(model, states[name], q),
                    "evaluations": count["forward"],
                    "graded": count["graded"],
                    "gradient_error": (off.norm() / far.norm()).item(),
                }
    n = x.shape[-1]
    inputs = experiment.turned(x[pool[f"flow{n}"]], truth[pool[f"flow{n}"]], pool[f"code{n}"])[0]
    held = residual(model, pool[f"z{n}"], model.encode(inputs))
    rows["pool visit"] = {
        "residual": held,
        "evaluations": sum(experiment._FREE) / 2,
        "graded": experiment._GRADED,
        "gradient_error": None,
    }
    for name, (_, loss) in losses.items():
        rows[name]["saved_mib"] = training.saved_bytes(loss or (lambda: visit(0))) / 2**20
        rows[name]["seconds"] = statistics.median(seconds[name][1:])  # the first warms up
        rows[name]["times_faster"] = (
            statistics.median(seconds["published, plain"][1:]) / rows[name]["seconds"]
        )
        print(
            "{name:27s} {seconds:6.3f} s, {evaluations:4.3g} + {graded:2d} evaluations, residual {residual:.1e}, gradient off by {off}, {saved_mib:6.1f} MiB kept: "
            "{times_faster:5.2f} times faster".format(
                name=name,
                off="-" if loss is None else f"{rows[name]['gradient_error']:.3f}",
                **rows[name],
            ),
            flush=True,
        )
    return {
        "width": model.width,
        "modes": modes,
        "n": n,
        "batch": len(x),
        "parameters": sum(p.numel() for p in model.parameters()),
        "agreement": agreement,
        "tolerance": tol,
        "reference_residual": residual(exact, solution.y.detach(), wide),
        "rows": rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (
        ("iterations", 24),
        ("repeats", 7),
        ("threads", 2),
        ("batch", 4),
        ("trained", 1),
        ("published", 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    models = {}
    if options.trained:
        try:
            models["trained"] = experiment.load("implicit")[0]
        except checkpoints.CheckpointError as error:
            raise SystemExit(f"{error}; or leave this part out with --trained 0") from error
    if options.published:
        model = models["published size, untrained"] = experiment.new(
            "implicit-unique", profile="paper"
        )
        with torch.no_grad():  # with a stronger input it has an equilibrium
            for p in model.injections.parameters():
                p *= 4
    flows = experiment.test_set(count=options.batch)
    x, truth = flows.forcing.float().to(device), flows.vorticity.float().to(device)
    result = {
        **vars(options),
        "device": torch.cuda.get_device_name() if device == "cuda" else platform.machine(),
        "torch": torch.__version__,
        "models": {},
    }
    for name, model in models.items():
        print(f"{name}: width {model.width}, {model.output.spectral.modes} modes", flush=True)
        result["models"][name] = measure(model.to(device), x, truth, options)
    path = (
        Path(__file__).parent
        / "results"
        / ("navier_stokes.json" if device == "cpu" else "navier_stokes_gpu.json")
    )
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(f"written: {path.relative_to(Path(__file__).parents[1])}")


if __name__ == "__main__":
    main()
