"""All seeds of one model: a row of Table 1, from its records, and its curves along t."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, TypedDict, cast

import torch
from torch import Tensor

from equilibria import checkpoints
from equilibria.checks import require
from equilibria.files import DataError
from equilibria.problems.linear_programs import LinearPrograms
from equilibria.studies.linear_programs.measures import Network, along_t
from equilibria.studies.linear_programs.recipes import RECORDS, load, seeds
from equilibria.training.records import timed

__all__ = ["AllSeeds", "TableRow", "all_seeds_along_t", "table_row"]


class TableRow(TypedDict):
    """A row of Table 1.

    test            the mean error over programs and seeds, at t = 64 of an implicit model
    at_8            the same at the paper's t = 8, None for an explicit model
    train           the mean error on the training programs, from the models' cards
    spread          the standard deviation over the seeds, None for a single one
    seeds           how many there are
    instances_std   the standard deviation over the programs, averaged over the seeds
    parameters      the size of the model
    """

    test: float
    at_8: float | None
    train: float
    spread: float | None
    seeds: int
    instances_std: float
    parameters: int


def table_row(name: str) -> TableRow:
    """The row of one model, from the records of its seeds.

    Raises `DataError` where there is no record.
    """
    records: list[dict[str, Any]] = RECORDS.reports(name)
    if not records:
        raise DataError(f"{name} has no record: run `equilibria evaluate linear_programs`")
    implicit = "errors_64" in records[0]
    last = [record["errors_64"] if implicit else record["errors"] for record in records]
    errors = torch.tensor(last, dtype=torch.float64)  # (seeds, programs)
    means = errors.mean(1)
    at_8 = None
    if implicit:
        early = torch.tensor([record["errors_8"] for record in records], dtype=torch.float64)
        at_8 = early.mean().item()
    return {
        "test": means.mean().item(),
        "at_8": at_8,
        "train": _train_error(records),
        "spread": means.std().item() if len(means) > 1 else None,
        "seeds": len(means),
        "instances_std": errors.std(1).mean().item(),
        "parameters": records[0]["parameters"],
    }


def _train_error(records: list[dict[str, Any]]) -> float:
    """The mean of what the cards of these models say."""
    errors = []
    for record in records:
        card = checkpoints.read_card(RECORDS.stem(record["name"], seed=record["seed"]))
        errors.append(card["metrics"]["train_error"])
    return float(sum(errors)) / len(errors)


@dataclass(frozen=True)
class AllSeeds:
    """What `along_t` measured of every shipped seed of a model.

    curves    one result of `along_t` per seed
    seconds   how long the last seed took
    """

    curves: list[dict[str, list[float]]]
    seconds: float

    def mean_curves(self) -> dict[str, Tensor]:
        """The curves of `along_t`, averaged over the seeds, (steps,) each."""
        means = {}
        for name in self.curves[0]:
            over_seeds = torch.tensor([curve[name] for curve in self.curves])
            means[name] = over_seeds.mean(0)
        return means

    def mean_at_last(self, name: str) -> float:
        """The last value of one curve, averaged over the seeds."""
        return sum(curve[name][-1] for curve in self.curves) / len(self.curves)


def all_seeds_along_t(
    name: str, programs: LinearPrograms, *, steps: int, device: str = "cpu"
) -> AllSeeds:
    """`along_t` of every shipped seed of a model.

    Raises ValueError where no seed is shipped.
    """
    shipped = seeds(name)
    require(bool(shipped), "name", name, "a model that has been trained")
    curves = []
    for seed in shipped:
        model, _ = load(name, seed=seed)
        network = cast(Network, model.to(device))  # `load` promises only a module
        seconds, measured = timed(
            functools.partial(along_t, network, programs, steps=steps, device=device)
        )
        curves.append(measured)
    return AllSeeds(curves, seconds)
