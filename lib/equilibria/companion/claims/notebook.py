"""A notebook's own claims, judged by the results that it has just saved: at its top and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from equilibria.companion.claims.model import load
from equilibria.companion.claims.pages import notebook_table, result_box
from equilibria.companion.claims.record import differences, read
from equilibria.companion.claims.verdicts import Verdict, judge
from equilibria.companion.parameters import PROFILES

if TYPE_CHECKING:
    from equilibria.companion.results import Run

__all__ = ["show_result", "show_verdicts"]

_NOT_JUDGED = "The parameters differ from the profile's, so no claim is judged here."


def show_result(run: Run) -> str:
    """Markdown for the box at the top of a notebook: one row per claim, misses first.

    A run with other parameters than its profile's is not judged.
    """
    return result_box(_verdicts(run)) if run.profile in PROFILES else _NOT_JUDGED


def show_verdicts(run: Run) -> str:
    """Markdown with the verdicts of a run's claims, misses first.

    Where they are worse than the record in `verdicts.lock`, lines on top say so: a notebook shows
    what it found, and `equilibria check` is what fails. A run with other parameters than its
    profile's is not judged, since the claims are made for the profiles.
    """
    if run.profile not in PROFILES:
        return _NOT_JUDGED
    verdicts = _verdicts(run)
    failures, _ = differences(verdicts, run.profile, read(), partial=True)
    lines = [f"- **Against the record:** {failure}" for failure in failures]
    return (
        "\n".join(lines) + "\n\n" + notebook_table(verdicts) if lines else notebook_table(verdicts)
    )


def _verdicts(run: Run) -> list[Verdict]:
    claims = [claim for claim in load() if claim.notebook == run.notebook]
    return [judge(claim, run.profile, unfinished=run.notebook) for claim in claims]
