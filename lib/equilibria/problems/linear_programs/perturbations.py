"""Perturbed programs for the Lipschitz protocol (paper, section 5.3)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from equilibria.checks import require, require_real
from equilibria.problems.linear_programs.programs import LinearPrograms

__all__ = ["KINDS", "perturb"]

KINDS = ("A", "b", "c", "l", "u")  # the inputs that the protocol perturbs, one at a time


def perturb(
    programs: LinearPrograms, kind: str, *, norm: float = 1e-4, seed: int
) -> LinearPrograms:
    """Copies whose input ``kind``, one of `KINDS`, is moved by ``norm`` in a random direction.

    Each program has a direction of its own; A moves on its stored entries alone. The labels stay
    those of the unperturbed programs: `solve` gives the new ones.
    """
    require(kind in KINDS, "kind", kind, f"one of {KINDS}")
    require_real("norm", norm, above=0)
    name = "values" if kind == "A" else kind
    field = programs.tensors()[name]
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    direction = torch.from_numpy(rng.normal(size=field.shape))
    moved = field + norm * direction / direction.norm(dim=1, keepdim=True)
    return replace(programs, **{name: moved})
