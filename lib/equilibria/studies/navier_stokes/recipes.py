"""Which models the study trains, on which flows, and where the finished ones are kept.

``implicit``, ``explicit``  the same weights, iterated or used once
``depth-K``                 K untied explicit blocks: the FNO++ of Table 5 by depth; ``explicit`` is
                            its depth 1
``width-W``                 one wider explicit block: FNO++ by width
``unrolled``                the trap, shown on purpose: the implicit network without damping,
                            trained by plain back-propagation through its first iterations

All have the input injected. In the profile ``quick`` the flows are of the regime ``unique`` on
64 x 64 points and the network is smaller, so that one CPU core trains it; weights of seed 0 of
``implicit``, ``explicit`` and ``unrolled`` are shipped, and records of all. ``paper`` has the
published network and 128 x 128 points; there ``implicit`` and ``explicit`` are of the regime
``published``, ``implicit-unique`` and ``explicit-unique`` of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch

from equilibria import splits
from equilibria.checks import require
from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO
from equilibria.problems import flow_data
from equilibria.problems.flow_data import Flows
from equilibria.training.records import CaseRecords

__all__ = [
    "DEPTHS",
    "RECIPES",
    "RECORDS",
    "SEED_OF_TEST",
    "SEED_OF_TRAINING",
    "WIDTHS",
    "Model",
    "Recipe",
    "load",
    "names",
    "new",
    "regime_of",
    "reports",
    "seeds",
    "test_set",
]

Model = ExplicitFNO | ImplicitFNO

DEPTHS = {"quick": (2, 4, 8), "paper": (2, 4, 8, 16, 32)}
WIDTHS = {"quick": (28, 40), "paper": (64, 128, 256)}
# seeds of the flows; a model's own seed draws its weights and its batches
SEED_OF_TRAINING, SEED_OF_TEST = 0, 1


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a profile trains.

    width, modes   of the network
    regime         of the flows
    n, coarse      points per side of the full and of the coarse grid
    train, test    flows of each kind
    batch          flows per step
    pool           flows that keep their states
    steps          per kind of model: (all steps, how many of them, the last ones, on the full grid)
    learning_rate  of Adam, at its largest
    """

    width: int
    modes: int
    regime: str
    n: int
    coarse: int
    train: int
    test: int
    batch: int
    pool: int
    steps: dict[str, tuple[int, int]]
    learning_rate: float


RECIPES = {
    "quick": Recipe(
        width=20,
        modes=8,
        regime="unique",
        n=64,
        coarse=32,
        train=1500,
        test=200,
        batch=16,
        pool=128,
        learning_rate=2e-3,
        steps={"implicit": (5400, 160), "explicit": (12000, 1800), "unrolled": (1500, 50)},
    ),
    "paper": Recipe(
        width=32,
        modes=12,
        regime="published",
        n=128,
        coarse=64,
        train=4500,
        test=500,
        batch=16,
        pool=512,
        learning_rate=2e-3,
        steps={"implicit": (60000, 6000), "explicit": (60000, 9000), "unrolled": (4000, 400)},
    ),
}


def names(profile: str) -> list[str]:
    """The models that can be trained in a profile."""
    listed = ["implicit", "explicit"]
    if profile == "paper":
        listed += ["implicit-unique", "explicit-unique"]
    listed += [f"depth-{depth}" for depth in DEPTHS[profile]]
    listed += [f"width-{width}" for width in WIDTHS[profile]]
    return [*listed, "unrolled"]


def regime_of(name: str, profile: str) -> str:
    """The regime of the flows that a model is trained and tested on."""
    return "unique" if name.endswith("-unique") else RECIPES[profile].regime


def new(name: str, *, profile: str = "quick", seed: int = 0) -> Model:
    """An untrained model by name, whose weights are drawn from ``seed``.

    Raises ValueError for an unknown name or profile.
    """
    require_known("profile", profile, list(RECIPES))
    require_known("name", name, names(profile))
    torch.manual_seed(seed)
    recipe = RECIPES[profile]
    kind, _, size = name.partition("-")
    std = flow_data.REGIMES[regime_of(name, profile)].std
    # fixed units, in which forcing and vorticity have a size of about one:
    # |f| is about std^2 / 4 for w drawn at this peak
    shared: dict[str, Any] = {
        "modes": recipe.modes,
        "input_scale": std**2 / 4,
        "output_scale": std,
    }
    if kind == "unrolled":
        return ImplicitFNO(width=recipe.width, damping=1.0, **shared)
    if kind == "implicit":
        return ImplicitFNO(width=recipe.width, damping=0.5, **shared)
    width = int(size) if kind == "width" else recipe.width
    depth = int(size) if kind == "depth" else 1
    return ExplicitFNO(width=width, depth=depth, **shared)


def require_known(argument: str, value: str, known: list[str]) -> None:
    """Raise ValueError unless ``value`` is among ``known``."""
    require(value in known, argument, value, f"one of {', '.join(known)}")


def _new(name: str, profile: str) -> Model:
    return new(name, profile=profile)


RECORDS = CaseRecords("navier_stokes", "quick", _new)
seeds, reports = RECORDS.seeds, RECORDS.reports


def load(name: str, *, seed: int = 0, profile: str | None = None) -> tuple[Model, dict[str, Any]]:
    """(model, card) of a finished training, as `CaseRecords.load` returns them."""
    model, card = RECORDS.load(name, seed=seed, profile=profile)
    return cast(Model, model), card  # made by `new`


def test_set(
    name: str = "implicit",
    *,
    profile: str = "quick",
    count: int | None = None,
    progress: bool = True,
) -> Flows:
    """The first ``count`` (None: all) test flows of a model's regime, the same for every seed.

    Raises `SplitError` while a training runs.
    """
    splits.reading_test_data("test flows of Navier-Stokes")
    recipe = RECIPES[profile]
    return flow_data.data(
        regime_of(name, profile),
        recipe.test if count is None else count,
        n=recipe.n,
        seed=SEED_OF_TEST,
        progress=progress,
    )
