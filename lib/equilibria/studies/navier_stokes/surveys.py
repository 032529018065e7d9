"""What the classical solver finds among the flows of ``unique``, whatever a network says.

The survey takes minutes, so it is recorded once, beside the records of the models.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm

from equilibria import checkpoints
from equilibria.files import write_atomically
from equilibria.operators.steady_flow import another_state, other_states
from equilibria.problems.flow_data import REGIMES, VISCOSITY, draw
from equilibria.problems.flow_grid import random_vorticity
from equilibria.studies.navier_stokes.recipes import RECIPES, RECORDS, test_set

__all__ = ["AMPLITUDES", "record_survey", "recorded_survey", "survey"]

AMPLITUDES = (0.05, 0.1, 0.2, 0.334)  # std(w) of the survey; the last one is the paper's
SURVEYED_FIELDS = 40  # fields at each amplitude
RANDOM_STARTS = 6  # from which a second state is sought for each test flow


def survey() -> dict[str, Any]:
    """Compute the survey.

    second  [index, distance] of the test flows for which `other_states` finds a second steady
            state, from rest and from RANDOM_STARTS random fields
    rows    one per std(w) in AMPLITUDES, of ``fields`` random fields: the shares whose forcing
            `steady_state` solves from rest (solved), to another flow than the one drawn (other),
            and that the rule of the regime ``unique`` keeps (kept)

    and what it is a survey of.
    """
    amplitudes = tqdm(AMPLITUDES, desc="survey", unit="amplitude", leave=False)
    rows = [_row(std, seed) for seed, std in enumerate(amplitudes)]
    flows = test_set("implicit-unique", progress=False)
    _, distance = other_states(
        flows.forcing,
        flows.vorticity,
        VISCOSITY,
        tries=RANDOM_STARTS,
        generator=torch.Generator().manual_seed(0),
        progress=True,
    )
    indices = distance.nonzero().flatten().tolist()
    second = [[i, round(distance[i].item(), 3)] for i in indices]
    return {"second": second, "rows": rows} | _subject()


def _row(std: float, seed: int) -> dict[str, Any]:
    n = RECIPES["quick"].flows["unique"].n
    generator = torch.Generator().manual_seed(seed)
    fields = random_vorticity(SURVEYED_FIELDS, n, std=std, generator=generator)
    solution, distance = another_state(fields, VISCOSITY)
    other = solution.success & (distance > 0.01)
    # from the same seed `draw` begins with the same fields
    generator = torch.Generator().manual_seed(seed)
    regime = replace(REGIMES["unique"], std=std)
    _, kept = draw(regime, SURVEYED_FIELDS, n, generator=generator)
    return {
        "std": std,
        "fields": SURVEYED_FIELDS,
        "solved": solution.success.double().mean().item(),
        "other": other.double().mean().item(),
        "kept": len(kept) / SURVEYED_FIELDS,
    }


def _subject() -> dict[str, Any]:
    """What decides the survey's result; a record of another subject is outdated."""
    flows = RECIPES["quick"].flows["unique"]
    return {
        "regime": asdict(REGIMES["unique"]),
        "n": flows.n,
        "flows": flows.test,
        "fields": SURVEYED_FIELDS,
        "tries": RANDOM_STARTS,
        "amplitudes": list(AMPLITUDES),
    }


def _path() -> Path:
    return RECORDS.folder("quick") / "test" / "survey.json"


def record_survey() -> None:
    """Compute and keep the survey, unless there is one of the same subject."""
    path = _path()
    if path.exists() and _subject().items() <= recorded_survey().items():
        return
    write_atomically(path, json.dumps(survey()) + "\n")
    print(f"survey of the flows: recorded in {path}")


def recorded_survey() -> dict[str, Any]:
    """The recorded `survey`. Raises CheckpointError where there is none."""
    path = _path()
    if not path.is_file():
        raise checkpoints.CheckpointError(
            f"there is no {path}; make it with `equilibria evaluate navier_stokes`"
        )
    record: dict[str, Any] = json.loads(path.read_text())
    return record
