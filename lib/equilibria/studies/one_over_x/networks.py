"""The networks of the learned toy: sizes, bounds, and where the trained ones live.

Explicit and implicit networks learn 1/x on [0.1, 1] under the Lipschitz bounds 5, 10, 15 and 20
(section 1 of the paper), each with seeds 0, 1 and 2; they are the same in every profile. The paper
leaves details open, which are our choice: the explicit network has three hidden layers of 1024
units, the implicit one two of 256, and the modulus of the implicit operator in y is at most 0.96,
so that its equilibrium exists and may be L / 0.04 steep.

Implicit weights ship in ``data/checkpoints/one_over_x``. Explicit weights are 8 MB each: only what
was measured after their trainings ships.
"""

from __future__ import annotations

import json
import math
from typing import Any, TypedDict, cast

import torch
from torch import Tensor

from equilibria import checkpoints
from equilibria.operators.bounded_mlp import BoundedMLP
from equilibria.training.records import CaseRecords

__all__ = [
    "BOUNDS",
    "MODULUS",
    "NEAR",
    "RECORDS",
    "SEEDS",
    "Measurements",
    "explicit_results",
    "inputs",
    "load",
    "names",
    "new",
    "without_contraction",
]

BOUNDS = (5, 10, 15, 20)  # Lipschitz bounds in x, of the explicit network and of the operator
SEEDS = (0, 1, 2)
NEAR = 0.1  # the toy's domain is [NEAR, 1]
MODULUS = 0.96  # bound on the modulus of the implicit operator


class Measurements(TypedDict):
    """What was measured of one network; one entry per t, a single entry for an explicit network."""

    sup_error: list[float]  # the largest |y - 1/x|
    mean_relative_error: list[float]  # the mean of |x y - 1|
    steepest: list[float]  # the largest difference ratio |dy| / |dx| of neighbouring points
    curve: list[list[float]]  # y at every second point


def names(profile: str) -> list[str]:
    """The networks that can be trained, such as "implicit-5"; the same in every profile."""
    return [f"{kind}-{bound}" for kind in ("explicit", "implicit") for bound in BOUNDS]


def inputs(count: int) -> Tensor:
    """Points from NEAR to 1 with equal ratios, (count, 1) float32."""
    return torch.logspace(math.log10(NEAR), 0, count, dtype=torch.float64)[:, None].float()


def new(name: str, *, profile: str = "quick", seed: int = 0) -> BoundedMLP:
    """An untrained network by name: explicit N(x), or implicit N(y, x) with |dN/dy| <= MODULUS.

    The seed draws its weights. The sizes do not depend on the profile.
    """
    kind, bound = name.split("-")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if kind == "explicit":
            return BoundedMLP([float(bound)], width=1024, layers=2, spans=[(NEAR, 1)])
        limits = [MODULUS, float(bound)]
        return BoundedMLP(limits, width=256, layers=1, spans=[(0, 1 / NEAR), (NEAR, 1)])


def _untrained(name: str, profile: str) -> BoundedMLP:
    return new(name, profile=profile)


RECORDS = CaseRecords("one_over_x", shipped="quick", new=_untrained, one_profile=True)


def load(name: str, *, seed: int) -> tuple[BoundedMLP, dict[str, Any]]:
    """The network and the card of a shipped implicit training.

    Raises CheckpointError when either is missing, damaged or another network's.
    """
    model, card = RECORDS.load(name, seed=seed)
    return cast(BoundedMLP, model), card  # which `new` made


def explicit_results(name: str, *, seed: int) -> Measurements:
    """What was measured after an explicit training.

    Raises CheckpointError when the file is missing or damaged.
    """
    path = RECORDS.stem(name, seed=seed).with_suffix(".json")
    try:
        results: Measurements = json.loads(path.read_text(encoding="utf-8"))["results"]
    except (OSError, ValueError, KeyError) as error:
        raise checkpoints.CheckpointError(
            f"{path} is missing or damaged ({error}): "
            f"run `equilibria train one_over_x/{name} --seed {seed}`"
        ) from error
    return results


def without_contraction(model: BoundedMLP, modulus: float) -> BoundedMLP:
    """The same network, changed in place, with |dN/dy| <= `modulus`.

    Where the modulus may exceed 1, an equilibrium need not exist.
    """
    model.limits = (modulus, *model.limits[1:])
    return model
