"""One over x: the named trainings of the learned toy, and what notebook 01 measures (paper, sections 1 and 2).

Trainings: `explicit-L` and `implicit-L` for the Lipschitz bounds L = 5, 10, 15, 20 of the operator, seeds 0, 1, 2; the same in
every profile. Details of the toy that the paper does not give are our choice: 1/x on [0.1, 1]; the explicit network has three
hidden layers of 1024 units, the implicit one two of 256; spectral normalisation per layer and input; the implicit operator's
modulus in y is at most 0.96, so that its equilibrium exists and may be L / 0.04 steep.

Implicit weights ship in `data/checkpoints/one_over_x`. Explicit ones are 8 MB each: of them the measured results ship.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from equilibria import checkpoints, fixed_point, training
from equilibria.operators.bounded_mlp import BoundedMLP
from equilibria.project import data_folder
from equilibria.results import write

__all__ = ["BOUNDS", "NEAR", "SEEDS", "least_error", "load", "measure_toy", "names", "new", "train"]

BOUNDS = (5, 10, 15, 20)
SEEDS = (0, 1, 2)
NEAR = 0.1  # the toy's domain is [NEAR, 1]
MODULUS = 0.96
_STEPS = {"explicit": 250, "implicit": 400}
_RATE = {"explicit": 1e-2, "implicit": 2e-2}
_POINTS = 128  # log-spaced training points
_GRADED = 25  # iterations with gradient, after 0 to 3 times as many without: nothing is tuned to one t


def names(profile: str) -> list[str]:
    """The networks that can be trained; the same in every profile."""
    return [f"{kind}-{bound}" for kind in ("explicit", "implicit") for bound in BOUNDS]


def inputs(count: int) -> Tensor:
    """(count, 1) float32, log-spaced from NEAR to 1."""
    return torch.logspace(math.log10(NEAR), 0, count, dtype=torch.float64)[:, None].float()


def new(name: str, *, seed: int = 0, modulus: float = MODULUS) -> BoundedMLP:
    """An untrained network by name, e.g. "implicit-5": N(x), or N(y, x) with |dN/dy| <= modulus. `seed` draws its weights."""
    kind, bound = name.split("-")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "explicit":
            return BoundedMLP([float(bound)], width=1024, layers=2, spans=[(NEAR, 1)])
        return BoundedMLP([modulus, float(bound)], width=256, layers=1, spans=[(0, 1 / NEAR), (NEAR, 1)])


def _stem(name: str, seed: int) -> Path:
    return data_folder() / "checkpoints" / "one_over_x" / f"{name}-seed{seed}"


def train(name: str, *, profile: str = "quick", seed: int = 0, minutes: float | None = None) -> training.Outcome:
    """Train one network; resumes where an earlier call stopped. The mean squared error is taken over log-spaced points.

    Writes `data/checkpoints/one_over_x/NAME-seedN`: weights and card of an implicit network, the results of an explicit one.
    Raises ValueError for an unknown name.
    """
    if name not in names(profile):
        raise ValueError(f"name must be one of {', '.join(names(profile))}, got {name!r}")
    kind, bound = name.split("-")
    x = inputs(_POINTS)
    model = new(name, seed=seed).normalise()

    def explicit_loss(model, step, generator):
        return (model(x) - 1 / x).square().mean()

    def implicit_loss(model, step, generator):
        y = torch.zeros_like(x)
        before = int(torch.randint(3 * _GRADED + 1, (), generator=generator))
        with torch.no_grad(), parametrize.cached():
            for _ in range(before):
                y = model(y, x)
        with parametrize.cached():
            for _ in range(_GRADED):
                y = model(y, x)
        return (y - 1 / x).square().mean()

    settings = training.Settings(steps=_STEPS[kind], learning_rate=_RATE[kind], warmup=20, seed=seed, save_every=50)
    scratch = data_folder() / "trainings" / "one_over_x" / f"{name}-seed{seed}"
    outcome = training.train(model, explicit_loss if kind == "explicit" else implicit_loss, settings=settings, stem=scratch,
                             card={"name": name, "near": NEAR, "modulus": MODULUS}, minutes=minutes)
    if outcome.finished:
        model.freeze().eval()
        card = {key: value for key, value in checkpoints.read_card(scratch).items() if key != "sha256"}
        card |= {"bounds": model.bounds(), "maker": f"equilibria train one_over_x/{name} --seed {seed}"}
        if kind == "implicit":
            checkpoints.save(_stem(name, seed), model, card)
        else:
            text = json.dumps({**card, "results": _measure(model, [1])}, indent=1, sort_keys=True)
            _stem(name, seed).parent.mkdir(parents=True, exist_ok=True)
            write(_stem(name, seed).with_suffix(".json"), text + "\n")
    print(f"{name} seed {seed}: step {outcome.step}, {outcome.seconds:.0f} s, "
          + ("finished" if outcome.finished else "stopped at the time limit; the same command continues"))
    return outcome


def load(name: str, *, seed: int) -> tuple[BoundedMLP, dict]:
    """(network, card) of a shipped implicit training. Raises CheckpointError when it is missing, damaged or foreign."""
    model = new(name)
    card = checkpoints.load(_stem(name, seed), model)
    return model.eval(), card


def explicit_results(name: str, *, seed: int) -> dict:
    """What was measured after an explicit training (see `measure_toy`). Raises CheckpointError when it is missing or damaged."""
    path = _stem(name, seed).with_suffix(".json")
    try:
        return json.loads(path.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError) as error:
        raise checkpoints.CheckpointError(f"{path} is missing or damaged ({error}): run `equilibria train one_over_x/{name} --seed {seed}`") from error


@torch.no_grad()
def _measure(model: BoundedMLP, times: list[int]) -> dict:
    """Errors and steepness of y_t on 1000 points, and y_t on 100 of them, for each t of `times` (explicit: one answer)."""
    x = inputs(1000)
    found = {"sup_error": [], "mean_relative_error": [], "steepest": [], "curve": []}
    iterates = [model(x)] if len(model.limits) == 1 else fixed_point.trajectory(model, torch.zeros_like(x), x, max(times))
    for t, y in enumerate(iterates, 1):
        if t in times:
            error = (y.double() * x.double() - 1).abs()
            found["sup_error"].append(float((error / x).max()))
            found["mean_relative_error"].append(float(error.mean()))
            found["steepest"].append(float((y.diff(dim=0) / x.diff(dim=0)).abs().max()))
            found["curve"].append(y[::9, 0].tolist())
    return found


def measure_toy(times: list[int], *, implicit=load) -> dict:
    """The learned toy at each t of `times`: {"explicit" | "implicit": {"5": [per seed]}}, `inputs` and `least_error`."""
    return {
        "inputs": inputs(1000)[::9, 0], "times": times, "seeds": list(SEEDS),
        "explicit": {str(b): [explicit_results(f"explicit-{b}", seed=s) for s in SEEDS] for b in BOUNDS},
        "implicit": {str(b): [_measure(implicit(f"implicit-{b}", seed=s)[0], times) for s in SEEDS] for b in BOUNDS},
        "least_error": {str(b): least_error(b, NEAR) for b in BOUNDS},
    }


def least_error(bound: float, near: float) -> float:
    """The sup error that no function with Lipschitz constant `bound` can beat for 1/x on [near, 1], however large the network:

    max over a < b of (1/a - 1/b - bound (b - a)) / 2, reached at a = near, b = bound^(-1/2); 0 where bound >= 1 / near^2.

    >>> round(least_error(5, 0.1), 3), least_error(100, 0.1)
    (3.014, 0.0)
    """
    b = min(1.0, bound**-0.5)
    return max(0.0, 0.5 * (1 / near - 1 / b - bound * (b - near))) if b > near else 0.0
