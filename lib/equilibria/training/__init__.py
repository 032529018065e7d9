"""Training: settings, device, the loop, visits to warm states, records of trained models."""

from equilibria.training.devices import default_device
from equilibria.training.loop import Outcome, TrainingDiverged, train
from equilibria.training.memory import saved_bytes
from equilibria.training.precision import rounding_residual
from equilibria.training.settings import Settings, minibatch, step_generator

__all__ = [
    "Outcome",
    "Settings",
    "TrainingDiverged",
    "default_device",
    "minibatch",
    "rounding_residual",
    "saved_bytes",
    "step_generator",
    "train",
]
