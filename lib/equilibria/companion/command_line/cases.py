"""The cases that can be trained: the modules of `equilibria.studies`."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Protocol, cast

from torch import nn

from equilibria.companion.parameters import ParameterError
from equilibria.training.records import CaseRecords

__all__ = ["Case", "case_names", "find_case", "records_of"]


class Case(Protocol):
    """What a module of `equilibria.studies` declares.

    It may also have ``RECORDS``, a `CaseRecords`, and
    ``evaluate_all(*, profile, minutes, device) -> bool``, which records what its finished models do
    and returns whether all records are there; and ``needs(name) -> list[str]``, the models of the
    same profile from whose weights (of seed 0) the training of another one starts.
    """

    def names(self, profile: str) -> list[str]:
        """The models that can be trained."""

    def new(self, name: str, *, profile: str, seed: int) -> nn.Module:
        """An untrained model."""

    def train(
        self, name: str, *, profile: str, seed: int, minutes: float | None, device: str | None
    ) -> object:
        """Train one model, from where an earlier call stopped."""


def case_names() -> list[str]:
    """The names of all cases."""
    studies = importlib.import_module("equilibria.studies")
    return sorted(module.name for module in pkgutil.iter_modules(studies.__path__))


def find_case(name: str) -> Case:
    """The case called ``name``. Raises ParameterError where there is none."""
    names = case_names()
    if name not in names:
        raise ParameterError(f"no case {name!r}; there are {', '.join(names) or 'none'}")
    # A module has the functions of `Case` by the convention of `equilibria.studies`.
    return cast(Case, importlib.import_module(f"equilibria.studies.{name}"))


def records_of(case: Case) -> CaseRecords | None:
    """The folders of a case's trained models; None where it keeps none."""
    return getattr(case, "RECORDS", None)
