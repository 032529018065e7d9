"""What finished models do on the test questions, recorded."""

from __future__ import annotations

from equilibria.studies.language import reasoning
from equilibria.studies.language.models import RECORDS, load, names
from equilibria.training import default_device
from equilibria.training.records import Record, header

__all__ = ["evaluate", "evaluate_all"]


def evaluate_all(*, profile: str, minutes: float | None = None, device: str | None = None) -> bool:
    """Record every finished model whose record is missing or belongs to other weights.

    Stops after ``minutes``; the same call goes on. True when all records are there.
    """
    return RECORDS.record(
        names(profile),
        evaluate,
        profile=profile,
        minutes=minutes,
        device=device or default_device(),
    )


def evaluate(
    name: str, *, seed: int, profile: str = "paper", count: int | None = None, device: str = "cpu"
) -> Record:
    """The record of one finished model: what `reasoning.accuracy_record` returns, and its card.

    ``count`` limits the questions of each length.
    """
    model, card = load(name, seed=seed, profile=profile)
    model.to(device)
    about = header(name, seed, profile, card) | {"metrics": card["metrics"]}
    return about | reasoning.accuracy_record(model, name, count=count)
