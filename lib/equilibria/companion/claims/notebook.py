"""The last cell of a notebook: its own claims, judged by the results that it has just saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equilibria.companion.claims.model import load
from equilibria.companion.claims.pages import notebook_table
from equilibria.companion.claims.record import differences, read
from equilibria.companion.claims.verdicts import judge
from equilibria.companion.parameters import PROFILES

if TYPE_CHECKING:
    from equilibria.companion.results import Run

__all__ = ["show_verdicts"]


def show_verdicts(run: Run) -> str:
    """Markdown with the verdicts of a run's claims, misses first.

    A run with other parameters than its profile's is not judged: the claims are made for the
    profiles. Raises AssertionError when a verdict is worse than the record in `verdicts.lock`.
    """
    if run.profile not in PROFILES:
        return "The parameters differ from the profile's, so no claim is judged here."
    claims = [claim for claim in load() if claim.notebook == run.notebook]
    verdicts = [judge(claim, run.profile, unfinished=True) for claim in claims]
    failures, _ = differences(verdicts, run.profile, read(), partial=True)
    assert not failures, "worse than the record:\n" + "\n".join(failures)
    return notebook_table(verdicts)
