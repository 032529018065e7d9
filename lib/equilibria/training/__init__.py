"""Training: the loop, visits to warm states, and where trained models and records live."""

from equilibria.training.loop import (
    Outcome,
    Settings,
    TrainingDiverged,
    minibatch,
    saved_bytes,
    train,
)

__all__ = ["Outcome", "Settings", "TrainingDiverged", "minibatch", "saved_bytes", "train"]
