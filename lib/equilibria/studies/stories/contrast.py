"""Contrast pairs: two stories that differ by one word, and how much more their answers differ.

The paper's Figs. 8-9 and Table 2 for stories. A pair's ratio is the word-level Levenshtein distance
of what the model gives back over that of the stories, either of the answers only, or as the paper's
experiments computed it: of prompt plus answer, split at white space.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.problems.edit_distance import levenshtein
from equilibria.problems.stories import Stories, change_one_name, draw
from equilibria.problems.story_language import Language
from equilibria.studies.stories.model import answers_along_t

__all__ = ["Pairs", "contrast_pairs", "pair_scores", "pair_texts"]


@dataclass(frozen=True)
class Pairs:
    """Stories and the same stories with one name changed.

    place  (B,) which sentence was changed, counted from the question as 0
    """

    first: Stories
    second: Stories
    place: Tensor


def contrast_pairs(
    split: str, count: int, length: int, *, seed: int, where: str = "any", part: str = "plain"
) -> Pairs:
    """``count`` pairs of a split, ``length`` sentences after the start.

    where  "any": the changed name is in any of the swaps; "first": in the first one
    """
    generator = torch.Generator().manual_seed(seed)
    first = draw(split, count, length, generator=generator, part=part)
    second, place = change_one_name(first, generator=generator, where=where)
    return Pairs(first, second, place)


def pair_scores(
    model: LoopedTransformer, pairs: Pairs, times: Sequence[int]
) -> dict[str, list[float] | float]:
    """What the model makes of contrast pairs at each t in ``times``; the stories differ by 1 word.

    changed, worst   answers that differ within a pair: mean, and largest
    ratio, spread    answers only: Levenshtein ratio, mean and standard deviation over the pairs
    released, released_spread
                     the same of prompt plus answer
    distance         mean words to edit to reach the right answers
    last             share of right last answers
    right_...        `changed` to `released_spread` of the right answers themselves
    """
    first_truth, second_truth = _truths(pairs)
    both = _both(pairs)
    answers = answers_along_t(model, both, times)  # (times, 2 B, n)
    count = len(pairs.place)
    first_prompts, second_prompts = _prompts(pairs.first), _prompts(pairs.second)

    def compare(first: Tensor, second: Tensor) -> dict[str, float]:
        changed = (first != second).sum(1).double()
        ratio = levenshtein(list(first), list(second)).double()
        whole = levenshtein(
            [torch.cat(text) for text in zip(first_prompts, first, strict=True)],
            [torch.cat(text) for text in zip(second_prompts, second, strict=True)],
        )
        return {
            "changed": changed.mean().item(),
            "worst": changed.max().item(),
            "ratio": ratio.mean().item(),
            "spread": ratio.std().item(),
            "released": whole.double().mean().item(),
            "released_spread": whole.double().std().item(),
        }

    scores: dict[str, list[float] | float] = {}
    for key, value in compare(first_truth, second_truth).items():
        scores[f"right_{key}"] = value
    truth = torch.cat([first_truth, second_truth])
    rows = []
    for given in answers:
        row = compare(given[:count], given[count:])
        row["distance"] = levenshtein(list(given), list(truth)).double().mean().item()
        row["last"] = (given[:, -1] == truth[:, -1]).double().mean().item()
        rows.append(row)
    for key in rows[0]:
        scores[key] = [row[key] for row in rows]
    return scores


def pair_texts(
    model: LoopedTransformer, pairs: Pairs, row: int, times: Sequence[int]
) -> list[dict[str, list[str]]]:
    """Table 2 for one pair: per t the words answered to both stories, the wrong ones marked with *.

    Each entry has `first` and `second`, a word per sentence; the last entry has the right words.
    """
    both = _both(pairs)
    stories = Stories(
        both.language,
        both.sentences[[row, row + len(pairs.place)]],
        both.answers[[row, row + len(pairs.place)]],
        both.length,
    )
    truth = stories.answers[:, -stories.length :]
    table = []
    for given in [*answers_along_t(model, stories, times), truth]:
        first, second = (
            _marked(stories.language, words, right)
            for words, right in zip(given, truth, strict=True)
        )
        table.append({"first": first, "second": second})
    return table


def _marked(spoken: Language, given: Tensor, truth: Tensor) -> list[str]:
    words = []
    for word, right in zip(given.tolist(), truth.tolist(), strict=True):
        words.append(spoken.words[word] + ("" if word == right else "*"))
    return words


def _both(pairs: Pairs) -> Stories:
    """The first stories, then the second ones."""
    return Stories(
        pairs.first.language,
        torch.cat([pairs.first.sentences, pairs.second.sentences]),
        torch.cat([pairs.first.answers, pairs.second.answers]),
        pairs.first.length,
    )


def _truths(pairs: Pairs) -> tuple[Tensor, Tensor]:
    n = pairs.first.length
    return pairs.first.answers[:, -n:], pairs.second.answers[:, -n:]


def _numbers(spoken: Language) -> dict[str, int]:
    """A number for each word between white space; a name without a mark has its answer's number."""
    numbers = {word: i for i, word in enumerate(spoken.words)}
    for sentence in spoken.sentences:
        for word in sentence.text.split():
            numbers.setdefault(word, len(numbers))
    return numbers


def _prompts(stories: Stories) -> list[Tensor]:
    """Each story as the numbers of its words between white space."""
    numbers = _numbers(stories.language)
    prompts = []
    for row in range(len(stories.sentences)):
        words = stories.text(row).split()
        prompts.append(torch.tensor([numbers[word] for word in words]))
    return prompts
