"""Reasoning with a looped transformer: what is trained, and what notebook 05 measures.

=============  ====================================================================
`reasoning`    running parity and running sums, where right and wrong are known, and
               so is the Lipschitz constant of the target (paper, section 5.4)
`senses`       definitions of ambiguous words (paper, Table 2, Figs. 8-9)
`loops`        what is measured of any looped model
`asking`       a question in one's own words, also to Huginn
=============  ====================================================================

The profile ``quick`` trains for a few steps, to try the machinery out; ``paper`` is what is
shipped. The notebook reads from the records, which `evaluate_all` writes, what it cannot compute
again within its minutes.
"""

from __future__ import annotations

from typing import Any

import torch

from equilibria import training
from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.studies.language import loops, reasoning, senses
from equilibria.studies.language.reasoning import training as reasoning_training
from equilibria.studies.language.reasoning.records import accuracy_record
from equilibria.studies.language.senses import training as senses_training
from equilibria.studies.language.senses.records import answer_record, unpacked
from equilibria.training.records import CaseRecords

__all__ = [
    "RECORDS",
    "evaluate",
    "evaluate_all",
    "load",
    "loops",
    "names",
    "new",
    "reasoning",
    "reports",
    "seeds",
    "senses",
    "train",
]


def names(profile: str) -> list[str]:
    """The models that can be trained; they are the same in every profile."""
    return [*reasoning.NAMES, *senses.NAMES]


def new(name: str, *, profile: str = "paper", seed: int = 0) -> LoopedTransformer:
    """An untrained model by name, such as "parity-stack"; every profile has the same.

    Seeds PyTorch's global generator.
    """
    torch.manual_seed(seed)
    if name in reasoning.NAMES:
        return reasoning.new(name)
    return senses.new(name)


def _untrained(name: str, profile: str) -> LoopedTransformer:
    return new(name, profile=profile)


RECORDS = CaseRecords("language", "paper", _untrained)
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


def train(
    name: str,
    *,
    profile: str,
    seed: int = 0,
    minutes: float | None = None,
    device: str | None = None,
) -> training.Outcome:
    """Train one model of `names`, or go on where an earlier call stopped after ``minutes``.

    The finished weights go to ``data/checkpoints/language/NAME-seedN``; the state of an unfinished
    training lies in ``data/trainings``. ``device`` None is a GPU where there is one.
    """
    device = device or _device()
    task, _, kind = name.partition("-")
    lessons: reasoning.Curriculum | senses.Lessons
    if name in reasoning.NAMES:
        steps = reasoning_training.STEPS[profile][task]
        lessons = reasoning.Curriculum(task, kind, steps, device)
        schedule, memory = "linear", lessons.memory
    else:
        steps = senses_training.STEPS[profile]
        lessons = senses.Lessons(kind, seed, device)
        schedule, memory = "cosine", {}
    settings = training.Settings(
        steps=steps,
        learning_rate=1e-3,
        weight_decay=0.01,
        clip=1.0,
        warmup=20,
        ema=0.99,
        seed=seed,
        schedule=schedule,
        save_every=10 if profile == "quick" else 50,
    )
    return RECORDS.train(
        name,
        new(name, profile=profile, seed=seed),
        lessons.loss,
        settings=settings,
        profile=profile,
        device=device,
        minutes=minutes,
        memory=memory,
        validate=lessons.validate,
    )


def evaluate_all(*, profile: str, minutes: float | None = None, device: str | None = None) -> bool:
    """Record every finished model whose record is missing or belongs to other weights.

    Stops after ``minutes``; the same call goes on. True when all records are there.
    """
    return RECORDS.record(
        names(profile), evaluate, profile=profile, minutes=minutes, device=device or _device()
    )


def evaluate(
    name: str, *, seed: int, profile: str = "paper", count: int | None = None, device: str = "cpu"
) -> dict[str, Any]:
    """The record of one finished model; ``count`` limits the questions of each kind.

    For a reasoning task it holds what `reasoning.accuracy_record` returns, for the senses what
    `senses.records.answer_record` returns.
    """
    model, card = load(name, seed=seed, profile=profile)
    model.to(device)
    header = {
        "name": name,
        "seed": seed,
        "profile": profile,
        "sha256": card["sha256"],
        "parameters": card["parameters"],
        "train_seconds": card["seconds"],
        "metrics": card["metrics"],
    }
    if name in reasoning.NAMES:
        return header | accuracy_record(model, name, count=count)
    return header | answer_record(model, name, count=count)


def reports(name: str, *, profile: str = "paper") -> list[dict[str, Any]]:
    """The records of every seed of a model, whether its weights are at hand or not.

    Answers hold their texts themselves, see `senses.records.unpacked`.
    """
    records = RECORDS.reports(name, profile=profile)
    if name in senses.NAMES:
        return [unpacked(record) for record in records]
    return records


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"
