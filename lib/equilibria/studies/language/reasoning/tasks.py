"""The reasoning tasks and their models.

===============  ==========================================================================
``parity``       running parity of up to 16 symbols: one small block in a loop,
                 z <- norm(block(z + x)) from z_0 = 0
``parity-once``  the same block, applied once
``parity-stack`` an untied stack of 16 such blocks, as deep as the loop of the longest question
``sums``         running sums modulo 5, by the same loop
===============  ==========================================================================
"""

from __future__ import annotations

import torch

from equilibria.operators.looped_transformer import Architecture, LoopedTransformer
from equilibria.problems.reasoning import Questions, running_sums

__all__ = ["LONGEST", "NAMES", "TASKS", "new", "questions"]

NAMES = ("parity", "parity-once", "parity-stack", "sums")
TASKS = {"parity": 2, "sums": 5}  # name: modulus
LONGEST = 16  # symbols in training


def questions(task: str, count: int, length: int, *, generator: torch.Generator | int) -> Questions:
    """``count`` questions of ``length`` symbols of a task, "parity" or "sums"."""
    return running_sums(count, length, modulus=TASKS[task], generator=generator)


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
