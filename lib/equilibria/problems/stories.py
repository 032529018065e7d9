"""Stories in plain English about people who swap what they hold (paper, section 5.4: our own task).

A story asks its question first. The start follows, then what happens, one sentence at a time:

    Who has the ball? Dee has the hat. Ann has the ball. Ann and Bob swap. Cid waves at Bob. ...

After every sentence the answer is one word, the name of the person who has the object now: here
*nobody*, *Ann*, *Bob*, *Bob*. All together hold a permutation of things (some hold nothing), and
each swap is a transposition. Following a permutation of five through a story of any length is
complete for the circuit class NC1 (Barrington 1989). So no model of bounded depth and precision
does it for every length, unless TC0 = NC1 (Liu et al. 2023; Merrill and Sabharwal 2023).

| symbol | meaning |
|---|---|
| n, `length` | sentences after the start |
| S | all sentences of a story: the question, one per object at the start, and n more |

`story_language` has the sentences, and the simulator that owns the truth. Training never sees
`HELD_OUT_SWAP`, `HELD_OUT_QUESTION`, the pairs of `Language.held_out_pairs` in a swap in that
order, or two sentences in a row that change nothing. Each of these is a part of its own in `PARTS`.
Every story belongs to one split, which follows from its sentences.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from equilibria.checks import require, require_int
from equilibria.problems.story_language import NOBODY, OBJECTS, Language, language
from equilibria.splits import reading_test_data

__all__ = [
    "PARTS",
    "SPLITS",
    "Stories",
    "change_one_name",
    "draw",
    "parse",
    "split_of",
]

SPLITS = ("train", "validation", "test")
PARTS = ("plain", "phrasing", "question", "roles", "order")

_IDLE_SHARE = 0.3  # chance that a sentence after a swap changes nothing
_IDLE_AGAIN = 0.5  # that chance after a sentence that changes nothing, in the part "order" alone
_BUCKETS = 10  # of which one is validation, one is test, and the others are training
_PRIME = 2_147_483_647


@dataclass(frozen=True)
class Stories:
    """Stories of one shape.

    sentences  (B, S) int64, indices into the language's sentences
    answers    (B, S) int64, the right word after each sentence, IGNORED after the question itself
    length     n, sentences after the start: the last n of the S
    """

    language: Language
    sentences: Tensor
    answers: Tensor
    length: int

    def text(self, row: int) -> str:
        """One story as it is read."""
        return " ".join(self.language.sentences[i].text for i in self.sentences[row].tolist())

    def answer_words(self, row: int) -> list[str]:
        """The right answers after each of the last n sentences of one story."""
        ids = self.answers[row, -self.length :].tolist()
        return [self.language.words[i] for i in ids]


def split_of(sentences: Tensor) -> Tensor:
    """The split of each story (B, S), decided by its sentences: 0, 1 or 2, an index of `SPLITS`."""
    digest = torch.zeros(len(sentences), dtype=torch.int64)
    for column in sentences.T:
        digest = (digest * 1_000_003 + column + 1) % _PRIME
    digest = digest * 48_271 % _PRIME  # the last sentence alone must not decide
    return (digest // 1009 % _BUCKETS - (_BUCKETS - len(SPLITS))).clamp_min(0)


def draw(
    split: str,
    count: int,
    length: int,
    *,
    generator: torch.Generator | int,
    part: str = "plain",
    objects: int = 3,
    people: int = 5,
) -> Stories:
    """``count`` stories of ``length`` sentences after the start, S = 1 + objects + length.

    split    one of `SPLITS`; training has the part "plain" alone
    part     one of `PARTS`: as in training, or with one thing that training never shows, namely
             the held-out phrasing in every swap, the held-out question, the held-out pairs in every
             swap, or sentences in a row that change nothing
    objects  2 or 3
    people   3 to 5
    Raises ValueError for any other value, and SplitError for test stories while a training runs.

    >>> stories = draw("train", 1, 3, objects=2, generator=3)
    >>> stories.text(0)  # doctest: +ELLIPSIS
    'Who has the hat? Dee has the ball. Eve has the hat. Bob talks with Cid. ...'
    """
    require_int("count", count, least=1)
    require_int("length", length, least=1)
    require(split in SPLITS, "split", split, f"one of {SPLITS}")
    require(part in PARTS, "part", part, f"one of {PARTS}")
    require(objects in (2, 3), "objects", objects, "2 or 3")
    if split == "train" and part != "plain":
        raise ValueError(f"part {part!r} is held out: the split 'train' has the part 'plain' alone")
    if split == "test":
        reading_test_data(f"test stories of {length} sentences")
    stream = _stream(generator)
    spoken = language(people)
    wanted = SPLITS.index(split)
    rows: list[Tensor] = []
    missing = count
    while missing > 0:
        candidates = _candidates(spoken, 2 * missing + 8, length, part, objects, stream)
        matching = candidates[split_of(candidates) == wanted][:missing]
        rows.append(matching)
        missing -= len(matching)
    sentences = torch.cat(rows)
    return Stories(spoken, sentences, spoken.simulate(sentences), length)


def change_one_name(
    stories: Stories, *, generator: torch.Generator | int, where: str = "any"
) -> tuple[Stories, Tensor]:
    """(the same stories with one name in one swap changed, which sentence that is (B,)).

    where  "any": the sentence is drawn from the story's swaps; "first": it is the first of them

    The new name is drawn from those of `Language.neighbours`. Raises ValueError for another
    ``where``, and for a story without a swap.
    """
    require(where in ("any", "first"), "where", where, "'any' or 'first'")
    stream = _stream(generator)
    spoken, sentences = stories.language, stories.sentences.clone()
    places = []
    for row in sentences:
        swaps = [j for j, i in enumerate(row.tolist()) if spoken.sentences[i].kind == "swap"]
        if not swaps:
            raise ValueError("stories: each must have a swap, got one without")
        if where == "first":
            place = swaps[0]
        else:
            place = swaps[int(torch.randint(len(swaps), (), generator=stream))]
        choices = spoken.neighbours(int(row[place]))
        row[place] = choices[int(torch.randint(len(choices), (), generator=stream))]
        places.append(place)
    changed = Stories(spoken, sentences, spoken.simulate(sentences), stories.length)
    return changed, torch.tensor(places)


def parse(text: str, *, people: int = 5) -> Stories:
    """One story that somebody typed: a question, at least one start, then any sentences.

    Raises ValueError, in one line, for unknown words, for a sentence that is not of the language
    and for an order that is no story.
    """
    spoken = language(people)
    parts = re.findall(r"[^.?!]+[.?!]?", text.strip())
    found = [spoken.find(part.strip()) for part in parts]
    kinds = [spoken.sentences[i].kind for i in found]
    starts = kinds.count("start")
    in_order = ["question", *["start"] * starts]
    if kinds[: 1 + starts] != in_order or kinds.count("question") != 1 or not starts:
        raise ValueError(
            "a story begins with one question, then says who has what, then what happens; got "
            + ", ".join(kinds)
        )
    sentences = torch.tensor([found])
    answers = spoken.simulate(sentences)
    if spoken.words[int(answers[0, starts])] == NOBODY:
        raise ValueError("the story does not say who has the object that it asks for")
    return Stories(spoken, sentences, answers, len(found) - 1 - starts)


def _stream(generator: torch.Generator | int) -> torch.Generator:
    """A generator, given one or a seed."""
    if isinstance(generator, torch.Generator):
        return generator
    return torch.Generator().manual_seed(generator)


def _candidates(
    spoken: Language,
    count: int,
    length: int,
    part: str,
    objects: int,
    generator: torch.Generator,
) -> Tensor:
    """Stories (count, S) of a part, whatever their split."""

    def pick(pool: Tensor, *shape: int) -> Tensor:
        return pool[torch.randint(len(pool), shape, generator=generator)]

    # who has what: the objects in the order in which they are named, and their holders
    things = torch.rand(count, len(OBJECTS), generator=generator).argsort(1)[:, :objects]
    holders = torch.rand(count, spoken.people, generator=generator).argsort(1)[:, :objects]
    starts = spoken.pool("start", part).view(len(OBJECTS), spoken.people)[things, holders]
    questions = spoken.pool("question", part).view(len(OBJECTS), -1)
    asked = things.gather(1, torch.randint(objects, (count, 1), generator=generator))[:, 0]
    phrase = torch.randint(questions.shape[1], (count,), generator=generator)
    question = questions[asked, phrase][:, None]

    # what happens
    swaps = pick(spoken.pool("swap", part), count, length)
    idle = pick(spoken.pool("idle", part), count, length)
    chance = torch.rand(count, length, generator=generator)
    again = _IDLE_AGAIN if part == "order" else 0.0
    is_idle = torch.zeros(count, dtype=torch.bool)
    events = []
    for i in range(length):
        is_idle = chance[:, i] < torch.where(is_idle, again, _IDLE_SHARE)
        events.append(torch.where(is_idle, idle[:, i], swaps[:, i]))
    return torch.cat([question, starts, torch.stack(events, 1)], 1)
