"""Verdicts: what became of each claim, judged by its evidence alone.

==================  =========================================================================
``reproduced``      every check holds
``partly``          the headline check holds, another one does not
``not reproduced``  the headline check does not hold
``not run``         nothing was measured in this profile, and `claims.yml` says why
==================  =========================================================================

A check *holds*, *misses* (also by a number that is not finite), or is *missing*: its number is not
there. A claim with a missing
number cannot be reproduced, and `equilibria check` fails.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from equilibria.companion.claims import evidence
from equilibria.companion.claims.model import Check, Claim, load
from equilibria.companion.claims.values import NoEvidence, NotFinite
from equilibria.companion.parameters import find_notebook

__all__ = ["RANK", "WORDS", "Finding", "Verdict", "judge", "judge_all"]

Word = Literal["reproduced", "partly", "not reproduced", "not run"]
WORDS: tuple[Word, ...] = ("not reproduced", "partly", "reproduced", "not run")
RANK: dict[str, int] = {"not run": 0, "not reproduced": 1, "partly": 2, "reproduced": 3}


@dataclass(frozen=True)
class Finding:
    """What one check found: `state` is holds, misses or missing; `here` is our number in words."""

    check: Check
    state: Literal["holds", "misses", "missing"]
    here: str


@dataclass(frozen=True)
class Verdict:
    """What became of one claim."""

    claim: Claim
    word: Word
    findings: tuple[Finding, ...] = field(default=())

    @property
    def here(self) -> str:
        """The number of the headline check, in words."""
        return self.findings[0].here if self.findings else ""

    @property
    def missing(self) -> list[Finding]:
        """Checks whose number is not there."""
        return [finding for finding in self.findings if finding.state == "missing"]


def judge(claim: Claim, profile: str, *, unfinished: str | None = None) -> Verdict:
    """The verdict on one claim, from the files of one profile (see the module's header).

    ``unfinished`` names a notebook whose run need not have ended yet.
    """
    if profile in claim.not_run:
        return Verdict(claim, "not run")
    findings = tuple(_find(claim, check, profile, unfinished) for check in claim.checks)
    holds = [finding.state == "holds" for finding in findings]
    if all(holds):
        return Verdict(claim, "reproduced", findings)
    return Verdict(claim, "partly" if holds[0] else "not reproduced", findings)


def judge_all(profile: str, only: list[str] | None = None) -> list[Verdict]:
    """Verdicts on every claim, or on those of some notebooks (``["01", "04"]``)."""
    chosen = None if not only else {find_notebook(name).stem for name in only}
    return [judge(claim, profile) for claim in load() if chosen is None or claim.notebook in chosen]


def _find(claim: Claim, check: Check, profile: str, unfinished: str | None) -> Finding:
    def other(key: str) -> object:
        return evidence.other_value(claim, check, key, profile, unfinished=unfinished)

    try:
        value = evidence.value(claim, check, profile, unfinished=unfinished)
        here = check.predicate.here(value, other)
        state: Literal["holds", "misses"] = (
            "holds" if check.predicate.holds(value, other) else "misses"
        )
    except NotFinite as error:
        return Finding(check, "misses", str(error))
    except NoEvidence as error:
        return Finding(check, "missing", str(error))
    except RecursionError:
        return Finding(check, "missing", "too deeply nested")
    return Finding(check, state, here)
