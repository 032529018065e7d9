"""What finished models do with the test stories, which nothing else reads. Recorded once."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch

from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.problems.stories import PARTS, Stories, draw, parse
from equilibria.studies.language.loops import rest
from equilibria.studies.stories.contrast import contrast_pairs, pair_scores, pair_texts
from equilibria.studies.stories.measure import right_along_t
from equilibria.studies.stories.model import (
    LONGEST,
    RECORDS,
    answers_along_t,
    load,
    model_kind,
    names,
    read,
    reports,
)
from equilibria.studies.stories.summary import recorded
from equilibria.training.records import Record, header, rounded

__all__ = [
    "LENGTHS",
    "answer_story",
    "asked_again",
    "evaluate",
    "evaluate_all",
    "example",
    "loops_asked",
    "measure_stories",
    "telling_pair",
]

LENGTHS = (4, 8, 12, 24, 48)  # sentences after the start of the stories that `evaluate` asks
_LONG = (12, 24, 48)  # lengths of the contrast pairs
_PART_LENGTH = 24
_REST_LENGTH = 48
_TIMES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96)
_COUNT = 200
_AT_REST = 100  # stories on which the loop is asked whether it comes to rest
# Seeds of the test stories of each kind. Those of 1 to 4 were asked of the first models, whose
# answers led to the present recipe; so the present models are asked others.
_ALONG_T, _OF_PARTS, _OF_PAIRS, _OF_REST = 11, 12, 13, 14


def loops_asked(kind: str, length: int, *, beyond: bool = False) -> list[int]:
    """The numbers of loops for stories of a length: up to 2 n, and ``beyond`` that 4 n and 8 n.

    An explicit model makes one pass.
    """
    if kind:
        return [1]
    times = {t for t in _TIMES if t <= 2 * length} | {2 * length}
    if beyond:
        times |= {4 * length, 8 * length}
    return sorted(times)


def evaluate(
    name: str, *, seed: int, profile: str = "paper", count: int = _COUNT, device: str = "cpu"
) -> Record:
    """The record of one finished model: what it does with ``count`` test stories of each kind.

    along_t    per length n the share of right answers at each t, up to 8 n
    parts      for each held-out part the same at t = 2 n, 24 sentences
    contrast   per length `pair_scores` of ``count`` contrast pairs up to t = 2 n, with the changed
               name in any swap or in the first one
    at_rest    `rest` at t = 4 n of 100 stories of 48 sentences (the loop alone)

    An explicit model makes one pass from z_0 = 0, the start that it was trained from.
    """
    kind = model_kind(name)
    model, card = load(name, seed=seed, profile=profile)
    model.to(device)
    report = header(name, seed, profile, card) | {"metrics": card["metrics"], "stories": count}
    along_t, parts, contrast = [], [], []
    for length in LENGTHS:
        stories = draw("test", count, length, generator=_ALONG_T)
        times = loops_asked(kind, length, beyond=True)
        right = right_along_t(model, stories, times)
        along_t.append({"length": length, "t": times, **_round(right)})
    for part in PARTS:
        stories = draw("test", count, _PART_LENGTH, generator=_OF_PARTS, part=part)
        right = right_along_t(model, stories, [loops_asked(kind, _PART_LENGTH)[-1]])
        parts.append({"part": part, "last": right["last"][0], "all": right["all"][0]})
    for length, where in product(_LONG, ("any", "first")):
        pairs = contrast_pairs("test", count, length, seed=_OF_PAIRS, where=where)
        times = loops_asked(kind, length)
        scores = pair_scores(model, pairs, times)
        contrast.append({"length": length, "where": where, "t": times, **_round(scores)})
    report |= {"along_t": along_t, "parts": parts, "contrast": contrast}
    if not kind:
        stories = draw("test", min(count, _AT_REST), _REST_LENGTH, generator=_OF_REST)
        with torch.no_grad():
            x = read(model, stories)
        settled = rest(model, x, settle=4 * _REST_LENGTH)
        residual = settled.pop("residual")
        report["at_rest"] = {"length": _REST_LENGTH, **_round(settled), "residual": residual}
    return report


def evaluate_all(*, profile: str, minutes: float | None = None, device: str | None = None) -> bool:
    """Record every finished model whose record is missing or belongs to other weights.

    Stops after ``minutes``; the same call goes on. True when all records are there.
    """
    return RECORDS.record(
        names(profile), evaluate, profile=profile, minutes=minutes, device=device or "cpu"
    )


def example(length: int, *, seed: int) -> Stories:
    """One test story to look at."""
    return draw("test", 1, length, generator=seed)


def measure_stories(*, device: str = "cpu") -> dict[str, Any]:
    """What the records of every model and seed say: `recorded`.

    The first loop is asked the stories of 12 sentences again: ``asked_again`` is the largest
    difference from its record, as a share of the stories.
    """
    records = {model_kind(name) or "loop": reports(name) for name in names("paper")}
    record = records["loop"][0]
    model, _ = load("stories", seed=record["seed"])
    return recorded(records) | {"asked_again": asked_again(model.to(device), record, LONGEST)}


def asked_again(model: LoopedTransformer, report: Record, length: int) -> float:
    """The largest difference between a record's shares of right last answers and those found now.

    The model is asked the recorded test stories of one length, at t <= 2 n.
    """
    (recorded,) = (row for row in report["along_t"] if row["length"] == length)
    times = [t for t in recorded["t"] if t <= 2 * length]
    stories = draw("test", report["stories"], length, generator=_ALONG_T)
    now = right_along_t(model, stories, times)["last"]
    then: list[float] = recorded["last"][: len(times)]
    return max(abs(a - b) for a, b in zip(now, then, strict=True))


def telling_pair(
    model: LoopedTransformer, length: int, times: Sequence[int], *, seed: int, count: int = 20
) -> dict[str, Any]:
    """The paper's Table 2 for one contrast pair of test stories that differ in their first swap.

    Of ``count`` pairs it is the one whose right answers differ most, the first of them in a tie.
    stories  the two texts
    t        the ``times``
    answers  `pair_texts`: per t the words answered to both, wrong ones marked with *
    right    the right words of both
    """
    pairs = contrast_pairs("test", count, length, seed=seed, where="first")
    differ = (pairs.first.answers != pairs.second.answers).sum(1)
    row = int(differ.argmax())
    *answers, right = pair_texts(model, pairs, row, times)
    texts = [pairs.first.text(row), pairs.second.text(row)]
    return {"stories": texts, "t": list(times), "answers": answers, "right": right}


@torch.no_grad()
def answer_story(
    text: str, steps: int, *, name: str = "stories", seed: int = 0
) -> list[tuple[str, str, str]]:
    """(sentence, the model's answer after ``steps`` loops, the right answer) of a typed story.

    There is one entry per sentence after the start. Raises ValueError, in one line, for a story
    that cannot be read.
    """
    stories = parse(text)
    if stories.length < 1:
        raise ValueError(f"the story ends where it starts; say what happens next, got {text!r}")
    model, _ = load(name, seed=seed)
    given = answers_along_t(model, stories, [steps])[0, 0].tolist()
    spoken = stories.language
    sentences = [spoken.sentences[i].text for i in stories.sentences[0, -stories.length :].tolist()]
    words = [spoken.words[i] for i in given]
    return list(zip(sentences, words, stories.answer_words(0), strict=True))


def _round(measured: dict[str, Any]) -> dict[str, Any]:
    """Numbers and lists of numbers, to five decimal places."""
    entries = {}
    for key, value in measured.items():
        entries[key] = rounded(value) if isinstance(value, list) else round(float(value), 5)
    return entries
