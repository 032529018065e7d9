"""What finished models do with the test stories, which nothing else reads."""

from __future__ import annotations

from itertools import product
from typing import Any

import torch

from equilibria.problems.stories import PARTS, Stories, draw, parse
from equilibria.studies.stories.contrast import contrast_pairs, pair_scores
from equilibria.studies.stories.measure import rest, right_along_t
from equilibria.studies.stories.model import RECORDS, answers_along_t, load, model_kind, names

__all__ = ["LENGTHS", "TIMES", "answer_story", "evaluate", "record", "reports"]

LENGTHS = (4, 8, 12, 24, 48)  # sentences after the start of the stories that `evaluate` asks
TIMES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384)  # and 2 n, 8 n
_COUNT = 200
_AT_REST = 100  # stories on which the loop is asked whether it comes to rest
_PART_LENGTH = 24


def _times(kind: str, length: int) -> list[int]:
    """The numbers of loops for stories of a length: up to 8 n; an explicit model makes one pass."""
    if kind:
        return [1]
    return sorted({t for t in TIMES if t <= 8 * length} | {2 * length, 8 * length})


def evaluate(
    name: str,
    *,
    seed: int,
    profile: str = "paper",
    count: int = _COUNT,
    split: str = "test",
    device: str = "cpu",
) -> dict[str, Any]:
    """What a finished model does with ``count`` stories of each kind.

    along_t    per length n the share of right answers at each t, up to 8 n
    parts      the same for each held-out part, at 24 sentences
    contrast   per length `pair_scores` of ``count`` contrast pairs, with the changed name in any
               swap or in the first one
    at_rest    per length `rest` at t = 8 n of 100 stories (the loop alone)
    """
    kind = model_kind(name)
    model, card = load(name, seed=seed, profile=profile)
    model.to(device)
    report: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "profile": profile,
        "split": split,
        "stories": count,
    }
    report |= {key: card[key] for key in ("sha256", "parameters", "seconds", "metrics")}
    along_t = []
    for length in LENGTHS:
        stories = draw(split, count, length, generator=1)
        times = _times(kind, length)
        along_t.append({"length": length, "t": times, **right_along_t(model, stories, times)})
    parts = []
    for part in PARTS:
        stories = draw(split, count, _PART_LENGTH, generator=2, part=part)
        times = _times(kind, _PART_LENGTH)
        parts.append({"part": part, "t": times, **right_along_t(model, stories, times)})
    contrast = []
    for length, where in product(LENGTHS[2:], ("any", "first")):
        pairs = contrast_pairs(split, count, length, seed=3, where=where)
        times = _times(kind, length)
        scores = pair_scores(model, pairs, times)
        contrast.append({"length": length, "where": where, "t": times, **scores})
    report |= {"along_t": along_t, "parts": parts, "contrast": contrast}
    if not kind:
        at_rest = []
        for length in LENGTHS[2:]:
            stories = draw(split, min(count, _AT_REST), length, generator=4)
            settled = rest(model, stories, settle=8 * length)
            at_rest.append({"length": length, **settled})
        report["at_rest"] = at_rest
    return report


def record(*, profile: str = "paper", minutes: float | None = None, device: str = "cpu") -> bool:
    """Keep `evaluate` of every finished model; whether all are there."""
    return RECORDS.record(names(profile), evaluate, profile=profile, minutes=minutes, device=device)


def reports(name: str, *, profile: str = "paper") -> list[dict[str, Any]]:
    """The recorded `evaluate` of every seed of a model, whether its weights are at hand or not."""
    return RECORDS.reports(name, profile=profile)


@torch.no_grad()
def answer_story(
    text: str, steps: int, *, name: str = "stories", seed: int = 0
) -> list[tuple[str, str, str]]:
    """(sentence, the model's answer after ``steps`` loops, the right answer) of a typed story.

    There is one entry per sentence after the start. Raises ValueError, in one line, for a story
    that cannot be read.
    """
    stories: Stories = parse(text)
    if stories.length < 1:
        raise ValueError(f"the story ends where it starts; say what happens next, got {text!r}")
    model, _ = load(name, seed=seed)
    given = answers_along_t(model, stories, [steps])[0, 0].tolist()
    spoken = stories.language
    sentences = [spoken.sentences[i].text for i in stories.sentences[0, -stories.length :].tolist()]
    words = [spoken.words[i] for i in given]
    return list(zip(sentences, words, stories.answer_words(0), strict=True))
