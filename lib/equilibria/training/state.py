"""All that a training needs to go on exactly where it stopped."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from equilibria.training.parallel import Rows, Sharded
from equilibria.training.settings import Settings

__all__ = ["Counters", "TrainingState"]

ModelT = TypeVar("ModelT", bound=nn.Module)
ResultT = TypeVar("ResultT")


@dataclass
class Counters:
    """The numbers of a training that are no tensors."""

    step: int = 0  # steps made
    seconds: float = 0.0  # time spent until the last saving, over all sittings
    rollbacks: int = 0  # times that the learning rate was halved
    best: float = math.inf  # smallest value of the metric that selects the weights
    best_step: int = 0  # the step of that validation
    best_metrics: dict[str, float] = field(default_factory=dict)  # all that it found
    metrics: dict[str, float] = field(default_factory=dict)  # the last validation

    def to_json(self) -> str:
        """The counters as text; infinity is written as Python's ``json`` writes it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Counters:
        """The counters that `to_json` wrote."""
        return cls(**json.loads(text, parse_constant=float))


class TrainingState(Generic[ModelT]):
    """Weights, their average, the best weights, Adam's moments, the memory of the loss, counters.

    model     the model in training
    memory    tensors that the loss changes in place between steps; may be spread over processes
    average   running average of the weights, by name; empty without ``settings.ema``
    best      weights of the best validation, by name; empty before there is one
    counters  see `Counters`
    """

    def __init__(self, model: ModelT, settings: Settings, memory: Mapping[str, Rows]) -> None:
        self.model = model
        self.memory = memory
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.average: dict[str, Tensor] = {}
        if settings.ema:
            self.average = _copies(model.state_dict())
        self.best: dict[str, Tensor] = {}
        self.counters = Counters()

    def snapshot(self) -> dict[str, Tensor]:
        """Copies of all tensors, by name: ``model/...``, ``average/...``, ``optimizer/0/...``.

        Of what is spread over the processes it has this process's rows.
        """
        groups: dict[str, Mapping[str, Tensor]] = {
            "model": self.model.state_dict(),
            "average": self.average,
            "memory": {name: _own(rows) for name, rows in self.memory.items()},
            "best": self.best,
        }
        for index, moments in self.optimizer.state_dict()["state"].items():
            groups[f"optimizer/{index}"] = {
                name: torch.as_tensor(moment) for name, moment in moments.items()
            }
        tensors = {}
        for group, members in groups.items():
            for name, tensor in members.items():
                tensors[f"{group}/{name}"] = tensor
        return _copies(tensors)

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to what `snapshot` returned; the counters stay as they are."""
        self.model.load_state_dict(_members(tensors, "model"))
        device = next(self.model.parameters()).device
        self.average = {
            name: tensor.clone().to(device) for name, tensor in _members(tensors, "average").items()
        }
        self.best = {name: tensor.clone() for name, tensor in _members(tensors, "best").items()}
        for name, tensor in _members(tensors, "memory").items():
            _own(self.memory[name]).copy_(tensor)
        moments: dict[int, dict[str, Tensor]] = {}
        for key, tensor in _members(tensors, "optimizer").items():
            index, name = key.split("/")
            moments.setdefault(int(index), {})[name] = tensor.clone()
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})

    def gather(self, snapshot: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """A present ``snapshot`` with all rows of what is spread over the processes."""
        spread = {
            f"memory/{name}": rows.gathered()
            for name, rows in self.memory.items()
            if isinstance(rows, Sharded)
        }
        return {**snapshot, **spread}

    def restore_gathered(self, tensors: Mapping[str, Tensor]) -> None:
        """Go back to what `gather` returned, in any number of processes."""
        own = {
            f"memory/{name}": rows.own_rows_of(tensors[f"memory/{name}"])
            for name, rows in self.memory.items()
            if isinstance(rows, Sharded)
        }
        self.restore({**tensors, **own})

    def update_average(self, decay: float) -> None:
        """Move the running average towards the weights: average <- decay average + (1-decay) w."""
        with torch.no_grad():
            for name, weight in self.model.state_dict().items():
                if weight.is_floating_point():
                    self.average[name].lerp_(weight, 1 - decay)
                else:
                    self.average[name].copy_(weight)

    def evaluate(self, function: Callable[[ModelT], ResultT]) -> ResultT:
        """``function(model)`` with the averaged weights, or the present ones without an average."""
        current = _copies(self.model.state_dict())
        self.model.load_state_dict(self.average or current)
        self.model.eval()
        try:
            return function(self.model)
        finally:
            self.model.load_state_dict(current)
            self.model.train()

    def keep_as_best(self) -> None:
        """Keep the weights that `evaluate` uses as the best ones, on the CPU."""
        weights = self.average or self.model.state_dict()
        self.best = {name: weight.detach().cpu().clone() for name, weight in weights.items()}

    def load_final_weights(self) -> None:
        """Give the model the weights that the training ends with: the best, averaged or last."""
        self.model.load_state_dict(self.best or self.average or self.model.state_dict())
        self.model.eval()


def _own(rows: Rows) -> Tensor:
    """The rows that lie with this process."""
    return rows.own if isinstance(rows, Sharded) else rows


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def _members(tensors: Mapping[str, Tensor], group: str) -> dict[str, Tensor]:
    """The tensors of one group, without the group in their names."""
    prefix = group + "/"
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
