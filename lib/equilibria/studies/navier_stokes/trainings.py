"""Training one model of the study.

Flows are smooth, so most steps are made on a coarse grid and the last ones on the full one. Every
model sees every flow in all its images (`training_flows`).
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
from equilibria.solvers import trajectory
from equilibria.studies.navier_stokes.bounded import in_network_units, slope_penalty
from equilibria.studies.navier_stokes.measures import relative_error
from equilibria.studies.navier_stokes.recipes import (
    RECIPES,
    RECORDS,
    SEED_OF_TRAINING,
    SEED_OF_VALIDATION,
    Model,
    declared,
    new,
)
from equilibria.studies.navier_stokes.training_flows import TrainingFlows
from equilibria.studies.navier_stokes.visits import FREE, FlowPool, pool_loss
from equilibria.training import parallel
from equilibria.training.visits import iterate_freely

__all__ = ["UNROLLED", "VALIDATED", "compiled", "train", "training_bytes"]

UNROLLED = 3  # iterations of the trap's training
VALIDATED = 40  # iterations after which an implicit model is validated
_VALIDATION_BATCH = 20
_HELD = 3  # flows of a step at which the slope of a bounded network is looked at
_WORTH_COMPILING = 500  # steps from which on the minute that torch.compile takes comes back

Network = TypeVar("Network", bound=nn.Module)
Loss = Callable[[Model, int, torch.Generator], Tensor]


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

    Writes ``data/checkpoints/navier_stokes/NAME-seedN``: the weights with the smallest error on the
    validation flows. The flows are made first, once for all models. Raises ValueError for an
    unknown name or profile, and `SplitError` should anything in it read test flows.
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
        self.declared = declared(profile)[name]
        self.set = self.recipe.flows[self.declared.regime]
        # every explicit model makes as many steps
        budgets = self.recipe.steps
        steps = budgets.get(self.declared.kind, budgets["explicit"])
        share = 2 if self.declared.bounded else 1
        self.steps, self.fine_steps = (count // share for count in steps)
        parallel.require_shares(self.recipe.batch)
        self.grids = {}
        for n in (self.set.coarse, self.set.n):
            self.grids[n] = self.flows(self.set.train, SEED_OF_TRAINING, n, self.set.speeds)
        self.validation = self.flows(self.set.validation, SEED_OF_VALIDATION, self.set.n)
        self.pools: dict[int, FlowPool] = {}
        if self.declared.kind == "implicit":
            for n in self.grids:
                self.pools[n] = FlowPool.empty(
                    self.recipe.pool, width=model.width, n=n, device=device
                )
        self.model = model
        self.forward = compiled(model) if self.steps > _WORTH_COMPILING else model

    def flows(
        self, count: int, seed: int, n: int, speeds: tuple[float, float] = (1.0, 1.0)
    ) -> TrainingFlows:
        """Flows of the model's regime and viscosity, on n x n points."""
        flows = flow_data.data(
            self.declared.regime,
            count,
            n=self.set.n,
            seed=seed,
            viscosity=self.declared.viscosity,
        )
        force = flow_data.FORCINGS[self.declared.regime]
        opposite = force(-flows.vorticity, self.declared.viscosity)
        return TrainingFlows.of(flows, opposite, n, self.device, speeds)

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
            validate_every=max(1, self.steps // 10),
        )
        memory: dict[str, parallel.Rows] = {}
        for n, pool in self.pools.items():
            memory |= pool.memory(n)
        losses: dict[str, Loss] = {"implicit": self.visit_loss, "unrolled": self.unrolled_loss}
        return RECORDS.train(
            self.name,
            self.model,
            losses.get(self.declared.kind, self.explicit_loss),
            settings=settings,
            profile=self.profile,
            device=self.device,
            minutes=minutes,
            validate=self.validate,
            select="error",
            memory=memory,
        )

    def training_flows(self, step: int) -> TrainingFlows:
        """All training flows, on the grid of this step."""
        coarse = step < self.steps - self.fine_steps
        return self.grids[self.set.coarse if coarse else self.set.n]

    def batch(self, step: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Forcing and vorticity of one step, each flow in an image drawn at random."""
        flows = self.training_flows(step)
        count = self.recipe.batch
        chosen = training.minibatch(len(flows), count, seed=self.seed, step=step)
        code = torch.randint(8, (count,), generator=generator)
        speed = flows.draw_speeds(count, generator)
        return flows.images(*(parallel.rows(drawn) for drawn in (chosen, speed, code)))

    def visit_loss(self, model: Model, step: int, generator: torch.Generator) -> Tensor:
        flows = self.training_flows(step)
        slots = training.minibatch(self.recipe.pool, self.recipe.batch, seed=self.seed, step=step)
        # `compiled` keeps encode and decode; only implicit models come here
        forward = cast(ImplicitFNO, self.forward)
        pool = self.pools[flows.n]
        loss = pool_loss(forward, pool, flows, slots, generator)
        if not self.declared.bounded:
            return loss
        few = slots[:_HELD]
        x, _ = flows.images(pool.flow[few], pool.speed[few], pool.code[few])
        states = pool.warm.state[few].clone()
        states[0] = 0  # the bound holds at the start as well, and slots rest on what follows it
        return loss + self.bound_loss(model, x, states, generator)

    def unrolled_loss(self, model: Model, step: int, generator: torch.Generator) -> Tensor:
        """Back-propagated through every iteration: no equilibrium is asked for."""
        x, y = self.batch(step, generator)
        assert isinstance(model, ImplicitFNO)
        q = model.encode(x)
        *_, z = trajectory(self.forward, model.start(q), q, UNROLLED)
        return relative_error(model.decode(z), y).mean()

    def explicit_loss(self, model: Model, step: int, generator: torch.Generator) -> Tensor:
        x, y = self.batch(step, generator)
        loss = relative_error(self.forward(x), y).mean()
        if not self.declared.bounded:
            return loss
        return loss + self.bound_loss(model, x[:_HELD], None, generator)

    def bound_loss(
        self, model: Model, x: Tensor, z: Tensor | None, generator: torch.Generator
    ) -> Tensor:
        """What the slopes at some forcings cost a network of the bounded pair."""
        return slope_penalty(in_network_units(model, z), x / model.input_scale, generator)

    @torch.no_grad()
    def validate(self, model: Model) -> dict[str, float]:
        """Mean error on the validation flows: of y_t at `VALIDATED` if the model iterates."""
        errors = []
        rows = torch.arange(len(self.validation))
        for part in torch.split(rows, _VALIDATION_BATCH):
            still = torch.ones(len(part)), torch.zeros(len(part), dtype=torch.int64)
            x, y = self.validation.images(part, *still)
            if isinstance(model, ImplicitFNO):
                q = model.encode(x)
                steps = UNROLLED if self.declared.kind == "unrolled" else VALIDATED
                answer = model.decode(iterate_freely(model, model.start(q), q, steps))
            else:
                answer = model(x)
            errors.append(relative_error(answer, y))
        return {"error": torch.cat(errors).mean().item()}


def training_bytes(model: Model, x: Tensor, y: Tensor, *, free: int = FREE[1]) -> int:
    """Bytes that a training step keeps for its backward pass beyond the weights.

    x (B, 2, n, n), y (B, n, n) are the flows of the step; an implicit model makes ``free``
    iterations without gradient first.
    """
    if isinstance(model, ExplicitFNO):
        explicit = model
        return training.saved_bytes(lambda: relative_error(explicit(x), y).mean(), explicit)
    implicit = model
    flows = TrainingFlows(x, torch.zeros_like(x), y, (1.0, 1.0))
    pool = FlowPool.empty(len(x), width=model.width, n=flows.n, device=x.device)
    slots = torch.arange(len(x))
    generator = torch.Generator().manual_seed(0)

    def loss() -> Tensor:
        return pool_loss(implicit, pool, flows, slots, generator, free=(free, free))

    return training.saved_bytes(loss, implicit)
