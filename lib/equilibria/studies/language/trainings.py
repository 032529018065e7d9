"""One training of a model by name. No training reads test questions, nor does its validation."""

from __future__ import annotations

from equilibria import splits, training
from equilibria.studies.language import reasoning
from equilibria.studies.language.models import RECORDS, new
from equilibria.studies.language.reasoning import training as reasoning_training

__all__ = ["train"]


@splits.trains
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
    device = device or training.default_device()
    task, _, kind = name.partition("-")
    steps = reasoning_training.STEPS[profile][task]
    curriculum = reasoning.Curriculum(task, kind, steps, device)
    settings = training.Settings(
        steps=steps,
        learning_rate=1e-3,
        weight_decay=0.01,
        clip=1.0,
        warmup=20,
        ema=0.99,
        seed=seed,
        schedule="linear",
        save_every=10 if profile == "quick" else 50,
    )
    return RECORDS.train(
        name,
        new(name, profile=profile, seed=seed),
        curriculum.loss,
        settings=settings,
        profile=profile,
        device=device,
        minutes=minutes,
        memory=curriculum.memory,
        validate=curriculum.validate,
    )
