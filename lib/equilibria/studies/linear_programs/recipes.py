"""Which models are trained on linear programs, on what and how.

| name | what it is |
|---|---|
| `explicit-W` | the explicit network with embedding W = 4, 8, 16 or 32 (Table 1) |
| `implicit-W` | the implicit network, trained so that it has an equilibrium |
| `unrolled-8` | a trap on purpose: the implicit network, trained by plain unrolling from y = 0 |

Every model can be trained with any seed. A training sees only training and validation programs.

An implicit model gets an equilibrium to be iterated to by path independence (Anil et al. 2022): a
random number of iterations from y = 0 or from a random point of the box l <= y <= u without
gradient, then a few with gradient. Each of these is compared with the label, and the last move is
penalised.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from equilibria import splits, training
from equilibria.checks import require
from equilibria.operators.lp_graph import ExplicitGNN, Graph, ImplicitGNN, graph
from equilibria.problems.linear_programs import LinearPrograms
from equilibria.studies.linear_programs.measures import (
    Network,
    along_t,
    label_scale,
    relative_error,
    trajectory,
)
from equilibria.studies.linear_programs.programs import data
from equilibria.training import parallel
from equilibria.training.records import CaseRecords
from equilibria.training.visits import draw_int, graded_iterates, iterate_freely

__all__ = [
    "RECORDS",
    "TRAINED_STEPS",
    "WIDTHS",
    "implicit_loss",
    "load",
    "names",
    "new",
    "seeds",
    "train",
    "unrolled_loss",
]

WIDTHS = (4, 8, 16, 32)

_STEPS = {
    "explicit-4": 4000,
    "explicit-8": 4000,
    "explicit-16": 4000,
    "explicit-32": 4000,
    "implicit-4": 4000,
    "implicit-8": 4000,
    "implicit-16": 3500,
    "implicit-32": 2500,
    "unrolled-8": 2000,
}
_QUICK_STEPS = 40
_BATCH = 250

_MOST_FREE_STEPS = 16  # iterations without gradient: drawn from 0 to this
_GRADED_STEPS = 4  # iterations with gradient
TRAINED_STEPS = _MOST_FREE_STEPS + _GRADED_STEPS  # training never iterates further
_PENALTY = 1.0  # weight of the last move |y_T - y_{T-1}| / (|y*| + 1) beside the error
_UNROLLED_DEPTHS = (3, 6)  # of the trap, in the first two thirds of the training and after


@dataclass(frozen=True)
class _Recipe:
    """kind: "explicit", "implicit" or "unrolled"; width: the embedding size; steps: of Adam."""

    kind: str
    width: int
    steps: int


def names(profile: str) -> list[str]:
    """The models that can be trained; they are the same in every profile."""
    return list(_STEPS)


def new(name: str, *, profile: str = "paper", seed: int = 0) -> Network:
    """An untrained model by name, such as "implicit-8"; sizes do not depend on the profile."""
    recipe = _recipe(name, profile)
    torch.manual_seed(seed)
    if recipe.kind == "explicit":
        return ExplicitGNN(recipe.width)
    return ImplicitGNN(recipe.width)


def _new(name: str, profile: str) -> nn.Module:
    return new(name, profile=profile)


RECORDS = CaseRecords("linear_programs", "paper", _new)
load = RECORDS.load
seeds = RECORDS.seeds


def implicit_loss(
    model: ImplicitGNN, x: Graph, label: Tensor, generator: torch.Generator
) -> Tensor:
    """The mean error of the graded iterations and the penalty on the last move, a scalar.

    label is (B, n); ``generator`` draws the starts and the number of free iterations.
    """
    B, n = label.shape
    # Half of the programs start at a random point of the box, the others at 0.
    y = x.l + (x.u - x.l) * parallel.drawn(torch.rand, (B, n), generator).to(label)
    y = y * (parallel.drawn(torch.rand, (B, 1), generator) < 0.5).to(label)
    q = model.encode(x)
    y = iterate_freely(model, y, q, draw_int(0, _MOST_FREE_STEPS, generator))
    errors = []
    for y_next in graded_iterates(model, y, q, _GRADED_STEPS):
        errors.append(relative_error(y_next, label).mean())
        before = y
        y = y_next
    # |y_T - y_{T-1}| / (|y*| + 1)
    move: Tensor = (y - before).norm(dim=1) / label_scale(label)
    return torch.stack(errors).mean() + _PENALTY * move.mean()


def unrolled_loss(model: Network, x: Graph, label: Tensor, *, depth: int) -> Tensor:
    """The error of y_depth from y_0 = 0, a scalar; nothing asks for an equilibrium.

    Gradients flow through all iterations. An explicit model has one answer, whatever the depth.
    """
    *_, y = trajectory(model, x, depth)
    return relative_error(y, label).mean()


@splits.trains
def train(
    name: str,
    *,
    profile: str,
    seed: int = 0,
    minutes: float | None = None,
    device: str | None = None,
) -> training.Outcome:
    """Train one model, or go on where an earlier call stopped after its ``minutes``.

    Writes `data/checkpoints/linear_programs/NAME-seedN`, for `quick` in a folder of that name;
    an unfinished training lies in `data/trainings`. ``device`` is "cuda" by default where there
    is one.
    """
    recipe = _recipe(name, profile)
    if device is None:
        device = training.default_device()
    parallel.require_shares(_BATCH)
    programs, held_out = data(profile)
    settings = training.Settings(
        steps=recipe.steps,
        learning_rate=1e-2,
        clip=5.0,
        warmup=100,
        ema=0.999,
        seed=seed,
        save_every=20,
    )
    return RECORDS.train(
        name,
        new(name, profile=profile, seed=seed).to(device),
        _loss(recipe, programs, seed, device),
        settings=settings,
        profile=profile,
        device=device,
        minutes=minutes,
        validate=_validation(programs, held_out, device),
        card={"programs": {"training": len(programs), "validation": len(held_out)}},
    )


def _recipe(name: str, profile: str) -> _Recipe:
    require(name in _STEPS, "name", name, f"one of {', '.join(_STEPS)}")
    kind, _, width = name.partition("-")
    return _Recipe(kind, int(width), _QUICK_STEPS if profile == "quick" else _STEPS[name])


def _loss(
    recipe: _Recipe, programs: LinearPrograms, seed: int, device: str
) -> Callable[[nn.Module, int, torch.Generator], Tensor]:
    """The loss of one training step, as `training.train` calls it."""
    size = min(_BATCH, len(programs))

    def loss(model: nn.Module, step: int, generator: torch.Generator) -> Tensor:
        network = cast(Network, model)  # the one that `train` made
        chosen = training.minibatch(len(programs), size, seed=seed, step=step)
        batch = programs[parallel.rows(chosen)]
        x = graph(batch, device=device)
        label = batch.y.to(device, torch.float32)
        if recipe.kind == "implicit":
            return implicit_loss(cast(ImplicitGNN, network), x, label, generator)
        early = step < recipe.steps * 2 // 3
        depth = _UNROLLED_DEPTHS[0] if early else _UNROLLED_DEPTHS[1]
        return unrolled_loss(network, x, label, depth=depth)

    return loss


def _validation(
    programs: LinearPrograms, held_out: LinearPrograms, device: str
) -> Callable[[nn.Module], dict[str, float]]:
    """The errors at t = 64 on both sets of programs, as `training.train` calls for them."""

    def validate(model: nn.Module) -> dict[str, float]:
        network = cast(Network, model)  # the one that `train` made
        return {
            "train_error": along_t(network, programs, steps=64, device=device)["mean"][-1],
            "validation_error": along_t(network, held_out, steps=64, device=device)["mean"][-1],
        }

    return validate
