"""Where one case's trained models and their records live, and how they are read and written.

A case (a module of `equilibria.studies`) declares what can be trained and measured:

    names(profile)                                          names of its models
    new(name, *, profile, seed)                             an untrained model
    train(name, *, profile, seed, minutes, device)          one training, which resumes
    evaluate_all(*, profile, minutes, device)               records of all finished models
    RECORDS                                                 its `CaseRecords`

The notebooks and ``equilibria train``, ``evaluate`` and ``list`` use the same declarations.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from equilibria import checkpoints, training
from equilibria.files import write_atomically
from equilibria.paths import data_folder
from equilibria.training import parallel

__all__ = ["STOPPED", "CaseRecords", "Record", "header", "rounded", "timed"]

Record = dict[str, Any]  # what was measured of one trained model, as JSON holds it
# what is printed when `minutes` are over
STOPPED = "stopped at the time limit; the same command continues"

ModelT = TypeVar("ModelT", bound=nn.Module)
ResultT = TypeVar("ResultT")


class Evaluate(Protocol):
    """Measure one finished model."""

    def __call__(self, name: str, *, seed: int, profile: str, device: str) -> Record:
        """The record of the model ``name``, trained with ``seed`` in ``profile``."""


def header(name: str, seed: int, profile: str, card: Mapping[str, Any]) -> Record:
    """What every record begins with: which model it is about, by the ``card`` of its weights."""
    return {
        "name": name,
        "seed": seed,
        "profile": profile,
        "sha256": card["sha256"],
        "parameters": card["parameters"],
        "train_seconds": card["seconds"],
    }


def rounded(values: Tensor | Iterable[float], digits: int = 5) -> list[float]:
    """A vector, rounded to ``digits`` decimal places, as a record holds it."""
    return [round(float(value), digits) for value in values]


def timed(compute: Callable[[], ResultT]) -> tuple[float, ResultT]:
    """(seconds, result) of ``compute()``; the work of a GPU counts until it is done."""
    _wait_for_gpu()
    begun = time.perf_counter()
    result = compute()
    _wait_for_gpu()
    return time.perf_counter() - begun, result


@dataclass(frozen=True)
class CaseRecords:
    """The trained models of one case and the records of what they do, one folder per profile.

    case         name of the case
    shipped      the profile whose weights the repository ships
    new          new(name, profile) -> an untrained model
    one_profile  whether every profile has the same models, in the folder of ``shipped``

    data/checkpoints/CASE/NAME-seedN.safetensors, .json   weights and card, profile ``shipped``
    data/checkpoints/CASE/test/NAME-seedN.json            record, profile ``shipped``
    data/checkpoints/CASE/PROFILE/...                     the same for any other profile
    data/trainings/CASE/PROFILE/...                       unfinished trainings

    In all methods, profile None stands for ``shipped``.
    """

    case: str
    shipped: str
    new: Callable[[str, str], nn.Module]
    one_profile: bool = False

    def folder(self, profile: str | None = None) -> Path:
        """The folder of a profile's weights and cards."""
        folder = data_folder() / "checkpoints" / self.case
        if self.one_profile or profile is None or profile == self.shipped:
            return folder
        return folder / profile

    def stem(self, name: str, *, seed: int, profile: str | None = None) -> Path:
        """The path, without ending, of one model's weights and card."""
        return self.folder(profile) / f"{name}-seed{seed}"

    def record_path(self, name: str, *, seed: int, profile: str | None = None) -> Path:
        """The path of one model's record."""
        return self.folder(profile) / "test" / f"{name}-seed{seed}.json"

    def seeds(self, name: str, *, profile: str | None = None) -> list[int]:
        """The seeds with which a model was trained, by the cards that are there."""
        cards = self.folder(profile).glob(f"{name}-seed*.json")
        seeds = [card.stem.rpartition("seed")[2] for card in cards]
        return sorted(int(seed) for seed in seeds if seed.isdecimal())

    def has_weights(self, name: str, *, seed: int, profile: str | None = None) -> bool:
        """Whether the weights themselves are there."""
        stem = self.stem(name, seed=seed, profile=profile)
        return stem.with_name(f"{stem.name}.safetensors").is_file()

    def unfinished(self, name: str, *, seed: int, profile: str) -> bool:
        """Whether a training has begun and not ended."""
        folder = self._state_folder(profile)
        return any(folder.glob(f"{name}-seed{seed}.state.*"))

    def load(
        self, name: str, *, seed: int = 0, profile: str | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """(model, card) of a finished training; the model has the type that ``new`` makes.

        Raises CheckpointError where weights or card are missing, damaged or another model's.
        """
        # The weights that are drawn here are replaced, so the caller's random numbers stay.
        with torch.random.fork_rng(devices=_gpus_in_use()):
            model = self.new(name, profile or self.shipped)
        card = checkpoints.load(self.stem(name, seed=seed, profile=profile), model)
        return model.eval(), card

    def train(
        self,
        name: str,
        model: ModelT,
        loss: Callable[[ModelT, int, torch.Generator], Tensor],
        *,
        settings: training.Settings,
        profile: str,
        device: str,
        card: Mapping[str, Any] | None = None,
        memory: Mapping[str, parallel.Rows] | None = None,
        minutes: float | None = None,
        validate: Callable[[ModelT], dict[str, float]] | None = None,
        select: str | None = None,
        progress: bool = True,
    ) -> training.Outcome:
        """Run `training.train` with this case's paths, and print how it ended.

        The card gets name, profile and device, and what ``card`` adds.
        """
        outcome = training.train(
            model.to(device),
            loss,
            settings=settings,
            stem=self.stem(name, seed=settings.seed, profile=profile),
            state_folder=self._state_folder(profile),
            card={"name": name, "profile": profile, "device": device} | dict(card or {}),
            memory=memory,
            minutes=minutes,
            validate=validate,
            select=select,
            progress=progress,
        )
        ending = f"finished, {outcome.metrics}" if outcome.finished else STOPPED
        title = f"{name} seed {settings.seed}"
        print(f"{title}: step {outcome.step}, {outcome.seconds:.0f} s, {ending}")
        return outcome

    def reports(self, name: str, *, profile: str | None = None) -> list[Record]:
        """The records of a model, one per seed; the weights need not be there."""
        paths = sorted((self.folder(profile) / "test").glob(f"{name}-seed*.json"))
        return [json.loads(path.read_text()) for path in paths]

    def record(
        self,
        names: Iterable[str],
        evaluate: Evaluate,
        *,
        profile: str,
        minutes: float | None,
        device: str,
        describe: Callable[[Record], str] | None = None,
    ) -> bool:
        """Write the record of each finished model that has none, or one of other weights.

        No evaluation begins once ``minutes`` are over. Returns whether all records are there.
        ``describe(record)`` says in a few words what is printed about a new record.
        """
        begun = time.monotonic()
        for name, seed in self._unrecorded(names, profile):
            if minutes is not None and time.monotonic() - begun > 60 * minutes:
                print(STOPPED)
                return False
            record = evaluate(name, seed=seed, profile=profile, device=device)
            path = self.record_path(name, seed=seed, profile=profile)
            write_atomically(path, json.dumps(record) + "\n")
            summary = describe(record) if describe is not None else "recorded"
            print(f"{name} seed {seed}: {summary}", flush=True)
        return True

    def _state_folder(self, profile: str) -> Path:
        return data_folder() / "trainings" / self.case / profile

    def _unrecorded(self, names: Iterable[str], profile: str) -> Iterator[tuple[str, int]]:
        """(name, seed) of the finished models whose record is missing or of other weights."""
        for name in names:
            for seed in self.seeds(name, profile=profile):
                path = self.record_path(name, seed=seed, profile=profile)
                if not path.exists():
                    yield name, seed
                    continue
                card = checkpoints.read_card(self.stem(name, seed=seed, profile=profile))
                if json.loads(path.read_text())["sha256"] != card["sha256"]:
                    yield name, seed


def _gpus_in_use() -> list[int]:
    """The GPUs that this process can have work on; none before it first used one."""
    if not torch.cuda.is_initialized():  # type: ignore[no-untyped-call]  # torch has no type here
        return []
    return list(range(torch.cuda.device_count()))


def _wait_for_gpu() -> None:
    if _gpus_in_use():
        torch.cuda.synchronize()
