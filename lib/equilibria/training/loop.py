"""One training loop for every model: resumes exactly, stops at a time limit, guards against divergence.

Whatever a step draws comes from a generator seeded by (seed, step), so a run that was killed and continued ends in the
same weights as one that was not.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from equilibria import checkpoints

__all__ = ["Outcome", "Settings", "TrainingDiverged", "minibatch", "saved_bytes", "train"]


class TrainingDiverged(RuntimeError):
    """The loss stayed non-finite although the learning rate was halved several times."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How to train: Adam, warm-up, then a decay of the learning rate to zero over `steps`.

    learning_rate > 0; weight_decay >= 0 (decoupled); clip: largest gradient norm, None for no clipping;
    schedule "linear", "cosine" or "constant"; ema: decay of the running average of the weights, which is then what is
    validated and kept, None for the last weights; save_every: steps between savings (a time limit is seen there).
    Raises ValueError for values out of range.
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

    def __post_init__(self):
        positive = {
            "steps": self.steps,
            "learning_rate": self.learning_rate,
            "save_every": self.save_every,
        }
        positive |= {
            k: v
            for k, v in (("clip", self.clip), ("validate_every", self.validate_every))
            if v is not None
        }
        for name, value in positive.items():
            if not value > 0:
                raise ValueError(f"{name} must be positive, got {value!r}")
        for name in ("weight_decay", "warmup", "seed"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)!r}")
        if self.schedule not in ("linear", "cosine", "constant"):
            raise ValueError(
                f"schedule must be 'linear', 'cosine' or 'constant', got {self.schedule!r}"
            )
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"ema must lie in (0, 1), got {self.ema!r}")

    def rate(self, step: int) -> float:
        """The learning rate of one step."""
        done = step / self.steps
        decay = {
            "linear": 1 - done,
            "cosine": 0.5 + 0.5 * math.cos(math.pi * done),
            "constant": 1.0,
        }[self.schedule]
        return self.learning_rate * decay * min(1.0, (step + 1) / (self.warmup + 1))


@dataclass(frozen=True)
class Outcome:
    """finished: all steps were made; step: how many; seconds: over all sittings; metrics: the last validation."""

    finished: bool
    step: int
    seconds: float
    metrics: dict[str, float]


def minibatch(count: int, size: int, *, seed: int, step: int) -> Tensor:
    """Indices of the batch of one step: every epoch is a fresh permutation, a function of (seed, epoch) alone.
    The remainder of an epoch that does not fill a batch is left out.
    """
    per_epoch = count // size
    if per_epoch < 1:
        raise ValueError(f"size must be at most count = {count}, got {size}")
    epoch, place = divmod(step, per_epoch)
    order = torch.randperm(count, generator=_generator(seed, epoch, stream=1))
    return order[place * size : (place + 1) * size]


def _generator(seed: int, step: int, stream: int = 0) -> torch.Generator:
    # Neighbouring integers make correlated streams in some generators; a digest does not.
    digest = hashlib.sha256(f"{seed}/{step}/{stream}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "big"))


class _State:
    """All that a resumed run needs: weights, their average, Adam's moments, the loss's own memory, counters."""

    def __init__(self, model: nn.Module, settings: Settings, memory: dict[str, Tensor]):
        self.model, self.settings, self.memory = model, settings, memory
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.average = (
            {k: v.detach().clone() for k, v in model.state_dict().items()} if settings.ema else {}
        )
        self.best: dict[str, Tensor] = {}
        self.counters = {"step": 0, "seconds": 0.0, "rollbacks": 0, "best": math.inf, "metrics": {}}

    def tensors(self) -> dict[str, Tensor]:
        flat = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        flat |= {f"average/{k}": v for k, v in self.average.items()} | {
            f"memory/{k}": v for k, v in self.memory.items()
        }
        flat |= {f"best/{k}": v for k, v in self.best.items()}
        for i, moments in self.optimizer.state_dict()["state"].items():
            flat |= {f"optimizer/{i}/{k}": torch.as_tensor(v) for k, v in moments.items()}
        return flat

    def restore(self, flat: dict[str, Tensor]) -> None:
        part = lambda name: {
            k.removeprefix(name + "/"): v for k, v in flat.items() if k.startswith(name + "/")
        }
        self.model.load_state_dict(part("model"))
        device = next(self.model.parameters()).device
        self.average = {k: v.clone().to(device) for k, v in part("average").items()}
        self.best = {k: v.clone() for k, v in part("best").items()}
        for k, v in part("memory").items():
            self.memory[k].copy_(v)
        moments: dict[int, dict[str, Tensor]] = {}
        for k, v in part("optimizer").items():
            i, name = k.split("/")
            moments.setdefault(int(i), {})[name] = v.clone()
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})

    def evaluated(self, function):
        """Call function(model) with the weights that will be kept: the average where there is one."""
        current = {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.average or current)
        self.model.eval()
        try:
            return function(self.model)
        finally:
            self.model.load_state_dict(current)
            self.model.train()


