"""The flows of the Navier-Stokes study: how they are drawn, and the files that keep them.

Two regimes of random fields (paper, section 5.2):

``published``  The published data as far as they can be known. The name of their file says peak
               wavenumber 1 and speed 0.5: filtered random velocity fields of this peak and largest
               speed on [0, 2 pi)^2 have the published variance of the vorticity. f is made from w
               and keeps its gradient part (`manufacture_without_pressure`), so that its variance is
               within a factor of two of the published one; the rest is not explained. Such an f
               nearly determines its flow, up to a sign that only the friction tells.
``unique``     Weak divergence-free forcing, so weak that two unrelated starts find the flow that
               the forcing was made from. Fields for which they do not are left out, and labels are
               solved from the forcing. A second state is not excluded: `steady_flow.other_states`
               finds one for a few flows.

Confirming a flow takes a solver, so this module of `problems` imports `operators.steady_flow`,
which in turn needs nothing but the equation.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from tqdm.auto import tqdm

from equilibria.checks import is_int, require, require_int
from equilibria.files import DataError
from equilibria.operators import steady_flow
from equilibria.paths import data_folder
from equilibria.problems.cache import read_or_make, recipe_key, seed_of
from equilibria.problems.flow_equation import (
    check_viscosity,
    curl,
    manufacture,
    manufacture_without_pressure,
    residual,
)
from equilibria.problems.flow_grid import filtered_vorticity, random_vorticity, resample
from equilibria.solvers import Anderson, solve

__all__ = [
    "FORCINGS",
    "PUBLISHED_VARIANCES",
    "REGIMES",
    "VISCOSITY",
    "Flows",
    "Regime",
    "data",
    "draw",
]

VISCOSITY = 0.01
# per entry of the published data, forcing and vorticity
PUBLISHED_VARIANCES = {"forcing": 0.00304, "vorticity": 0.1116}
FLOWS_PER_FILE = 100  # fields drawn for one file; unconfirmed ones are left out of it


@dataclass(frozen=True, kw_only=True)
class Regime:
    """How flows are drawn.

    speed      largest speed of a filtered random velocity field; or else
    std        standard deviation of a random vorticity, whose label is solved from the forcing and
               confirmed from a second start
    peak       wavenumber at which the random fields are strongest
    viscosity  nu
    tol        largest `residual` of a label that is solved

    Raises ValueError unless one of speed and std is given, and for a viscosity <= 0.
    """

    speed: float | None = None
    std: float | None = None
    peak: float
    viscosity: float = VISCOSITY
    tol: float = 1e-8

    def __post_init__(self) -> None:
        one = (self.speed is None) != (self.std is None)
        require(one, "speed and std", (self.speed, self.std), "given one without the other")
        check_viscosity(self.viscosity)


# the forcing of a vorticity and a viscosity in each regime
FORCINGS = {"published": manufacture_without_pressure, "unique": manufacture}
REGIMES = {"published": Regime(speed=0.5, peak=1.0), "unique": Regime(std=0.1, peak=2.0)}


@dataclass(frozen=True)
class Flows:
    """Steady flows and their forcing, float64.

    forcing    (N, 2, n, n)
    vorticity  (N, n, n)
    drawn      how many fields were drawn for them, unconfirmed ones included
    """

    forcing: Tensor
    vorticity: Tensor
    drawn: int

    def __len__(self) -> int:
        return len(self.vorticity)

    def __getitem__(self, rows: slice) -> Flows:
        return Flows(self.forcing[rows], self.vorticity[rows], self.drawn)


# ----------------------------------------------------------------------------------------- drawing
def draw(
    regime: Regime, count: int, n: int, *, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Flows made from ``count`` random fields.

    Returns (forcing (N, 2, n, n), vorticity (N, n, n)), float64. In a regime of a given speed these
    are all fields and the forcings made from them. In one of a given std they are the confirmed
    ones: from rest and from an unrelated field, solvers that see the forcing alone find the same
    flow, and it is the one that the forcing was made from. They search on a coarse grid and finish
    on the fine one. Raises as `filtered_vorticity` and `random_vorticity` do.
    """
    if regime.speed is not None:
        w = filtered_vorticity(count, n, speed=regime.speed, peak=regime.peak, generator=generator)
        return manufacture_without_pressure(w, regime.viscosity), w
    assert regime.std is not None  # one of the two is there
    drawn = random_vorticity(count, n, std=regime.std, peak=regime.peak, generator=generator)
    forcing = manufacture(drawn, regime.viscosity)
    unrelated = random_vorticity(count, n, std=regime.std, peak=regime.peak, generator=generator)
    chosen, coarse = _agreeing(forcing, drawn, unrelated, regime)
    if not len(chosen):
        return forcing[:0], drawn[:0]
    forcing, drawn = forcing[chosen], drawn[chosen]
    space = steady_flow.Galerkin.fitting(n, regime.viscosity, largest=steady_flow.COARSE)
    # the residual of the equation weighs small scales more than that of the operator does
    tol = 0.01 * regime.tol
    y = steady_flow.refine(space, resample(coarse, n), curl(forcing), tol=tol).y
    precise = residual(y, forcing, regime.viscosity) <= regime.tol
    confirmed = precise & _near(y, drawn)
    return forcing[confirmed], y[confirmed]


