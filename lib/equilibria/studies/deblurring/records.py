"""Where the deblurring models lie: `data/checkpoints/deblurring` (see `CaseRecords`)."""

from __future__ import annotations

from torch import nn

from equilibria.studies.deblurring.recipes import new
from equilibria.training.records import CaseRecords

__all__ = ["RECORDS", "load", "reports", "seeds"]


def _new(name: str, profile: str) -> nn.Module:
    return new(name, profile=profile)


RECORDS = CaseRecords("deblurring", "quick", _new)
load, seeds, reports = RECORDS.load, RECORDS.seeds, RECORDS.reports
