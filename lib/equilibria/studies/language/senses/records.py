"""Records of the word senses: what a finished model answers, and all seeds side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.problems.word_senses import Prompt, Split, contrast_pairs
from equilibria.studies.language.senses import tasks
from equilibria.studies.language.senses.measures import answer_scores, answers, pair_scores

__all__ = ["TIMES", "answer_record", "scores_along_t", "unpacked"]

# The loops at which a record answers the held-out questions of each kind.
TIMES = {"phrasing": (1, 2, 4, 8, 16, 32, 64, 128), "context": (1, 2, 4, 8, 16, 32)}
_ANSWER_SCORES = ("f1", "exact", "distance")
_PAIR_SCORES = ("ratio", "spread", "distance", "same")


def answer_record(
    model: LoopedTransformer, name: str, *, count: int | None = None
) -> dict[str, Any]:
    """What a record holds: ``answers``, and ``texts``, each different answer once.

    Each entry of ``answers`` names a ``part`` of the held-out questions and a time ``t``; its
    ``texts`` are the places of the answers in the common list, in the part's order. ``count``
    limits the questions of each part; an explicit model is asked at t = 1 alone.
    """
    explicit = "-" in name
    asked: list[tuple[str, int, list[str]]] = []
    for part, times in TIMES.items():
        prompts = _part(tasks.split(), part)[:count]
        for t in times[:1] if explicit else times:
            asked.append((part, t, answers(model, prompts, t)))
    distinct: set[str] = set()
    for _, _, given in asked:
        distinct.update(given)
    texts = sorted(distinct)
    place = {text: i for i, text in enumerate(texts)}
    rows = []
    for part, t, given in asked:
        rows.append({"part": part, "t": t, "texts": [place[text] for text in given]})
    return {"answers": rows, "texts": texts}


def unpacked(record: dict[str, Any]) -> dict[str, Any]:
    """A record whose ``answers`` hold the texts themselves; the common list is left out."""
    rows = []
    for row in record["answers"]:
        rows.append(row | {"texts": [record["texts"][i] for i in row["texts"]]})
    rest = {key: value for key, value in record.items() if key != "texts"}
    return rest | {"answers": rows}


def scores_along_t(records: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(answers, pairs): the scores of a model's `unpacked` records, all seeds side by side.

    answers  ``t``[part], and ``f1``, ``exact``, ``distance`` of `answer_scores`, each [part] with
             one row per t and one column per seed
    pairs    ``t``, and ``ratio``, ``spread``, ``distance``, ``same`` of `pair_scores` over the
             contrast pairs in new phrasings, with rows and columns alike; one ``right_ratio``
    """
    by_answer: dict[str, Any] = {
        name: {part: [] for part in TIMES} for name in ("t", *_ANSWER_SCORES)
    }
    by_pair: dict[str, Any] = {name: [] for name in ("t", *_PAIR_SCORES)}
    for rows in zip(*(record["answers"] for record in records), strict=True):
        part, t = rows[0]["part"], rows[0]["t"]
        prompts = _part(tasks.split(), part)[: len(rows[0]["texts"])]
        by_answer["t"][part].append(t)
        scores = [answer_scores(prompts, row["texts"]) for row in rows]
        for name in _ANSWER_SCORES:
            by_answer[name][part].append([dict(score)[name] for score in scores])
        if part == "phrasing":
            by_pair["t"].append(t)
            _append_pair_scores(by_pair, prompts, [row["texts"] for row in rows])
    return by_answer, by_pair


def _append_pair_scores(
    by_pair: dict[str, Any], prompts: Sequence[Prompt], texts_by_seed: Sequence[Sequence[str]]
) -> None:
    pairs = contrast_pairs(prompts)
    scores = [pair_scores(pairs, dict(zip(prompts, texts, strict=True))) for texts in texts_by_seed]
    by_pair["right_ratio"] = scores[0]["right_ratio"]
    for name in _PAIR_SCORES:
        by_pair[name].append([dict(score)[name] for score in scores])


def _part(split: Split, part: str) -> tuple[Prompt, ...]:
    return {"phrasing": split.phrasing, "context": split.context}[part]