def _agreeing(
    forcing: Tensor, drawn: Tensor, unrelated: Tensor, regime: Regime
) -> tuple[Tensor, Tensor]:
    """(indices (M,), coarse flows (M, m, m)) of the flows that both starts find."""
    small = min(drawn.shape[-1], 2 * round(8 * regime.peak))
    c = resample(curl(forcing), small)
    truth = resample(drawn, small)
    chosen = torch.arange(len(drawn))
    y = truth
    for start in (resample(unrelated, small), torch.zeros_like(c)):
        solved, y = _solve_in_rounds(c[chosen], regime.viscosity, start[chosen])
        agree = solved & _near(y, truth[chosen])
        chosen, y = chosen[agree], y[agree]
        if not len(chosen):
            break
    return chosen, y


def _solve_in_rounds(c: Tensor, viscosity: float, start: Tensor) -> tuple[Tensor, Tensor]:
    """(solved (B,), flows (B, n, n)) by Anderson's method.

    The few slow flows are begun again without the others: what is found for a sample does not
    depend on its batch, and a batch takes as long as its slowest sample.
    """
    y = start.clone()
    solved = torch.zeros(len(c), dtype=torch.bool)
    todo = torch.arange(len(c))
    G = steady_flow.operator(viscosity)
    method = Anderson(history=20)
    for steps in (50, 80, 300):
        solution = solve(
            G, start[todo], c[todo], method=method, max_steps=steps, tol=1e-6, throw=False
        )
        y[todo] = solution.y
        solved[todo] = solution.success
        todo = todo[~solution.success]
        if not len(todo):
            break
    return solved, y


def _near(a: Tensor, b: Tensor) -> Tensor:
    near: Tensor = (a - b).flatten(1).norm(dim=1) <= 1e-4 * b.flatten(1).norm(dim=1)
    return near


# ------------------------------------------------------------------------------------------- files
def data(
    regime: str,
    count: int,
    *,
    n: int = 64,
    seed: int,
    viscosity: float = VISCOSITY,
    progress: bool = True,
) -> Flows:
    """The first ``count`` flows of a regime and seed, on n x n points.

    They are made once and kept under ``data/navier_stokes`` in files of some hundred, so that a
    run that was stopped goes on where it was. A file that is damaged or of another recipe is named
    in a warning and made again. One seed gives the same random fields whatever the viscosity.
    Raises ValueError for an unknown regime, a count below 1, a seed below 0, a viscosity <= 0 or an
    n that cannot be, TypeError for a count or seed that is no int, and `DataError` where
    hardly any flow of the regime is confirmed.
    """
    require(regime in REGIMES, "regime", regime, f"one of {', '.join(REGIMES)}")
    require_int("count", count, least=1)
    require(is_int(n) and n % 2 == 0 and n >= 16, "n", n, "an even int of at least 16")
    require_int("seed", seed, least=0)
    chosen = replace(REGIMES[regime], viscosity=viscosity)
    forcing: list[Tensor] = []
    vorticity: list[Tensor] = []
    ready = 0
    drawn = 0
    title = f"flows, {regime}, {n} x {n}"
    bar = tqdm(None, title, count, unit="flow", disable=not progress, leave=False, mininterval=2)
    with bar:
        for chunk in _chunks(regime, chosen, n, seed):
            forcing.append(chunk["forcing"])
            vorticity.append(chunk["vorticity"])
            ready += len(chunk["forcing"])
            drawn += FLOWS_PER_FILE
            if drawn >= 5 * FLOWS_PER_FILE and ready < 0.1 * drawn:
                raise DataError(
                    f"of {drawn} flows of the regime {regime!r} only {ready} were confirmed: "
                    "their forcing is too strong"
                )
            bar.update(min(len(chunk["forcing"]), count - bar.n))
            if ready >= count:
                break
    return Flows(torch.cat(forcing)[:count], torch.cat(vorticity)[:count], drawn)


def _chunks(name: str, regime: Regime, n: int, seed: int) -> Iterator[dict[str, Tensor]]:
    """The files of a regime and seed, one after another, without end."""
    # version 2: the checksum covers the names of the tensors
    chunk, version = FLOWS_PER_FILE, 2
    recipe = {**asdict(regime), "n": n, "seed": seed, "chunk": chunk, "version": version}
    folder = data_folder() / "navier_stokes" / f"{name}-{n}-{recipe_key(recipe)}"
    for index in itertools.count():
        path = folder / f"{index:04d}.safetensors"
        yield _read_or_draw(path, recipe | {"index": index}, regime)


def _read_or_draw(path: Path, recipe: dict[str, Any], regime: Regime) -> dict[str, Tensor]:
    def make() -> dict[str, Tensor]:
        seed = seed_of(recipe["seed"], recipe["index"])
        generator = torch.Generator().manual_seed(seed)
        forcing, vorticity = draw(regime, recipe["chunk"], recipe["n"], generator=generator)
        return {"forcing": forcing, "vorticity": vorticity}

    return read_or_make(path, recipe, make)