def train(
    model: nn.Module,
    loss: Callable[[nn.Module, int, torch.Generator], Tensor],
    *,
    settings: Settings,
    stem: str | Path,
    card: dict | None = None,
    memory: dict[str, Tensor] | None = None,
    minutes: float | None = None,
    validate: Callable[[nn.Module], dict[str, float]] | None = None,
    select: str | None = None,
    state_folder: str | Path | None = None,
    progress: bool = True,
) -> Outcome:
    """Train `model` in place and write `stem`.safetensors and its card once all steps are made.

    loss(model, step, generator) -> scalar; all its randomness comes from `generator` (a CPU generator) or from `step`.
    memory: tensors that the loss keeps between steps (changed in place), saved and restored with the rest.
    validate(model) -> metrics, called every `settings.validate_every` steps and at the end, with the averaged weights where
    `settings.ema` is set; `select` names the metric whose smallest value decides which weights are kept (a *validation*
    set's; None keeps the last). minutes: stop at the next saving after that long and report `finished=False`; the same
    call continues. The state lies in `state_folder` (default: beside the stem) as NAME.state.safetensors until the end.

    Raises CheckpointError when the saved state is damaged or was made with other settings, TrainingDiverged when the loss
    is non-finite again after the learning rate was halved five times (each time from the last saved state), ValueError
    for minutes <= 0 or a missing validation.
    """
    if minutes is not None and not minutes > 0:
        raise ValueError(f"minutes must be positive, got {minutes!r}")
    if (select or settings.validate_every) and validate is None:
        raise ValueError("validate must be given with select or validate_every")
    stem = Path(stem)
    path = Path(state_folder or stem.parent) / f"{stem.name}.state.safetensors"
    recipe = json.dumps({"settings": asdict(settings), "card": card}, sort_keys=True, default=str)
    state = _State(model, settings, memory if memory is not None else {})
    if path.exists():
        tensors, metadata = checkpoints.read_tensors(path)
        if metadata.get("recipe") != recipe:
            raise checkpoints.CheckpointError(
                f"{path} belongs to a training with other settings; delete it to start anew"
            )
        state.restore(tensors)
        state.counters = json.loads(metadata["counters"], parse_constant=float)
    counters = state.counters
    saved = {k: v.detach().clone() for k, v in state.tensors().items()}
    saved_step = counters["step"]
    begun, earlier = time.monotonic(), counters["seconds"]
    parameters = [p for p in model.parameters() if p.requires_grad]
    model.train()

    def look():
        counters["metrics"] = state.evaluated(validate)
        if select is not None and counters["metrics"][select] < counters["best"]:
            counters["best"] = counters["metrics"][select]
            state.best = {
                k: v.detach().cpu().clone()
                for k, v in (state.average or model.state_dict()).items()
            }

    def save():
        nonlocal saved, saved_step
        saved, saved_step = (
            {k: v.detach().clone() for k, v in state.tensors().items()},
            counters["step"],
        )
        counters["seconds"] = earlier + time.monotonic() - begun
        checkpoints.write_tensors(path, saved, {"recipe": recipe, "counters": json.dumps(counters)})

    bar = tqdm(
        total=settings.steps,
        initial=counters["step"],
        desc=stem.name,
        unit="step",
        disable=not progress,
        mininterval=5,
    )
    with bar:
        written = begun
        while counters["step"] < settings.steps:
            step = counters["step"]
            for group in state.optimizer.param_groups:
                group["lr"] = settings.rate(step) * 0.5 ** counters["rollbacks"]
            value = loss(model, step, _generator(settings.seed, step))
            state.optimizer.zero_grad()
            value.backward()
            norm = nn.utils.clip_grad_norm_(parameters, settings.clip or math.inf)
            if not torch.isfinite(value.detach() + norm):
                counters["rollbacks"] += 1
                if counters["rollbacks"] > 5:
                    raise TrainingDiverged(
                        f"{stem.name}: the loss is {value.detach():.3g} at step {step} although the learning rate "
                        f"was halved five times; begin with a smaller one than {settings.learning_rate}"
                    )
                state.restore(saved)
                bar.update(saved_step - step)
                counters["step"] = saved_step
                continue
            state.optimizer.step()
            if settings.ema:
                decay = min(settings.ema, (step + 1) / (step + 10))  # early on, a shorter memory
                with torch.no_grad():
                    for name, weight in model.state_dict().items():
                        if weight.is_floating_point():
                            state.average[name].lerp_(weight, 1 - decay)
                        else:
                            state.average[name].copy_(weight)
            counters["step"] += 1
            bar.update()
            if settings.validate_every and counters["step"] % settings.validate_every == 0:
                look()
            if counters["step"] % settings.save_every == 0:
                bar.set_postfix(
                    loss=f"{value.detach():.4g}",
                    **{k: f"{v:.4g}" for k, v in counters["metrics"].items()},
                    refresh=False,
                )
                out_of_time = minutes is not None and time.monotonic() - begun > 60 * minutes
                if out_of_time or time.monotonic() - written > 30:
                    save()
                    written = time.monotonic()
                else:  # what a rollback returns to must not depend on the clock
                    saved, saved_step = (
                        {k: v.detach().clone() for k, v in state.tensors().items()},
                        counters["step"],
                    )
                if out_of_time and counters["step"] < settings.steps:
                    return Outcome(
                        False, counters["step"], counters["seconds"], counters["metrics"]
                    )
    if validate is not None:
        look()
    seconds = earlier + time.monotonic() - begun
    model.load_state_dict(state.best or state.average or model.state_dict())
    model.eval()
    checkpoints.save(
        stem,
        model,
        {
            **(card or {}),
            "training": asdict(settings),
            "seed": settings.seed,
            "seconds": round(seconds, 1),
            "metrics": counters["metrics"],
        },
    )
    path.unlink(missing_ok=True)
    return Outcome(True, settings.steps, seconds, counters["metrics"])


def saved_bytes(compute: Callable[[], Tensor], model: nn.Module | None = None) -> int:
    """Bytes that autograd keeps for the backward pass of compute() -> scalar, each storage once, but for the weights of `model`: the
    training memory of a step. Independent of the allocator, so the same on every run.
    """
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()} if model else set()
    kept: dict[int, torch.UntypedStorage] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in weights:
            kept[tensor.untyped_storage().data_ptr()] = (
                tensor.untyped_storage()
            )  # held, so that no address is used twice
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        compute()
    return sum(storage.nbytes() for storage in kept.values())
