"""All seeds of one model: a row of Table 1, and its curves along t."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from equilibria.checks import require
from equilibria.problems.linear_programs import LinearPrograms
from equilibria.studies.linear_programs.measures import Network, along_t
from equilibria.studies.linear_programs.recipes import load, seeds

__all__ = ["AllSeeds", "all_seeds_along_t"]


@dataclass(frozen=True)
class AllSeeds:
    """What `along_t` measured of every shipped seed of a model.

    curves    one result of `along_t` per seed
    cards     the card of each seed's weights
    seconds   how long the last seed took
    """

    curves: list[dict[str, list[float]]]
    cards: list[dict[str, Any]]
    seconds: float

    def mean_curves(self) -> dict[str, Tensor]:
        """The curves of `along_t`, averaged over the seeds, (steps,) each."""
        return {
            name: torch.tensor([curve[name] for curve in self.curves]).mean(0)
            for name in self.curves[0]
        }

    def mean_at_last(self, name: str) -> float:
        """The last value of one curve, averaged over the seeds."""
        return sum(curve[name][-1] for curve in self.curves) / len(self.curves)

    def table_row(self) -> dict[str, Tensor | float | None]:
        """A row of Table 1, measured at the last iteration.

        test, train     the mean error over the seeds; the training error is that of the cards
        spread          the standard deviation over the seeds, None for a single one
        seeds           how many there are
        instances_std   the standard deviation over the programs, averaged over the seeds
        parameters      the size of the model
        worst_of_best   the last error over the smallest along t, of the seed where it is largest
        """
        last = torch.tensor([curve["mean"][-1] for curve in self.curves])
        rises = [curve["mean"][-1] / min(curve["mean"]) for curve in self.curves]
        train_errors = [card["metrics"]["train_error"] for card in self.cards]
        return {
            "test": last.mean(),
            "spread": last.std() if len(last) > 1 else None,
            "instances_std": torch.tensor([curve["std"][-1] for curve in self.curves]).mean(),
            "seeds": len(last),
            "train": torch.tensor(train_errors).mean(),
            "parameters": self.cards[0]["parameters"],
            "worst_of_best": max(rises),
        }


def all_seeds_along_t(
    name: str, programs: LinearPrograms, *, steps: int, device: str = "cpu"
) -> AllSeeds:
    """`along_t` of every shipped seed of a model.

    Raises ValueError where no seed is shipped.
    """
    shipped = seeds(name)
    require(bool(shipped), "name", name, "a model that has been trained")
    curves, cards = [], []
    for seed in shipped:
        model, card = load(name, seed=seed)
        network = cast(Network, model)  # `load` knows it as a module alone
        begun = time.perf_counter()
        curves.append(along_t(network.to(device), programs, steps=steps, device=device))
        seconds = time.perf_counter() - begun
        cards.append(card)
    return AllSeeds(curves, cards, seconds)
