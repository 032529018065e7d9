"""Evidence: the numbers that a profile's runs left in result files and records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from equilibria.companion.claims.model import Check, Claim
from equilibria.companion.claims.values import NoEvidence
from equilibria.companion.provenance import misfit
from equilibria.paths import data_folder, figures_folder

__all__ = ["look_up", "other_value", "value"]


def value(claim: Claim, check: Check, profile: str, *, unfinished: str | None = None) -> Any:
    """What a check judges.

    ``unfinished`` names a notebook whose run need not have ended: it looks at its own results.
    Raises `NoEvidence` where the number is not there.
    """
    return _read(claim, check, check.key, profile, unfinished)


def other_value(
    claim: Claim, check: Check, key: str, profile: str, *, unfinished: str | None = None
) -> Any:
    """The value under another key of the same file, of another model's records, or published.

    ``case/model:key`` names the records of another model, ``published:key`` the claim's own
    published numbers.
    """
    source, colon, rest = key.partition(":")
    if source == "published":
        return look_up(claim.published, rest)
    if colon:
        return _records(source, rest, profile)
    return _read(claim, check, key, profile, unfinished)


def look_up(data: Any, key: str) -> Any:
    """The value under a dotted path.

    A whole number is a position where a list is met; ``*`` stands for every entry of a list or
    table and makes a list of what it finds. Raises `NoEvidence` where the path ends early.
    """
    return _follow(data, key.split("."), key)


def _follow(data: Any, parts: list[str], key: str) -> Any:
    if not parts:
        return data
    part, *rest = parts
    if part == "*":
        if not isinstance(data, list | dict) or not data:
            raise NoEvidence(f"no {key} in the results")
        entries = list(data.values()) if isinstance(data, dict) else data
        return [_follow(entry, rest, key) for entry in entries]
    try:
        entry = data[int(part)] if isinstance(data, list) else data[part]
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise NoEvidence(f"no {key} in the results") from error
    return _follow(entry, rest, key)


def _read(claim: Claim, check: Check, key: str, profile: str, unfinished: str | None) -> Any:
    if check.record is not None:
        return _records(check.record, key, profile)
    notebook, _, file = check.file.rpartition("/")
    notebook = notebook or claim.notebook
    folder = figures_folder() / profile / notebook
    if notebook != unfinished:
        _require_present_run(folder / "provenance.json", notebook, profile)
    return look_up(_json(folder / f"{file}.json"), key)


def _require_present_run(path: Path, notebook: str, profile: str) -> None:
    """Raise `NoEvidence` unless a run of the present notebook, lock and weights has ended."""
    if not path.is_file():
        raise NoEvidence(f"{notebook} has no finished run for {profile}")
    found = _json(path)
    if not isinstance(found, dict):
        raise NoEvidence(f"{path.name} of {notebook} is damaged")
    reason = misfit(found, notebook, profile)
    if reason is not None:
        raise NoEvidence(f"{notebook} must be run again: {reason}")


def _records(record: str, key: str, profile: str) -> Any:
    """One entry per seed from the records of a model.

    Records lie where the weights do: those that are shipped in the folder of the case, of whatever
    profile they are, and those of another profile one folder deeper.
    """
    case, _, model = record.partition("/")
    folder = data_folder() / "checkpoints" / case
    deeper = folder / profile / "test"
    found = [_record(path) for path in sorted(deeper.glob(f"{model}-seed[0-9]*.json"))]
    if not found:
        shipped = sorted((folder / "test").glob(f"{model}-seed[0-9]*.json"))
        found = [_record(path) for path in shipped]
        if profile != "quick":
            found = [entry for entry in found if entry.get("profile") == profile]
    if not found:
        raise NoEvidence(f"no record of {record}: run `equilibria evaluate {case}`")
    return [look_up(entry, key) for entry in found]


def _record(path: Path) -> Any:
    """One record; raises `NoEvidence` where the weights beside it are others."""
    entry = _json(path)
    card = path.parents[1] / path.name  # some records are shipped without their weights
    if card.is_file() and entry.get("sha256") != _json(card).get("sha256"):
        case = path.parents[1].name
        raise NoEvidence(f"{path.stem} was measured of other weights: `equilibria evaluate {case}`")
    return entry


def _json(path: Path) -> Any:
    if not path.is_file():
        raise NoEvidence(f"there is no {path.name} in {path.parent.name}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise NoEvidence(f"{path.name} of {path.parent.name} is damaged: {error}") from error
