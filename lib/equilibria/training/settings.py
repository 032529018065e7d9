"""How a model is trained, and the random numbers of each step."""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from equilibria.checks import require

__all__ = ["Settings", "minibatch", "step_generator"]

PRECISIONS = ("float32", "bfloat16")
SCHEDULES = ("linear", "cosine", "constant")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to train: AdamW, a warm-up, then a learning rate that decays over all steps.

    steps           number of steps, > 0
    learning_rate   learning rate after the warm-up, > 0
    weight_decay    decoupled weight decay, >= 0
    clip            largest norm of the gradient, > 0; None does not clip
    warmup          steps in which the learning rate rises, >= 0
    schedule        "linear" and "cosine" decay to zero, "constant" does not decay
    ema             decay of the running average of the weights, in (0, 1). The average is then what
                    is validated and kept. None keeps the last weights.
    seed            seed of every random number of the loss, >= 0
    save_every      steps between two savings, > 0; each saving checks the time limit
    validate_every  steps between two validations, > 0; None validates at the end only
    precision       "float32", or "bfloat16": PyTorch's autocast then multiplies matrices in the
                    loss in bfloat16. Weights, their average, states between visits and validations
                    stay in float32. It is for models whose `rounding_residual` is small beside the
                    residuals that the training is to reach; their cards say so.

    Raises ValueError for a value out of its range.
    """

    steps: int
    learning_rate: float
    weight_decay: float = 0.0
    clip: float | None = None
    warmup: int = 0
    schedule: str = "linear"
    ema: float | None = None
    seed: int = 0
    save_every: int = 100
    validate_every: int | None = None
    precision: str = "float32"

    def __post_init__(self) -> None:
        for name in ("steps", "learning_rate", "save_every"):
            value = getattr(self, name)
            require(value > 0, name, value, "positive")
        for name in ("clip", "validate_every"):
            value = getattr(self, name)
            require(value is None or value > 0, name, value, "positive")
        for name in ("weight_decay", "warmup", "seed"):
            value = getattr(self, name)
            require(value >= 0, name, value, "at least 0")
        choices = ", ".join(SCHEDULES)
        require(self.schedule in SCHEDULES, "schedule", self.schedule, f"one of {choices}")
        choices = ", ".join(PRECISIONS)
        require(self.precision in PRECISIONS, "precision", self.precision, f"one of {choices}")
        ema_fits = self.ema is None or 0 < self.ema < 1
        require(ema_fits, "ema", self.ema, "above 0 and below 1")

    def declared(self) -> dict[str, Any]:
        """The settings by name, as cards show them: without the precision where it is float32."""
        settings = asdict(self)
        if self.precision == "float32":
            del settings["precision"]
        return settings

    def rate(self, step: int) -> float:
        """The learning rate of one step, 0 <= step < steps."""
        done = step / self.steps
        if self.schedule == "linear":
            decay = 1 - done
        elif self.schedule == "cosine":
            decay = 0.5 + 0.5 * math.cos(math.pi * done)
        else:
            decay = 1.0
        return self.learning_rate * decay * min(1.0, (step + 1) / (self.warmup + 1))


def minibatch(count: int, size: int, *, seed: int, step: int) -> Tensor:
    """The indices of one step's batch, (size,) int64 in [0, count).

    Each epoch is a fresh permutation that depends on (seed, epoch) alone. The end of an epoch that
    does not fill a batch is left out. Raises ValueError where ``size`` is larger than ``count``.
    """
    per_epoch = count // size
    require(per_epoch >= 1, "size", size, f"at most count = {count}")
    epoch, place = divmod(step, per_epoch)
    order = torch.randperm(count, generator=step_generator(seed, epoch, stream=1))
    return order[place * size : (place + 1) * size]


def step_generator(seed: int, step: int, *, stream: int = 0) -> torch.Generator:
    """The random numbers of one step: a CPU generator that depends on (seed, step, stream) alone.

    It is seeded by a digest, because neighbouring seeds give correlated streams in some generators.
    """
    digest = hashlib.sha256(f"{seed}/{step}/{stream}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))
