"""Records of several seeds condensed to the numbers that notebook 03 shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

__all__ = ["SAME_PLACE", "places", "settled_flags", "summary"]

Record = dict[str, Any]
SAME_PLACE = 0.01  # relative distance below which two iterations have ended at one answer


def summary(records: Sequence[Record]) -> dict[str, Any]:
    """The test error of one model over its seeds, as Table 5 gives it.

    error       mean over flows and seeds
    spread      standard deviation over seeds of the mean over flows; None for one seed
    std         mean over seeds of the standard deviation over flows
    by_seed     mean over flows, per seed
    seconds     of training, mean over seeds
    """
    errors = torch.tensor([record["errors"] for record in records])
    by_seed = errors.mean(1)
    return {
        "error": errors.mean(),
        "spread": by_seed.std() if len(records) > 1 else None,
        "std": errors.std(1).mean(),
        "seeds": len(records),
        "parameters": records[0]["parameters"],
        "by_seed": by_seed,
        "seconds": sum(record["train_seconds"] for record in records) / len(records),
    }


def places(record: Record) -> tuple[Tensor, dict[int, list[str]]]:
    """How far from y_T from zero the other starts end, from the ``apart`` of a `probe`.

    Returns (distances (starts, flows), {flow: names of the starts that end elsewhere}).
    """
    names = list(record["apart"])
    distances = torch.tensor([record["apart"][name] for name in names])
    elsewhere = {}
    for flow in (distances >= SAME_PLACE).any(0).nonzero().flatten().tolist():
        far = zip(names, (distances[:, flow] >= SAME_PLACE).tolist(), strict=True)
        elsewhere[flow] = [name for name, is_far in far if is_far]
    return distances, elsewhere


def settled_flags(records: Sequence[Record]) -> list[bool]:
    """Whether each power iteration settled, over all records that have local constants."""
    flags: list[bool] = []
    for record in records:
        if "local" in record:
            for row in record["local"]["settled"]:
                flags += row
    return flags
