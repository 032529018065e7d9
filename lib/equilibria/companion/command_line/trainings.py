"""The trainings of a profile, in an order in which they can be made; the Snakefile makes them.

A training is made when its card is there. What it needs first is declared by its case, in
``needs(name)``: names of models of the same case and profile, whose seed 0 it starts from.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from equilibria import checkpoints
from equilibria.companion.command_line.cases import case_names, find_case, records_of
from equilibria.companion.command_line.list_models import model_size
from equilibria.companion.parameters import PROFILES, ParameterError
from equilibria.paths import data_folder
from equilibria.training.records import CaseRecords

__all__ = ["Training", "trainings"]


@dataclass(frozen=True)
class Training:
    """One training, by ``case``, ``name``, ``profile`` and ``seed``."""

    case: str
    name: str
    profile: str
    seed: int

    @property
    def card(self) -> Path:
        """The file that is there once the training is finished."""
        stem = self._records().stem(self.name, seed=self.seed, profile=self.profile)
        return stem.with_name(stem.name + ".json")

    def needs(self) -> list[Training]:
        """The trainings that must be finished first."""
        declared = getattr(find_case(self.case), "needs", None)
        names = declared(self.name) if declared is not None else []
        return [Training(self.case, name, self.profile, 0) for name in names]

    def about(self) -> str:
        """Size and expected hours in a few words, for a list of what is going to be done."""
        size = model_size(find_case(self.case), self.name, self.profile)
        return f"weights {size}, {self._time()}"

    def _time(self) -> str:
        """Hours still to go by the saved state, or hours in all by another seed's card."""
        state = data_folder() / "trainings" / self.case / self.profile
        path = state / f"{self.name}-seed{self.seed}.state.safetensors"
        if path.exists():
            _, metadata = checkpoints.read_tensors(path)
            counters = json.loads(metadata["counters"])
            done, steps = counters["step"], json.loads(metadata["recipe"])["settings"]["steps"]
            if done:
                to_go = counters["seconds"] / done * (steps - done)
                return f"step {done} of {steps}, {_hours(to_go)} hours to go"
        records = self._records()
        for seed in records.seeds(self.name, profile=self.profile):
            card = json.loads(Training(self.case, self.name, self.profile, seed).card.read_text())
            if "seconds" in card:
                where = card.get("device", "cpu")
                return f"{_hours(card['seconds'])} hours, as seed {seed} took on {where}"
        return "hours unknown until its first piece is done"

    def _records(self) -> CaseRecords:
        records = records_of(find_case(self.case))
        if records is None:
            raise ParameterError(f"{self.case} keeps no trained models")
        return records


def trainings(profile: str, *, models: str = "", seeds: str = "0") -> list[Training]:
    """The trainings that a comma-separated list asks for, each after those that it needs.

    models  such as ``deblurring,stories/stories``; empty for all
    seeds   such as ``0,1,2``

    Raises ParameterError for an unknown profile, case or model and for a seed that is no number.
    """
    if profile not in PROFILES:
        raise ParameterError(f"PROFILE must be one of {', '.join(PROFILES)}, got {profile!r}")
    chosen = [
        Training(case, name, profile, seed)
        for case, name in _models(profile, models)
        for seed in _seeds(seeds)
    ]
    ordered: list[Training] = []
    for training in chosen:
        for one in (*training.needs(), training):
            if one not in ordered:
                ordered.append(one)
    return ordered


def _models(profile: str, models: str) -> list[tuple[str, str]]:
    wanted = [word for word in models.replace(" ", "").split(",") if word] or case_names()
    found = []
    for word in wanted:
        case, _, name = word.partition("/")
        names = find_case(case).names(profile)
        if name and name not in names:
            raise ParameterError(
                f"MODELS: no model {word!r} in profile {profile}; there are {', '.join(names)}"
            )
        found += [(case, one) for one in ([name] if name else names)]
    return found


def _seeds(seeds: str) -> Sequence[int]:
    words = [word for word in seeds.replace(" ", "").split(",") if word]
    if not words or not all(word.isdecimal() for word in words):
        raise ParameterError(f"SEEDS must be whole numbers such as 0,1,2, got {seeds!r}")
    return [int(word) for word in words]


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.2g}"
