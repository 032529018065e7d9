"""One training loop for every model: it resumes exactly, keeps a time limit and meets divergence.

Every random number of a step comes from a generator that is seeded by (seed, step). A training that
was killed and continued therefore ends in the same weights as one that was not.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from equilibria import checkpoints
from equilibria.checks import require
from equilibria.training import parallel
from equilibria.training.saving import StateFile
from equilibria.training.settings import Settings, step_generator
from equilibria.training.state import TrainingState

__all__ = ["Outcome", "TrainingDiverged", "train"]

MOST_ROLLBACKS = 5
SECONDS_BETWEEN_WRITES = 30

ModelT = TypeVar("ModelT", bound=nn.Module)


class TrainingDiverged(RuntimeError):
    """The loss stayed non-finite although the learning rate was halved several times."""


@dataclass(frozen=True)
class Outcome:
    """How a call of `train` ended.

    finished  whether all steps were made
    step      steps made
    seconds   time spent, over all sittings
    metrics   the last validation; empty without one
    """

    finished: bool
    step: int
    seconds: float
    metrics: dict[str, float]


def train(
    model: ModelT,
    loss: Callable[[ModelT, int, torch.Generator], Tensor],
    *,
    settings: Settings,
    stem: str | Path,
    card: Mapping[str, Any] | None = None,
    memory: Mapping[str, parallel.Rows] | None = None,
    minutes: float | None = None,
    validate: Callable[[ModelT], dict[str, float]] | None = None,
    select: str | None = None,
    state_folder: str | Path | None = None,
    progress: bool = True,
) -> Outcome:
    """Train ``model`` in place; write its weights and card to ``stem`` when all steps are made.

    Several processes (`parallel`) share one training: each calls this with the same arguments, its
    loss computes its rows of the batch, and process 0 alone writes and shows a progress bar.

    loss          loss(model, step, generator) -> scalar. All its randomness comes from
                  ``generator``, which lives on the CPU, or from ``step``.
    settings      steps, learning rate and the rest
    stem          path of the weights and the card, without ending
    card          what the card says beside settings, seed, seconds and metrics
    memory        tensors that the loss changes in place between steps; they are saved and restored
    minutes       stop at the first saving after that long, and return ``finished=False``; the same
                  call continues
    validate      validate(model) -> metrics, called every ``settings.validate_every`` steps and at
                  the end, with the averaged weights where ``settings.ema`` is set
    select        name of the metric whose smallest value chooses the weights that are kept; it must
                  be measured on validation data. None keeps the last weights.
    state_folder  folder of NAME.state.safetensors, the unfinished training; by default that of the
                  stem. It and the saving before it (`StateFile`) are removed at the end.
    progress      whether to show a progress bar

    Raises CheckpointError where no saved state is whole, or where it is of other settings. Raises
    TrainingDiverged where the loss is non-finite again after five returns to the last saving, each
    with half the learning rate. Raises ValueError for minutes <= 0 or a missing ``validate``.
    """
    require(minutes is None or minutes > 0, "minutes", minutes, "positive")
    if (select or settings.validate_every) and validate is None:
        raise ValueError("validate must be given with select or validate_every")
    stem = Path(stem)
    sitting = _Sitting(
        loss,
        TrainingState(model, settings, memory if memory is not None else {}),
        settings=settings,
        name=stem.name,
        file=StateFile(
            Path(state_folder or stem.parent) / f"{stem.name}.state.safetensors",
            json.dumps(
                {"settings": settings.declared(), "card": card}, sort_keys=True, default=str
            ),
        ),
        minutes=minutes,
        validate=validate,
        select=select,
    )
    model.train()
    finished = sitting.make_steps(progress=progress and parallel.is_first())
    if not finished:
        return sitting.outcome(finished=False)
    if validate is not None:
        sitting.validate_now()
    sitting.count_seconds()
    sitting.state.load_final_weights()
    outcome = sitting.outcome(finished=True)
    full_card = {
        **(card or {}),
        "training": settings.declared(),
        "seed": settings.seed,
        "seconds": round(outcome.seconds, 1),
        "metrics": outcome.metrics,
    }
    if select is not None:
        # The card describes the weights that are kept, and says when training had found them.
        best = sitting.state.counters
        full_card["metrics"] = best.best_metrics
        full_card["selected"] = {"by": select, "step": best.best_step, "of": settings.steps}
    if parallel.count() > 1:
        full_card["processes"] = parallel.count()
    if parallel.is_first():
        checkpoints.save(stem, model, full_card)
        sitting.file.remove()
    parallel.wait()  # what is written can be read by every process
    return outcome


class _Sitting(Generic[ModelT]):
    """One call of `train`: it reads the saved state, makes steps, saves and rolls back."""

    def __init__(
        self,
        loss: Callable[[ModelT, int, torch.Generator], Tensor],
        state: TrainingState[ModelT],
        *,
        settings: Settings,
        name: str,
        file: StateFile,
        minutes: float | None,
        validate: Callable[[ModelT], dict[str, float]] | None,
        select: str | None,
    ) -> None:
        self.loss = loss
        self.state = state
        self.settings = settings
        self.name = name
        self.file = file
        self.minutes = minutes
        self.validate = validate
        self.select = select
        self._resume()
        self._remember()
        self.begun = time.monotonic()
        self.written = self.begun  # when the state was last written to the disk
        self.earlier_seconds = state.counters.seconds
        self.parameters = [p for p in state.model.parameters() if p.requires_grad]

    def make_steps(self, *, progress: bool) -> bool:
        """Make steps until all are made (True) or the time is over (False)."""
        counters = self.state.counters
        with tqdm(
            total=self.settings.steps,
            initial=counters.step,
            desc=self.name,
            unit="step",
            disable=not progress,
            mininterval=5,
        ) as bar:
            while counters.step < self.settings.steps:
                value, is_finite = self._gradients()
                if not is_finite:
                    lost = self._roll_back(value)
                    bar.update(-lost)
                    continue
                self._step()
                bar.update()
                if _is_due(counters.step, self.settings.validate_every):
                    self.validate_now()
                if _is_due(counters.step, self.settings.save_every):
                    numbers = {"loss": f"{value:.4g}"}
                    numbers |= {key: f"{metric:.4g}" for key, metric in counters.metrics.items()}
                    bar.set_postfix(numbers, refresh=False)
                    out_of_time = self._save()
                    if out_of_time and counters.step < self.settings.steps:
                        return False
        return True

    def validate_now(self) -> None:
        """Validate, and keep the weights as the best ones where they are."""
        assert self.validate is not None  # `train` has refused other calls
        counters = self.state.counters
        counters.metrics = self.state.evaluate(self.validate)
        if self.select is not None and counters.metrics[self.select] < counters.best:
            counters.best = counters.metrics[self.select]
            counters.best_step = counters.step
            counters.best_metrics = counters.metrics
            self.state.keep_as_best()

    def count_seconds(self) -> None:
        """Bring the seconds of all sittings up to now."""
        self.state.counters.seconds = self.earlier_seconds + time.monotonic() - self.begun

    def outcome(self, *, finished: bool) -> Outcome:
        """What `train` returns."""
        counters = self.state.counters
        return Outcome(finished, counters.step, counters.seconds, counters.metrics)

    def _gradients(self) -> tuple[Tensor, bool]:
        """Compute the loss and its gradients; return the loss and whether all is finite."""
        step = self.state.counters.step
        for group in self.state.optimizer.param_groups:
            group["lr"] = self.settings.rate(step) * 0.5**self.state.counters.rollbacks
        with self._precision():
            value = self.loss(self.state.model, step, step_generator(self.settings.seed, step))
        self.state.optimizer.zero_grad()
        torch.autograd.backward(value)
        parallel.average([value, *(p.grad for p in self.parameters if p.grad is not None)])
        norm = nn.utils.clip_grad_norm_(self.parameters, self.settings.clip or math.inf)
        value = value.detach()
        return value, bool(torch.isfinite(value + norm))

    def _precision(self) -> AbstractContextManager[None]:
        """What the loss is computed in: see `Settings.precision`."""
        low = self.settings.precision == "bfloat16"
        device = self.parameters[0].device.type
        return torch.autocast(device, torch.bfloat16, enabled=low)

    def _step(self) -> None:
        """Change the weights by the gradients, and their average by the weights."""
        step = self.state.counters.step
        self.state.optimizer.step()
        if self.settings.ema:
            # The average forgets faster early on, so that the first weights do not hold it back.
            decay = min(self.settings.ema, (step + 1) / (step + 10))
            self.state.update_average(decay)
        self.state.counters.step += 1

    def _roll_back(self, value: Tensor) -> int:
        """Return to the last saving with half the learning rate; the number of steps undone."""
        counters = self.state.counters
        counters.rollbacks += 1
        if counters.rollbacks > MOST_ROLLBACKS:
            raise TrainingDiverged(
                f"{self.name}: the loss is {value:.3g} at step {counters.step} although the "
                "learning rate was halved five times; begin with a smaller one than "
                f"{self.settings.learning_rate}"
            )
        self.state.restore(self.remembered)
        undone = counters.step - self.remembered_step
        counters.step = self.remembered_step
        # The best weights went back, too, so what was best must not be later than they are.
        best = self.remembered_best
        counters.best, counters.best_step, counters.best_metrics = best
        return undone

    def _save(self) -> bool:
        """Remember the state, and write it now and then; return whether the time is over.

        A rollback returns to what is remembered, which must not depend on the clock. So every
        saving remembers the state, and only its way to the disk depends on the time.
        """
        now = time.monotonic()
        out_of_time, must_write = parallel.agreed(
            self.minutes is not None and now - self.begun > 60 * self.minutes,
            now - self.written > SECONDS_BETWEEN_WRITES,
        )
        self._remember()
        if out_of_time or must_write:
            self.count_seconds()
            tensors = self.state.gather(self.remembered)
            if parallel.is_first():
                self.file.write(tensors, self.state.counters)
            self.written = time.monotonic()
        return out_of_time

    def _remember(self) -> None:
        counters = self.state.counters
        self.remembered = self.state.snapshot()
        self.remembered_step = counters.step
        self.remembered_best = (counters.best, counters.best_step, counters.best_metrics)

    def _resume(self) -> None:
        """Continue from the saved state, if there is one."""
        saved = self.file.read()
        if saved is None:
            return
        tensors, counters = saved
        for name in self.state.snapshot():
            if name not in tensors:
                raise checkpoints.CheckpointError(
                    f"{self.file.path} lacks {name}: it is of another version of this training; "
                    "delete it to start anew"
                )
        self.state.restore_gathered(tensors)
        self.state.counters = counters


def _is_due(step: int, every: int | None) -> bool:
    return every is not None and step % every == 0
