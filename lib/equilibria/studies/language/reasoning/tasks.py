"""The reasoning tasks and their models.

================  =========================================================================
``parity``        running parity of up to 16 symbols: one small block in a loop,
                  z <- norm(block(z + x)) from z_0 = 0
``parity-once``   the same block, applied once
``parity-stack``  an untied stack of 16 such blocks, as deep as the loop of the longest question
``sums``          running sums modulo 5, by the same loop
================  =========================================================================

Questions come in three splits. Training draws them from the generators of its steps; validation
and test have seeds of their own. There are few short questions, so a test question of 16 symbols
or fewer may well have been in the training; longer ones are longer than any in the training.
"""

from __future__ import annotations

import torch

from equilibria.checks import is_int, require
from equilibria.operators.looped_transformer import Architecture, LoopedTransformer
from equilibria.problems.reasoning import Questions, running_sums
from equilibria.splits import reading_test_data

__all__ = [
    "LONGEST",
    "NAMES",
    "TASKS",
    "new",
    "questions",
    "test_questions",
    "validation_questions",
]

NAMES = ("parity", "parity-once", "parity-stack", "sums")
TASKS = {"parity": 2, "sums": 5}  # name: modulus
LONGEST = 16  # symbols in training
_VALIDATION_SEED = 2**40  # no seed of test questions is as large


def questions(task: str, count: int, length: int, *, generator: torch.Generator) -> Questions:
    """``count`` questions of ``length`` symbols of a task, "parity" or "sums", for training."""
    return running_sums(count, length, modulus=TASKS[task], generator=generator)


def validation_questions(task: str, count: int, length: int) -> Questions:
    """``count`` questions for the choices of a training; they are always the same."""
    return running_sums(count, length, modulus=TASKS[task], generator=_VALIDATION_SEED)


def test_questions(task: str, count: int, length: int, *, seed: int = 1) -> Questions:
    """``count`` questions, only for evaluation; the records ask those of seed 1.

    Raises SplitError while a training runs, and ValueError for the seed of the validation.
    """
    reading_test_data(f"test questions of {task}")
    valid = is_int(seed) and 0 <= seed < _VALIDATION_SEED
    require(valid, "seed", seed, f"an int of at least 0 and below {_VALIDATION_SEED}")
    return running_sums(count, length, modulus=TASKS[task], generator=seed)


def new(name: str) -> LoopedTransformer:
    """An untrained model of one of NAMES; draws from the global generator."""
    task, _, kind = name.partition("-")
    return LoopedTransformer(
        Architecture(
            vocabulary=TASKS[task] + 1,
            width=64,
            heads=4,
            hidden=168,
            prelude=0,
            core=LONGEST if kind == "stack" else 1,
            coda=0,
            context=2048,
            injection="add",
            positions="distance",
            norms="pre",
            state_norm=True,
            tied=False,
        )
    )
