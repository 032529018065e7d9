"""Which models the study trains, on which flows, and where the finished ones are kept.

``implicit``, ``explicit``  the same weights, iterated or used once; input injected
``plain``                   the explicit one without injection: the published explicit network
``depth-K``                 K untied explicit blocks: the FNO++ of Table 5 by depth; ``explicit`` is
                            its depth 1
``width-W``                 one wider explicit block: FNO++ by width
``unrolled``                the trap, shown on purpose: the implicit network without damping,
                            trained by plain back-propagation through its first iterations
``...-4e-3``                of flows of another viscosity than 0.01, here 0.004
``...-unique``              of the regime ``unique``; all others are of the regime ``published``
``...-bounded``             held to one bound on the slope in the forcing

In the profile ``quick`` flows are small and so is the network, so that one CPU core trains it;
weights of seed 0 of ``implicit``, ``explicit``, ``plain`` and ``implicit-unique`` are shipped, and
records of all. ``paper`` has the published network and 128 x 128 points.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import torch

from equilibria import splits
from equilibria.checks import require
from equilibria.operators.fourier import ExplicitFNO, ImplicitFNO
from equilibria.problems import flow_data
from equilibria.problems.flow_data import VISCOSITY, Flows
from equilibria.training.records import CaseRecords

__all__ = [
    "DEPTHS",
    "RECIPES",
    "RECORDS",
    "SEED_OF_TRAINING",
    "SEED_OF_VALIDATION",
    "VISCOSITIES",
    "WIDTHS",
    "Declared",
    "FlowSet",
    "Model",
    "Recipe",
    "declared",
    "load",
    "names",
    "new",
    "reports",
    "seeds",
    "test_set",
]

Model = ExplicitFNO | ImplicitFNO

DEPTHS = {"quick": (2, 4, 8), "paper": (2, 4, 8, 16, 32)}
WIDTHS = {"quick": (28, 40, 56), "paper": (64, 128, 256)}
VISCOSITIES = (0.006, 0.004, 0.002)  # at which the pair is trained beside 0.01
# seeds of the flows; a model's own seed draws its weights and its batches
SEED_OF_TRAINING, SEED_OF_VALIDATION = 0, 2
# units in which forcing and vorticity of a regime have a size of about one
_SCALES = {"published": (0.044, 0.36), "unique": (0.1**2 / 4, 0.1)}


@dataclass(frozen=True, kw_only=True)
class Declared:
    """What is trained under one name.

    kind       implicit, explicit, plain or unrolled
    depth      untied blocks of an explicit network
    width      of the network; None for that of the profile
    regime     of the flows, and their viscosity
    bounded    whether the slope in the forcing is held to a bound
    """

    kind: str
    depth: int = 1
    width: int | None = None
    regime: str = "published"
    viscosity: float = VISCOSITY
    bounded: bool = False


@dataclass(frozen=True, kw_only=True)
class FlowSet:
    """The flows of one regime in one profile.

    n, coarse                points per side of the full and of the coarse grid
    train, validation, test  flows of each split; each split has a seed of its own
    test_seed                that of the test flows
    speeds                   factors of the speed, at least and at most, to which half of the
                             training flows are scaled
    """

    n: int
    coarse: int
    train: int
    validation: int
    test: int
    test_seed: int
    speeds: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a profile trains.

    width, modes   of the network
    flows          by regime
    batch          flows per step
    pool           flows that keep their states
    steps          per kind of model: (all steps, how many of them, the last ones, on the full
                   grid); both of the bounded pair make half as many
    learning_rate  of Adam, at its largest
    """

    width: int
    modes: int
    flows: dict[str, FlowSet]
    batch: int
    pool: int
    steps: dict[str, tuple[int, int]]
    learning_rate: float


_SPEEDS = (0.6, 1.4)  # 0.3 to 0.7 in the regime `published`

