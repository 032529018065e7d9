"""The frozen record: `verdicts.lock` holds every predicate and verdict, and who moved them.

`equilibria check` compares with it and fails when a verdict got worse, when a number is missing,
when a claim is new or gone, or when what a claim states changed: its sentence, published numbers,
caveat, checks and their order, predicates, bounds. `equilibria check --accept "reason"` writes the
new record; the reason and what it changed stay in the history, for every reader.
"""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equilibria.companion.claims.model import Check, Claim, ClaimsError
from equilibria.companion.claims.verdicts import RANK, Verdict
from equilibria.files import write_atomically
from equilibria.paths import project_root

__all__ = ["Record", "accept", "differences", "lock_path", "read"]

_VERSION = 1


@dataclass(frozen=True)
class Record:
    """`verdicts.lock`: per profile the claims' verdicts and checks, and the history of changes."""

    profiles: dict[str, dict[str, Any]]
    history: list[dict[str, Any]]


def lock_path() -> Path:
    """Where the record lies."""
    return project_root() / "verdicts.lock"


def read(path: Path | None = None) -> Record:
    """The record; an empty one where there is none yet.

    Raises `ClaimsError` for a file that is damaged.
    """
    path = path or lock_path()
    if not path.is_file():
        return Record({}, [])
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] != _VERSION:
            raise ClaimsError(f"{path.name} has version {data['version']}, not {_VERSION}")
        return Record(data["profiles"], data["history"])
    except (ValueError, KeyError, TypeError) as error:
        raise ClaimsError(f"{path.name} is damaged: {error!r}; restore it with git") from error


def differences(
    verdicts: list[Verdict], profile: str, record: Record, *, partial: bool = False
) -> tuple[list[str], list[str]]:
    """(what fails the check, what is merely new or better), each in one line, old and new named.

    ``partial``: only some notebooks were judged, so claims that were not are not missed.
    """
    old, new = record.profiles.get(profile, {}), _entries(verdicts)
    failures, news = [], []
    for verdict in verdicts:
        for finding in verdict.missing:
            failures.append(f"{verdict.claim.id}/{finding.check.id}: no number: {finding.here}")
    for name, entry in new.items():
        if name not in old:
            failures.append(f"{name}: the claim is new ({entry['verdict']})")
            continue
        before = old[name]
        failures += [f"{name}{line}" for line in _moved(before, entry)]
        worse, better = _turned(before["checks"], entry["checks"])
        failures += [f"{name}/{line}" for line in worse]
        news += [f"{name}/{line}" for line in better]
        if entry["verdict"] != before["verdict"]:
            line = f"{name}: {before['verdict']} -> {entry['verdict']}"
            fell = RANK[entry["verdict"]] < RANK[before["verdict"]]
            (failures if fell else news).append(line)
    if not partial:
        failures += [f"{name}: the claim is gone" for name in old if name not in new]
    return failures, news


def accept(
    verdicts: list[Verdict], profile: str, reason: str, *, path: Path | None = None
) -> list[str]:
    """Write the record anew with a reason; returns what changed, in lines.

    Raises `ClaimsError` for an empty reason or a missing number.
    """
    path = path or lock_path()
    if not reason.strip():
        raise ClaimsError("--accept needs a reason that a reader can judge")
    record = read(path)
    missing = [
        f"{verdict.claim.id}/{finding.check.id}"
        for verdict in verdicts
        for finding in verdict.missing
    ]
    if missing:
        raise ClaimsError(f"cannot accept a missing number: {', '.join(missing)}")
    failures, news = differences(verdicts, profile, record)
    changes = failures + news
    profiles = record.profiles | {profile: _entries(verdicts)}
    history = record.history
    if changes:
        date = datetime.date.today().isoformat()
        entry = {"date": date, "profile": profile, "reason": reason.strip(), "changes": changes}
        history = [*history, entry]
    data = {"version": _VERSION, "profiles": profiles, "history": history}
    write_atomically(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    return changes


def _entries(verdicts: list[Verdict]) -> dict[str, Any]:
    """Per claim its verdict, what it states, and its checks, of which the first is the headline."""
    return {verdict.claim.id: _entry(verdict) for verdict in verdicts}


def _entry(verdict: Verdict) -> dict[str, Any]:
    claim = verdict.claim
    states = {finding.check.id: finding.state for finding in verdict.findings}
    stated = {
        "claim": claim.claim,
        "places": list(claim.places),
        "of": "this project" if claim.ours else "the paper",
        "published": claim.published,
        "caveat": claim.caveat,
        "not_run": dict(claim.not_run),
        "order": [check.id for check in claim.checks],
    }
    checks = {
        check.id: _frozen(claim, check) | {"state": states.get(check.id, "not run")}
        for check in claim.checks
    }
    return {"verdict": verdict.word, "stated": stated, "checks": checks}


def _frozen(claim: Claim, check: Check) -> dict[str, Any]:
    """What must not move unseen: where the number lies, what is asked of it, and why."""
    file = check.file if "/" in check.file else f"{claim.notebook}/{check.file}"
    place = check.record or file
    kind = type(check.predicate).__name__
    return {
        "says": check.says,
        "evidence": f"{place}:{check.key}",
        "predicate": {kind: check.predicate.model_dump(mode="json", exclude_none=True)},
        "bound_from": check.bound_from + (f": {check.reason}" if check.reason else ""),
    }


def _moved(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """What a claim says otherwise than the record does, old and new named."""
    lines = [
        f": {part} {before['stated'].get(part)!r} -> {value!r}"
        for part, value in after["stated"].items()
        if before["stated"].get(part) != value
    ]
    old, new = before["checks"], after["checks"]
    lines += [f"/{name}: the check is gone" for name in old if name not in new]
    for name, check in new.items():
        if name not in old:
            lines.append(f"/{name}: the check is new")
            continue
        for part in ("says", "evidence", "predicate", "bound_from"):
            if old[name][part] != check[part]:
                lines.append(f"/{name}: {part} {old[name][part]} -> {check[part]}")
    return lines


def _turned(before: dict[str, Any], after: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Checks that no longer hold, and checks that now do."""
    worse, better = [], []
    for name in before.keys() & after.keys():
        old, new = before[name]["state"], after[name]["state"]
        if old == "holds" and new == "misses":
            worse.append(f"{name}: held, and misses now")
        if old == "misses" and new == "holds":
            better.append(f"{name}: missed, and holds now")
    return sorted(worse), sorted(better)
