"""The named trainings and measurements of each case: which problem, operator, loss and settings, declared once.

Notebooks and `equilibria train` share them. A module has `names(profile)` and `train(name, *, profile, seed, minutes)`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equilibria import checkpoints, training
from equilibria.files import write_atomically as write
from equilibria.paths import data_folder

__all__ = ["CaseRecords", "rounded", "timed"]


def rounded(values: Tensor | list[float], digits: int = 5) -> list[float]:
    """A vector as a record holds it."""
    return [round(float(value), digits) for value in values]


def timed(compute: Callable[[], Any]) -> tuple[float, Any]:
    """(seconds, result) of compute(), the work of a GPU included."""
    wait = torch.cuda.synchronize if torch.cuda.is_initialized() else lambda: None
    wait()
    begun = time.perf_counter()
    found = compute()
    wait()
    return time.perf_counter() - begun, found


@dataclass(frozen=True)
class CaseRecords:
    """What the trainings of a case leave: `data/checkpoints/CASE/NAME-seedN` (weights, card) and `.../test/NAME-seedN.json` (record) for
    the profile `shipped`, in a folder PROFILE in between for the other; unfinished ones in `data/trainings/CASE/PROFILE`.

    new(name, profile) -> an untrained model. In all methods, profile None stands for `shipped`.
    """

    case: str
    shipped: str
    new: Callable[[str, str], nn.Module]

    def folder(self, profile: str | None = None) -> Path:
        """The folder of the finished trainings of a profile."""
        folder = data_folder() / "checkpoints" / self.case
        return folder if profile in (None, self.shipped) else folder / profile

    def stem(self, name: str, *, seed: int, profile: str | None = None) -> Path:
        """The path, without ending, of one training's weights and card."""
        return self.folder(profile) / f"{name}-seed{seed}"

    def seeds(self, name: str, *, profile: str | None = None) -> list[int]:
        """The seeds whose finished training is at hand."""
        return sorted(
            int(card.stem.rpartition("seed")[2])
            for card in self.folder(profile).glob(f"{name}-seed*.json")
        )

    def load(
        self, name: str, *, seed: int = 0, profile: str | None = None
    ) -> tuple[nn.Module, dict]:
        """(model, card) of a finished training. Raises CheckpointError when it is missing, damaged or another model's."""
        with torch.random.fork_rng(
            devices=range(torch.cuda.device_count()) if torch.cuda.is_initialized() else []
        ):
            # the weights drawn here are replaced: whoever loads keeps their random numbers
            model = self.new(name, profile or self.shipped)
        card = checkpoints.load(self.stem(name, seed=seed, profile=profile), model)
        return model.eval(), card

    def train(
        self,
        name: str,
        model: nn.Module,
        loss: Callable,
        *,
        settings: training.Settings,
        profile: str,
        device: str,
        card: dict | None = None,
        **options,
    ) -> training.Outcome:
        """`training.train`, kept here; says how it ended. `card` adds to what the card says anyway."""
        outcome = training.train(
            model.to(device),
            loss,
            settings=settings,
            stem=self.stem(name, seed=settings.seed, profile=profile),
            state_folder=data_folder() / "trainings" / self.case / profile,
            card={"name": name, "profile": profile, "device": device} | (card or {}),
            **options,
        )
        state = (
            f"finished, {outcome.metrics}"
            if outcome.finished
            else "stopped at the time limit; the same command continues"
        )
        print(f"{name} seed {settings.seed}: step {outcome.step}, {outcome.seconds:.0f} s, {state}")
        return outcome

    def reports(self, name: str, *, profile: str | None = None) -> list[dict]:
        """What `record` kept of every seed of a model, whether its weights are at hand or not."""
        return [
            json.loads(path.read_text())
            for path in sorted((self.folder(profile) / "test").glob(f"{name}-seed*.json"))
        ]

    def record(
        self,
        names: Iterable[str],
        evaluate: Callable[..., dict],
        *,
        profile: str,
        minutes: float | None,
        device: str,
        told: Callable[[dict], str] = lambda found: "recorded",
    ) -> bool:
        """Keep evaluate(name, seed=, profile=, device=) of every finished model whose record is missing or of other weights, until `minutes`
        are over; whether all are there. told(found): what to say about it.
        """
        begun = time.monotonic()
        for name, seed in (
            (name, seed) for name in names for seed in self.seeds(name, profile=profile)
        ):
            path = self.folder(profile) / "test" / f"{name}-seed{seed}.json"
            if (
                path.exists()
                and json.loads(path.read_text())["sha256"]
                == checkpoints.read_card(self.stem(name, seed=seed, profile=profile))["sha256"]
            ):
                continue
            if minutes is not None and time.monotonic() - begun > 60 * minutes:
                print("stopped at the time limit; the same command continues")
                return False
            found = evaluate(name, seed=seed, profile=profile, device=device)
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, json.dumps(found) + "\n")
            print(f"{name} seed {seed}: {told(found)}", flush=True)
        return True
