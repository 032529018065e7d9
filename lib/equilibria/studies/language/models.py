"""The models of the study: their names, untrained ones, and the trained ones by their cards."""

from __future__ import annotations

from typing import Any

import torch

from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.studies.language import reasoning
from equilibria.training.records import CaseRecords

__all__ = ["RECORDS", "load", "names", "new", "reports", "seeds"]


def names(profile: str) -> list[str]:
    """The models that can be trained; they are the same in every profile."""
    return list(reasoning.NAMES)


def new(name: str, *, profile: str = "paper", seed: int = 0) -> LoopedTransformer:
    """An untrained model by name, such as "parity-stack"; every profile has the same.

    Seeds PyTorch's global generator.
    """
    torch.manual_seed(seed)
    return reasoning.new(name)


def _untrained(name: str, profile: str) -> LoopedTransformer:
    return new(name, profile=profile)


RECORDS = CaseRecords("language", "paper", _untrained)
reports = RECORDS.reports
seeds = RECORDS.seeds


def load(
    name: str, *, seed: int = 0, profile: str | None = None
) -> tuple[LoopedTransformer, dict[str, Any]]:
    """(model in evaluation mode, card) of a finished training; profile None: the shipped one.

    Raises CheckpointError when it is missing, damaged or another model's.
    """
    model, card = RECORDS.load(name, seed=seed, profile=profile)
    if not isinstance(model, LoopedTransformer):
        raise TypeError(f"{name} must be a LoopedTransformer, got {type(model).__name__}")
    return model, card
