"""What is measured of the word senses: answers, their scores, and early exit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import torch
from torch import Tensor

from equilibria.operators.decoding import generate
from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.problems.word_senses import Prompt, Vocabulary, levenshtein, word_f1, words
from equilibria.studies.language.loops import device_of
from equilibria.studies.language.senses import tasks

__all__ = [
    "AnswerScores",
    "Exit",
    "PairScores",
    "answer_question",
    "answer_scores",
    "answers",
    "answers_with_loops",
    "exits",
    "pair_scores",
    "prompt_tokens",
    "prompts_of_one_length",
    "same_answer_share",
]

_BATCH = 128  # questions that are answered at once


class AnswerScores(TypedDict):
    """Means over answers.

    f1        word F1 with the definition
    exact     share of answers with all its words, in order
    distance  words to edit to reach it
    """

    f1: float
    exact: float
    distance: float


class PairScores(TypedDict):
    """The paper's Figs. 8-9 at one t, over contrast pairs.

    ratio, spread  word-level Levenshtein distance of the answers over that of the questions: mean
                   and standard deviation
    right_ratio    mean ratio of the right answers
    distance       mean words to edit to reach the right answer
    same           share of pairs whose two questions get the same answer
    """

    ratio: float
    spread: float
    right_ratio: float
    distance: float
    same: float


class Exit(AnswerScores):
    """Early exit at one tolerance: mean iterations per token, and the scores of the answers."""

    tol: float
    loops: float


def answers(
    model: LoopedTransformer,
    prompts: Sequence[Prompt],
    steps: int,
    *,
    start_seed: int | None = 0,
    new_tokens: int = 40,
) -> list[str]:
    """The greedy answers after ``steps`` iterations per token, in the order of the prompts.

    ``start_seed`` draws the random start state; None starts from zeros.
    """
    texts, _ = answers_with_loops(
        model, prompts, steps, start_seed=start_seed, new_tokens=new_tokens
    )
    return texts


def answers_with_loops(
    model: LoopedTransformer,
    prompts: Sequence[Prompt],
    steps: int,
    *,
    start_seed: int | None = 0,
    new_tokens: int = 40,
    tol: float | None = None,
) -> tuple[list[str], list[float]]:
    """(answers, mean iterations per token of each answer up to and with its end).

    ``tol`` is the tolerance of early exit, None for none.
    """
    texts: list[str] = []
    loops: list[float] = []
    for first in range(0, len(prompts), _BATCH):
        tokens, lengths = _padded(prompts[first : first + _BATCH], device_of(model))
        made = generate(
            model,
            tokens,
            steps,
            new_tokens,
            lengths=lengths,
            start_seed=start_seed,
            end=Vocabulary.END,
            tol=tol,
        )
        for ids, spent in zip(made.tokens.tolist(), made.steps.tolist(), strict=True):
            length = ids.index(Vocabulary.END) + 1 if Vocabulary.END in ids else len(ids)
            texts.append(tasks.vocabulary().decode(ids))
            loops.append(sum(spent[:length]) / length)
    return texts, loops


def answer_question(
    model: LoopedTransformer,
    question: str,
    steps: int,
    *,
    start_seed: int | None = 0,
    new_tokens: int = 40,
) -> str:
    """The answer to a question in one's own words.

    Raises ValueError for a question that is empty, too long or holds an unknown word.
    """
    tokens = torch.tensor([tasks.vocabulary().question(question)])
    made = generate(model, tokens, steps, new_tokens, start_seed=start_seed, end=Vocabulary.END)
    return tasks.vocabulary().decode(made.tokens[0].tolist())


def answer_scores(prompts: Sequence[Prompt], texts: Sequence[str]) -> AnswerScores:
    """How near the answers ``texts`` come to the definitions that the prompts ask for."""
    f1 = 0.0
    exact = 0
    distance = 0
    for prompt, text in zip(prompts, texts, strict=True):
        definition = prompt.sense.definition
        f1 += word_f1(text, definition)
        exact += words(text) == words(definition)
        distance += _distance(text, definition)
    count = len(prompts)
    return AnswerScores(f1=f1 / count, exact=exact / count, distance=distance / count)


def pair_scores(pairs: Sequence[tuple[Prompt, Prompt]], texts: Mapping[Prompt, str]) -> PairScores:
    """The scores of the answers ``texts`` over contrast pairs."""
    ratios: list[float] = []
    right_ratios: list[float] = []
    distances: list[int] = []
    same = 0
    for a, b in pairs:
        between_questions = _distance(a.text, b.text)
        ratios.append(_distance(texts[a], texts[b]) / between_questions)
        right = _distance(a.sense.definition, b.sense.definition)
        right_ratios.append(right / between_questions)
        distances.append(_distance(texts[a], a.sense.definition))
        distances.append(_distance(texts[b], b.sense.definition))
        same += texts[a] == texts[b]
    ratio = torch.tensor(ratios, dtype=torch.float64)
    return PairScores(
        ratio=ratio.mean().item(),
        spread=ratio.std().item(),
        right_ratio=sum(right_ratios) / len(pairs),
        distance=sum(distances) / len(distances),
        same=same / len(pairs),
    )


def _distance(a: str, b: str) -> int:
    """The word-level Levenshtein distance of two texts."""
    return levenshtein(words(a), words(b))


def exits(
    model: LoopedTransformer, prompts: Sequence[Prompt], tolerances: Sequence[float], *, limit: int
) -> list[Exit]:
    """Early exit at each tolerance, after at most ``limit`` iterations per token."""
    rows = []
    for tol in tolerances:
        texts, loops = answers_with_loops(model, prompts, limit, tol=tol)
        scores = answer_scores(prompts, texts)
        rows.append(Exit(tol=tol, loops=sum(loops) / len(loops), **scores))
    return rows


def same_answer_share(answers_by_start: Sequence[Sequence[str]]) -> float:
    """The share of questions that get the same answer from every start.

    ``answers_by_start`` holds the answers to the same questions, one list per start.
    """
    same = [len(set(given)) == 1 for given in zip(*answers_by_start, strict=True)]
    return sum(same) / len(same)


def prompts_of_one_length(prompts: Sequence[Prompt], count: int) -> list[Prompt]:
    """The first ``count`` prompts that are as long, in tokens, as the first of all."""
    lengths = [len(tasks.vocabulary().question(prompt.text)) for prompt in prompts]
    chosen = [
        prompt for prompt, length in zip(prompts, lengths, strict=True) if length == lengths[0]
    ]
    return chosen[:count]


def prompt_tokens(prompts: Sequence[Prompt]) -> Tensor:
    """The tokens (B, n) of questions of one length, as `loops` needs them.

    Raises ValueError for prompts of several lengths.
    """
    tokens, lengths = _padded(prompts, torch.device("cpu"))
    distinct = sorted(set(lengths.tolist()))
    if len(distinct) != 1:
        raise ValueError(f"prompts must be of one length in tokens, got {distinct}")
    return tokens


def _padded(prompts: Sequence[Prompt], device: torch.device) -> tuple[Tensor, Tensor]:
    """(tokens (B, n), padded on the right, lengths (B,))."""
    rows = [torch.tensor(tasks.vocabulary().question(prompt.text)) for prompt in prompts]
    lengths = torch.tensor([len(row) for row in rows], device=device)
    tokens = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=Vocabulary.PAD)
    return tokens.to(device), lengths
