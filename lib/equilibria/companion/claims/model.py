"""Claims as `claims.yml` states them: one sentence each, its place in the paper, its evidence.

Owns the format of the file and refuses what is wrong with it. Nothing is judged here.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from equilibria.companion.claims.predicates import Predicate, parse
from equilibria.companion.parameters import PROFILES, notebooks
from equilibria.paths import project_root

__all__ = ["SUMMARY_ROWS", "Check", "Claim", "ClaimsError", "Profile", "load", "published"]

SUMMARY_ROWS = 12  # of the table in the README

Profile = Literal["quick", "paper"]
Words = Annotated[str, Field(min_length=1)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]


class ClaimsError(ValueError):
    """`claims.yml` or `verdicts.lock` is wrong; the message names the entry and what is wrong."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Check(_Strict):
    """One piece of evidence: where its number lies, what it must be, and why just that.

    says        what is checked, in words
    key         dotted path into ``<file>.json`` of the claim's notebook, ``*`` for every entry
                of a list or table; or into each seed's record, if `record` is given
    file        of the claim's notebook, or ``notebook/file`` of another one
    record      ``case/model``: the records that `equilibria evaluate` wrote, one entry per seed
    bound_from  ``published``, ``theorem`` or ``ours``
    reason      why this bound; needed where it is ours
    """

    id: Slug
    says: Words
    key: Words
    file: str = "results"
    record: str | None = Field(default=None, pattern=r"^[a-z_]+/[a-z0-9-]+$")
    predicate: Annotated[Predicate, BeforeValidator(parse)]
    bound_from: Literal["published", "theorem", "ours"]
    reason: str | None = None

    @model_validator(mode="after")
    def _ours_has_a_reason(self) -> Check:
        if self.bound_from == "ours" and not self.reason:
            raise ValueError("a bound of ours needs a reason")
        return self


class Claim(_Strict):
    """One claim, in one sentence, with its evidence.

    places      where the paper makes it: sections, theorems, figures, tables
    published   the paper's own numbers, typed here and nowhere else
    checks      the evidence; the first one is the *headline*, which the claim stands or falls with
    not_run     profile -> why nothing was measured there
    caveat      what a reader must know before believing the verdict
    deviation   the heading of DEVIATIONS.md that explains the verdict, as an anchor
    figure      the figure that shows it
    section     the heading of the notebook under which it is measured
    summary     a short form for the README's table; claims without one are not in it
    ours        a claim of this project and not of the paper
    """

    id: Slug
    claim: Words
    places: tuple[Words, ...] = Field(min_length=1)
    notebook: str
    published: dict[str, Any] = Field(default_factory=dict)
    checks: tuple[Check, ...] = Field(default=(), max_length=6)
    not_run: dict[Profile, Words] = Field(default_factory=dict)
    caveat: str | None = None
    deviation: str | None = None
    figure: str | None = None
    section: str | None = None
    summary: str | None = None
    ours: bool = False

    @model_validator(mode="after")
    def _has_evidence_or_says_why_not(self) -> Claim:
        if not self.checks and set(self.not_run) != set(PROFILES):
            raise ValueError("needs checks, or a reason under not_run for every profile")
        repeated = _repeated(check.id for check in self.checks)
        if repeated:
            raise ValueError(f"check ids used twice: {repeated}")
        return self

    @property
    def headline(self) -> Check:
        """The check without which the claim is not reproduced."""
        return self.checks[0]


def load(path: Path | None = None) -> list[Claim]:
    """The claims of the paper, then those of this project.

    Raises `ClaimsError` naming the entry and what is wrong with it.
    """
    path = path or project_root() / "claims.yml"
    written = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    if not isinstance(written, dict) or set(written) - {"paper", "project"}:
        raise ClaimsError("claims.yml holds two lists, `paper` and `project`")
    rows = [*(written.get("paper") or [])]
    rows += [{**row, "ours": True} for row in written.get("project") or []]
    claims = [_claim(row) for row in rows]
    repeated = _repeated(claim.id for claim in claims)
    if repeated:
        raise ClaimsError(f"claim ids used twice: {repeated}")
    _check_references(claims)
    summaries = sum(claim.summary is not None for claim in claims)
    if summaries > SUMMARY_ROWS:
        raise ClaimsError(f"{summaries} claims have a summary; the README holds {SUMMARY_ROWS}")
    return claims


@cache
def _published() -> dict[str, dict[str, Any]]:
    return {claim.id: claim.published for claim in load()}


def published(claim: str) -> dict[str, Any]:
    """The paper's own numbers under a claim's id, for notebooks and figures.

    Raises `ClaimsError` for a claim that there is not.
    """
    if claim not in _published():
        raise ClaimsError(f"no claim {claim!r}; there are {', '.join(_published())}")
    return _published()[claim]


def _claim(row: dict[str, Any]) -> Claim:
    try:
        return Claim.model_validate(row)
    except ValidationError as error:
        name = row.get("id", row)
        problems = [_problem(entry) for entry in error.errors(include_url=False)]
        raise ClaimsError("\n".join(f"{name}: {problem}" for problem in problems)) from error


def _problem(entry: Any) -> str:
    place = ".".join(str(part) for part in entry["loc"])
    return f"{place}: {entry['msg']}, got {entry['input']!r}" if place else str(entry["msg"])


def _check_references(claims: list[Claim]) -> None:
    known, anchors = notebooks(), _anchors(project_root() / "DEVIATIONS.md")
    for claim in claims:
        if claim.notebook not in known:
            raise ClaimsError(
                f"{claim.id}: no notebook {claim.notebook!r}; there are {', '.join(known)}"
            )
        if claim.deviation is not None and claim.deviation not in anchors:
            raise ClaimsError(f"{claim.id}: DEVIATIONS.md has no heading for {claim.deviation!r}")


def _anchors(path: Path) -> set[str]:
    """The headings of a Markdown file as the anchors that GitHub makes of them."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", heading.strip().lower()) for heading in headings)
    return {heading.replace(" ", "-") for heading in plain}


def _repeated(ids: Any) -> str:
    return ", ".join(name for name, count in Counter(ids).items() if count > 1)
