"""The test: the error of every finished model on every test program, kept as records.

Records are written once per set of weights, by `evaluate_all`, in float32 on the CPU. Table 1 is
made of them.
"""

from __future__ import annotations

from typing import Any, cast

from equilibria.files import DataError
from equilibria.operators.lp_graph import ImplicitGNN
from equilibria.studies.linear_programs.measures import Network, errors_at
from equilibria.studies.linear_programs.programs import test_programs
from equilibria.studies.linear_programs.recipes import RECORDS, load, names, seeds
from equilibria.training.records import header, rounded

__all__ = ["TIMES", "evaluate", "evaluate_all"]

TIMES = (8, 64)  # the paper's t, and ours


def evaluate(
    name: str,
    *,
    seed: int,
    profile: str = "paper",
    count: int | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """The record of one finished model on the first ``count`` test programs; None stands for all.

    It says whose it is (name, seed, profile, sha256, parameters, train_seconds) and holds the
    error |y - y*| / (|y*| + 1) of every program: that of y_8 and y_64 from y_0 = 0 for an
    implicit model (``errors_8``, ``errors_64``), that of its answer for an explicit one
    (``errors``).
    """
    model, card = load(name, seed=seed, profile=profile)
    programs = test_programs(profile)[slice(count)]
    network = cast(Network, model.to(device))  # `load` promises only a module
    record = header(name, seed, profile, card)
    if isinstance(network, ImplicitGNN):
        at_8, at_64 = errors_at(network, programs, TIMES, device=device)
        record["errors_8"] = rounded(at_8)
        record["errors_64"] = rounded(at_64)
    else:
        (errors,) = errors_at(network, programs, (1,), device=device)
        record["errors"] = rounded(errors)
    return record


def evaluate_all(*, profile: str, minutes: float | None = None, device: str | None = None) -> bool:
    """Write the record of every finished model that has none yet, or one of other weights.

    Records lie in `data/checkpoints/linear_programs/test`. ``device`` is the CPU by default. Stops
    after ``minutes`` and goes on when called again. Returns whether all records are there.

    Raises `DataError` where the profile has no finished model.
    """
    every = names(profile)
    if not any(seeds(name, profile=profile) for name in every):
        folder = RECORDS.folder(profile)
        raise DataError(f"profile must have a finished model, got {profile!r}: {folder} has none")
    return RECORDS.record(every, evaluate, profile=profile, minutes=minutes, device=device or "cpu")
