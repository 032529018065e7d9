"""Training one model of the study.

Flows are smooth, so most steps are made on a coarse grid and the last ones on the full one. Every
model sees every flow in its eight mirror images and quarter turns; shifts would teach nothing,
since all models commute with them.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from equilibria import splits, training
from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO
from equilibria.problems import flow_data
from equilibria.problems.flow_grid import resample
from equilibria.solvers import trajectory
from equilibria.studies.navier_stokes.measures import errors_along_t, relative_error
from equilibria.studies.navier_stokes.recipes import (
    RECIPES,
    RECORDS,
    SEED_OF_TRAINING,
    Model,
    Recipe,
    new,
    regime_of,
)
from equilibria.studies.navier_stokes.visits import FREE, FlowPool, pool_loss, turned
from equilibria.training import parallel

__all__ = ["UNROLLED", "compiled", "train", "training_bytes"]

UNROLLED = 3  # iterations of the trap's training
_WORTH_COMPILING = 500  # steps from which on the minute that torch.compile takes comes back

Network = TypeVar("Network", bound=nn.Module)
Loss = Callable[[Model, int, torch.Generator], Tensor]
Fields = tuple[Tensor, Tensor]  # forcing (N, 2, n, n) and vorticity (N, n, n)


def compiled(model: Network) -> Network:
    """The model behind torch.compile, with the same weights and methods.

    This halves the time of an iteration on a CPU. Where there is no compiler for C++, the model
    itself.
    """
    if not shutil.which(os.environ.get("CXX", "g++")):
        return model
    return cast(Network, torch.compile(model))  # it passes attributes on to the model


@splits.trains
def train(
    name: str,
    *,
    profile: str,
    seed: int = 0,
    minutes: float | None = None,
    device: str | None = None,
) -> training.Outcome:
    """Train one model, or resume where an earlier call stopped (from ``data/trainings``).

    Writes ``data/checkpoints/navier_stokes/NAME-seedN``. The flows are made first, once for all
    models. Raises ValueError for an unknown name or profile, and `SplitError` should anything in it
    read test flows.
    """
    device = device or training.default_device()
    model = new(name, profile=profile, seed=seed).to(device)
    return _Training(name, profile, seed, model, device).run(minutes)


class _Training:
    """One model, its flows on both grids, its settings and, where it is implicit, its pools."""

    def __init__(self, name: str, profile: str, seed: int, model: Model, device: str):
        self.name = name
        self.profile = profile
        self.seed = seed
        self.device = device
        self.recipe = RECIPES[profile]
        self.kind = name.partition("-")[0]
        # every explicit model makes as many steps
        budgets = self.recipe.steps
        self.steps, self.fine_steps = budgets.get(self.kind, budgets["explicit"])
        parallel.require_shares(self.recipe.batch)
        self.grids = _flows(name, profile, self.recipe, device)
        self.pools: dict[int, FlowPool] = {}
        if self.kind == "implicit":
            for n in self.grids:
                self.pools[n] = FlowPool.empty(
                    self.recipe.pool, width=self.recipe.width, n=n, device=device
                )
        self.model = model
        self.forward = compiled(model) if self.steps > _WORTH_COMPILING else model

    def run(self, minutes: float | None) -> training.Outcome:
        settings = training.Settings(
            steps=self.steps,
            learning_rate=self.recipe.learning_rate,
            clip=1.0,
            warmup=100,
            schedule="cosine",
            ema=0.998,
            seed=self.seed,
            save_every=20,
            validate_every=max(1, self.steps // 6),
        )
        memory: dict[str, parallel.Rows] = {}
        for pool in self.pools.values():
            memory |= pool.memory()
        losses: dict[str, Loss] = {"implicit": self.visit_loss, "unrolled": self.unrolled_loss}
        return RECORDS.train(
            self.name,
            self.model,
            losses.get(self.kind, self.explicit_loss),
            settings=settings,
            profile=self.profile,
            device=self.device,
            minutes=minutes,
            validate=self.validate,
            memory=memory,
        )

    def training_flows(self, step: int) -> Fields:
        """All training flows, on the grid of this step."""
        coarse = step < self.steps - self.fine_steps
        x, y = self.grids[self.recipe.coarse if coarse else self.recipe.n]
        return x[: self.recipe.train], y[: self.recipe.train]

    def batch(self, step: int, generator: torch.Generator) -> Fields:
        """The flows of one step, each in an image drawn at random."""
        x, y = self.training_flows(step)
        recipe = self.recipe
        chosen = training.minibatch(recipe.train, recipe.batch, seed=self.seed, step=step)
        code = torch.randint(8, (recipe.batch,), generator=generator)
        chosen, code = parallel.rows(chosen), parallel.rows(code)
        return turned(x[chosen], y[chosen], code)

    def visit_loss(self, model: Model, step: int, generator: torch.Generator) -> Tensor:
        x, y = self.training_flows(step)
        recipe = self.recipe
        slots = training.minibatch(recipe.pool, recipe.batch, seed=self.seed, step=step)
        pool = self.pools[y.shape[-1]]
        # `compiled` keeps encode and decode; only implicit models come here
        forward = cast(ImplicitFNO, self.forward)
        return pool_loss(forward, pool, x, y, slots, generator)

    def unrolled_loss(self, model: Model, step: int, generator: torch.Generator) -> Tensor:
        """Back-propagated through every iteration: no equilibrium is asked for."""
        x, y = self.batch(step, generator)
        assert isinstance(model, ImplicitFNO)
        q = model.encode(x)
        *_, z = trajectory(self.forward, model.start(q), q, UNROLLED)
        return relative_error(model.decode(z), y).mean()

    def explicit_loss(self, model: Model, step: int, generator: torch.Generator) -> Tensor:
        x, y = self.batch(step, generator)
        return relative_error(self.forward(x), y).mean()

    def validate(self, model: Model) -> dict[str, float]:
        """Errors on flows that no model trains on and none is tested on."""
        x, y = self.grids[self.recipe.n]
        x, y = x[self.recipe.train :], y[self.recipe.train :]
        if isinstance(model, ExplicitFNO):
            with torch.no_grad():
                return {"error": relative_error(model(x), y).mean().item()}
        curve = errors_along_t(model, x, y, steps=100).mean(1)
        return {f"error_{t}": curve[t - 1].item() for t in (3, 10, 30, 100)}


def _flows(name: str, profile: str, recipe: Recipe, device: str) -> dict[int, Fields]:
    """Training and validation flows by grid, single precision."""
    flows = flow_data.data(
        regime_of(name, profile), recipe.train + recipe.batch, n=recipe.n, seed=SEED_OF_TRAINING
    )
    grids = {}
    for n in (recipe.coarse, recipe.n):
        forcing = resample(flows.forcing, n).float().to(device)
        vorticity = resample(flows.vorticity, n).float().to(device)
        grids[n] = (forcing, vorticity)
    return grids


def training_bytes(model: Model, x: Tensor, y: Tensor, *, free: int = FREE[1]) -> int:
    """Bytes that a training step keeps for its backward pass beyond the weights.

    x (B, 2, n, n), y (B, n, n) are the flows of the step; an implicit model makes ``free``
    iterations without gradient first.
    """
    if isinstance(model, ExplicitFNO):
        explicit = model
        return training.saved_bytes(lambda: relative_error(explicit(x), y).mean(), explicit)
    implicit = model
    pool = FlowPool.empty(len(x), width=model.width, n=y.shape[-1], device=x.device)
    slots = torch.arange(len(x))
    generator = torch.Generator().manual_seed(0)

    def loss() -> Tensor:
        return pool_loss(implicit, pool, x, y, slots, generator, free=(free, free))

    return training.saved_bytes(loss, implicit)
