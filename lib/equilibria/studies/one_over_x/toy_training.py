"""How the networks of the learned toy are trained."""

from __future__ import annotations

import json
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from equilibria import checkpoints, splits, training
from equilibria.checks import require
from equilibria.files import write_atomically
from equilibria.operators.bounded_mlp import BoundedMLP
from equilibria.paths import data_folder
from equilibria.studies.one_over_x.networks import MODULUS, NEAR, RECORDS, inputs, names, new
from equilibria.studies.one_over_x.toy_measures import measure_network
from equilibria.training import parallel
from equilibria.training.records import STOPPED
from equilibria.training.visits import draw_int, graded_iterates, iterate_freely

__all__ = ["FREE_ITERATIONS", "GRADED_ITERATIONS", "STEPS", "train"]

STEPS = {"explicit": 250, "implicit": 400}
RATES = {"explicit": 1e-2, "implicit": 2e-2}
POINTS = 128  # training points

# A step of an implicit training iterates freely, as often as it draws from this range, and then
# with gradients. So nothing is tuned to one number of iterations.
FREE_ITERATIONS = (50, 100)
GRADED_ITERATIONS = 25

# The start of the power iterations hardly matters, but it must be fixed.
_POWER_SEED = 67280421310721

Loss = Callable[[torch.nn.Module, int, torch.Generator], Tensor]


@splits.trains
def train(
    name: str,
    *,
    profile: str = "quick",
    seed: int = 0,
    minutes: float | None = None,
    device: str | None = None,
) -> training.Outcome:
    """Train one network on the mean squared error over log-spaced points, on the CPU.

    Resumes where an earlier call stopped. Writes ``data/checkpoints/one_over_x/NAME-seedN``: the
    weights and card of an implicit network, or the card and measurements of an explicit one.

    profile  changes nothing: the toy is the same in every profile
    minutes  stop after about this long; the same call continues
    device   changes nothing: the toy takes a minute on a CPU
    Raises ValueError for an unknown name.
    """
    known = names(profile)
    require(name in known, "name", name, f"one of {', '.join(known)}")
    kind, _ = name.split("-")
    x = parallel.rows(inputs(POINTS))
    model = new(name, profile=profile, seed=seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_POWER_SEED)
        model.normalise()
    scratch = data_folder() / "trainings" / "one_over_x" / f"{name}-seed{seed}"
    outcome = training.train(
        model,
        _explicit_loss(x) if kind == "explicit" else _implicit_loss(x),
        settings=training.Settings(
            steps=STEPS[kind], learning_rate=RATES[kind], warmup=20, seed=seed, save_every=50
        ),
        stem=scratch,
        card={"name": name, "near": NEAR, "modulus": MODULUS},
        minutes=minutes,
    )
    if outcome.finished:
        card = checkpoints.read_card(scratch)
        del card["sha256"]  # that of the normalised weights, which are not shipped
        _ship(name, model.freeze().eval(), card, seed=seed)
        state = "finished"
    else:
        state = STOPPED
    print(f"{name} seed {seed}: step {outcome.step}, {outcome.seconds:.0f} s, {state}")
    return outcome


def _explicit_loss(x: Tensor) -> Loss:
    """The mean of (N(x) - 1/x)^2."""

    def loss(model: torch.nn.Module, step: int, generator: torch.Generator) -> Tensor:
        error: Tensor = model(x) - 1 / x
        return error.square().mean()

    return loss


def _implicit_loss(x: Tensor) -> Loss:
    """The mean of (y_t - 1/x)^2 for an iterate y_t of N(y, x) whose t is drawn in each step."""

    def loss(model: torch.nn.Module, step: int, generator: torch.Generator) -> Tensor:
        y = torch.zeros_like(x)
        free = draw_int(*FREE_ITERATIONS, generator)
        # Within `cached` the weights are normalised once, not in every iteration.
        with parametrize.cached():
            y = iterate_freely(model, y, x, free)
        with parametrize.cached():
            *_, y = graded_iterates(model, y, x, GRADED_ITERATIONS)
        return (y - 1 / x).square().mean()

    return loss


def _ship(name: str, model: BoundedMLP, card: dict[str, object], *, seed: int) -> None:
    """Write what the repository keeps of a finished training."""
    card["bounds"] = model.bounds()
    card["maker"] = f"equilibria train one_over_x/{name} --seed {seed}"
    stem = RECORDS.stem(name, seed=seed)
    if name.startswith("implicit"):
        checkpoints.save(stem, model, card)
    else:
        card["results"] = measure_network(model, (1,))
        write_atomically(
            stem.with_suffix(".json"), json.dumps(card, indent=1, sort_keys=True) + "\n"
        )