RECIPES = {
    "quick": Recipe(
        width=20,
        modes=8,
        flows={
            "published": FlowSet(
                n=32,
                coarse=24,
                train=4500,
                validation=500,
                test=500,
                # seed 1 was read after shorter trainings, which led to longer ones
                test_seed=3,
                speeds=_SPEEDS,
            ),
            "unique": FlowSet(n=64, coarse=32, train=1500, validation=100, test=200, test_seed=1),
        },
        batch=16,
        pool=128,
        learning_rate=3e-3,
        steps={"implicit": (16000, 1600), "explicit": (30000, 3000), "unrolled": (1500, 50)},
    ),
    "paper": Recipe(
        width=32,
        modes=12,
        flows={
            "published": FlowSet(
                n=128,
                coarse=64,
                train=4500,
                validation=500,
                test=500,
                test_seed=3,
                speeds=_SPEEDS,
            ),
            "unique": FlowSet(n=128, coarse=64, train=4500, validation=500, test=500, test_seed=1),
        },
        batch=16,
        pool=512,
        learning_rate=2e-3,
        steps={"implicit": (60000, 6000), "explicit": (60000, 9000), "unrolled": (4000, 400)},
    ),
}


def declared(profile: str) -> dict[str, Declared]:
    """All models of a profile by name. Raises ValueError for an unknown profile."""
    require(profile in RECIPES, "profile", profile, f"one of {', '.join(RECIPES)}")
    pair = {kind: Declared(kind=kind) for kind in ("implicit", "explicit")}
    sizes = {f"depth-{depth}": Declared(kind="explicit", depth=depth) for depth in DEPTHS[profile]}
    for width in WIDTHS[profile]:
        sizes[f"width-{width}"] = Declared(kind="explicit", width=width)
    models = {**pair, "plain": Declared(kind="plain"), **sizes}
    models["unrolled"] = Declared(kind="unrolled")
    for kind, model in pair.items():
        for viscosity in VISCOSITIES:
            models[f"{kind}-{_short(viscosity)}"] = replace(model, viscosity=viscosity)
        models[f"{kind}-bounded"] = replace(model, bounded=True)
        models[f"{kind}-unique"] = replace(model, regime="unique")
    for name, model in sizes.items():
        models[f"{name}-unique"] = replace(model, regime="unique")
    return models


def _short(viscosity: float) -> str:
    """0.004 as 4e-3."""
    digits, _, power = f"{viscosity:.0e}".partition("e-0")
    return f"{digits}e-{power}"


def names(profile: str) -> list[str]:
    """The models that can be trained in a profile."""
    return list(declared(profile))


def new(name: str, *, profile: str = "quick", seed: int = 0) -> Model:
    """An untrained model by name, whose weights are drawn from ``seed``.

    Raises ValueError for an unknown name or profile.
    """
    models = declared(profile)
    require(name in models, "name", name, f"one of {', '.join(models)}")
    torch.manual_seed(seed)
    recipe, model = RECIPES[profile], models[name]
    input_scale, output_scale = _SCALES[model.regime]
    shared: dict[str, Any] = {
        "width": model.width or recipe.width,
        "modes": recipe.modes,
        "input_scale": input_scale,
        "output_scale": output_scale,
    }
    if model.kind in ("implicit", "unrolled"):
        return ImplicitFNO(damping=1.0 if model.kind == "unrolled" else 0.5, **shared)
    return ExplicitFNO(depth=model.depth, injected=model.kind == "explicit", **shared)


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
    """The first ``count`` (None: all) test flows of a model, the same for every seed.

    Raises `SplitError` while a training runs.
    """
    splits.reading_test_data("test flows of Navier-Stokes")
    model = declared(profile)[name]
    flows = RECIPES[profile].flows[model.regime]
    return flow_data.data(
        model.regime,
        flows.test if count is None else count,
        n=flows.n,
        seed=flows.test_seed,
        viscosity=model.viscosity,
        progress=progress,
    )
