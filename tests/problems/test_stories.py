import re
from itertools import pairwise, permutations

import pytest
import torch
from equilibria.problems.reasoning import IGNORED
from equilibria.problems.stories import PARTS, SPLITS, change_one_name, draw, parse, split_of
from equilibria.problems.story_language import (
    NOBODY,
    PEOPLE,
    QUESTIONS,
    SWAPS,
    language,
    split_words,
)

SWAP_VERBS = r"(swap|swaps|trade|trades)\b"


def told(text):
    """The answers of a second simulator, which reads the words and keeps everybody's hands."""
    question, *rest = re.findall(r"[^.?]+[.?]", text)
    asked = re.search("ball|hat|key", question).group()
    holds, answers = {}, []
    for sentence in rest:
        named = re.findall("|".join(PEOPLE), sentence)
        if " has the " in sentence:
            holds[named[0]] = re.search("ball|hat|key", sentence).group()
        elif re.search(SWAP_VERBS, sentence):
            a, b = named
            holds[a], holds[b] = holds.get(b), holds.get(a)
        who = [person for person, thing in holds.items() if thing == asked]
        answers.append(who[0] if who else NOBODY)
    return answers


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(("people", "objects"), [(3, 2), (3, 3), (5, 3)])
def test_answers_are_those_of_a_simulator_that_reads_the_words(part, people, objects):
    drawn = draw("test", 20, 9, generator=1, part=part, people=people, objects=objects)
    assert drawn.sentences.shape == (20, 1 + objects + 9)
    for row in range(20):
        answers = told(drawn.text(row))
        expected = [drawn.language.words[i] for i in drawn.answers[row, 1:].tolist()]
        assert answers == expected
        assert drawn.answer_words(row) == answers[-9:]
    assert (drawn.answers[:, 0] == IGNORED).all()
    nobody = drawn.language.words.index(NOBODY)
    assert (drawn.answers[:, objects:] != nobody).all()


def test_the_state_is_a_permutation_of_five_and_swaps_reach_all_of_them():
    spoken = language()
    identity = tuple(range(5))
    reached, fresh = {identity}, {identity}
    swaps = spoken.after[spoken.pool("swap", "plain")].tolist()
    while fresh:
        fresh = {tuple(swap[p] for p in state) for state in fresh for swap in swaps} - reached
        reached |= fresh
    assert reached == set(permutations(range(5)))
    idle = spoken.after[spoken.pool("idle", "plain")]
    assert (idle == torch.arange(5)).all()


def test_every_sentence_is_short_english_and_reads_back():
    spoken = language()
    assert len({sentence.text for sentence in spoken.sentences}) == len(spoken.sentences)
    for i, sentence in enumerate(spoken.sentences):
        assert sentence.text[0].isupper()
        assert sentence.text[-1] in ".?"
        assert spoken.find(sentence.text) == i
        words = [spoken.words[j] for j in spoken.tokens[i, : spoken.lengths[i]].tolist()]
        assert words == split_words(sentence.text)
        assert 4 <= len(words) <= 6
    assert len(SWAPS) >= 4
    assert len(QUESTIONS) >= 3
    assert len(spoken.words) < 40


def test_the_held_out_phrasings_have_no_new_word():
    spoken = language()
    shown = {
        word
        for kind in ("question", "start", "swap", "idle")
        for i in spoken.pool(kind, "plain").tolist()
        for word in split_words(spoken.sentences[i].text)
    }
    assert {*shown, "", NOBODY} == set(spoken.words)


def kinds(drawn):
    return [[drawn.language.sentences[i] for i in row] for row in drawn.sentences.tolist()]


@pytest.mark.parametrize("split", SPLITS)
def test_training_never_shows_what_is_held_out(split):
    drawn = draw(split, 300, 12, generator=2)
    for row in kinds(drawn):
        assert row[0].phrase < len(QUESTIONS)
        for before, sentence in pairwise(row):
            if sentence.kind == "swap":
                assert sentence.phrase < len(SWAPS)
                assert sentence.people not in drawn.language.held_out_pairs
            assert (before.kind, sentence.kind) != ("idle", "idle")


def test_each_part_shows_its_own_thing_and_nothing_else_that_is_held_out():
    for part in PARTS:
        phrases, pairs, questions, runs = set(), set(), set(), 0
        drawn = draw("validation", 100, 12, generator=3, part=part)
        for row in kinds(drawn):
            questions.add(row[0].phrase == len(QUESTIONS))
            for before, sentence in pairwise(row):
                if sentence.kind == "swap":
                    phrases.add(sentence.phrase == len(SWAPS))
                    pairs.add(sentence.people in drawn.language.held_out_pairs)
                runs += before.kind == sentence.kind == "idle"
        assert phrases == {part == "phrasing"}
        assert pairs == {part == "roles"}
        assert questions == {part == "question"}
        assert (runs > 0) == (part == "order")


@pytest.mark.parametrize("people", [3, 4, 5])
def test_held_out_pairs_are_shown_the_other_way_round(people):
    spoken = language(people)
    assert len(spoken.held_out_pairs) == people
    assert not {(b, a) for a, b in spoken.held_out_pairs} & spoken.held_out_pairs


def test_a_story_belongs_to_one_split_which_its_sentences_decide():
    for number, split in enumerate(SPLITS):
        drawn = draw(split, 200, 2, generator=7)
        assert (split_of(drawn.sentences) == number).all()


def test_draws_follow_from_the_seed():
    first, again, other = (draw("train", 5, 4, generator=seed) for seed in (5, 5, 6))
    assert torch.equal(first.sentences, again.sentences)
    assert not torch.equal(first.sentences, other.sentences)


@pytest.mark.parametrize("part", PARTS)
def test_one_changed_name_is_one_changed_word_of_the_same_part(part):
    drawn = draw("test", 50, 8, generator=4, part=part)
    changed, place = change_one_name(drawn, generator=5)
    for row in range(50):
        pairs = list(zip(drawn.text(row).split(), changed.text(row).split(), strict=True))
        assert sum(a != b for a, b in pairs) == 1
        assert told(changed.text(row))[-8:] == changed.answer_words(row)
        i = int(place[row])
        same = drawn.answers[row, :i] == changed.answers[row, :i]
        assert same.all()
        new = drawn.language.sentences[int(changed.sentences[row, i])]
        assert new.people not in drawn.language.held_out_pairs


def test_the_first_swap_can_be_the_one_that_is_changed():
    drawn = draw("test", 30, 8, generator=4)
    _, places = change_one_name(drawn, generator=5, where="first")
    for row, place in zip(kinds(drawn), places.tolist(), strict=True):
        assert [sentence.kind for sentence in row].index("swap") == place
    with pytest.raises(ValueError, match="where must be"):
        change_one_name(drawn, generator=5, where="last")


def test_a_typed_story_is_read():
    story = parse(
        "Who has the ball? Ann has the ball. Bob has the hat.  Ann and bob swap. "
        "Eve looks at the clock."
    )
    assert story.length == 2
    assert story.answer_words(0) == ["Bob", "Bob"]
    assert story.answers[0].tolist()[0] == IGNORED


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "Who has the ball? Ann has the ball. Zoe and Bob swap.",
            "unknown word 'zoe' in 'Zoe and Bob swap.'",
        ),
        ("Who has the ball? Ann has the ball. Ann swap Bob.", "is no sentence"),
        ("Ann has the ball. Ann and Bob swap.", "begins with one question"),
        ("Who has the ball? Ann and Bob swap.", "begins with one question"),
        ("Who has the key? Ann has the ball. Ann and Bob swap.", "does not say who has"),
        ("", "begins with one question"),
    ],
)
def test_what_cannot_be_read_gets_one_clear_line(text, message):
    with pytest.raises(ValueError, match=message) as error:
        parse(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"split": "all"}, "split"),
        ({"part": "names"}, "part"),
        ({"split": "train", "part": "roles"}, "held out"),
        ({"count": 0}, "count"),
        ({"length": 0}, "length"),
        ({"objects": 4}, "objects"),
        ({"people": 2}, "people"),
        ({"people": 6}, "people"),
    ],
)
def test_arguments_that_cannot_be_are_named(arguments, message):
    given = {"split": "test", "count": 2, "length": 3, "generator": 1} | arguments
    with pytest.raises(ValueError, match=message):
        draw(given.pop("split"), given.pop("count"), given.pop("length"), **given)


def test_a_story_without_swaps_has_no_name_to_change():
    story = parse("Who has the ball? Ann has the ball. Eve looks at the clock.")
    with pytest.raises(ValueError, match="must have a swap"):
        change_one_name(story, generator=0)
    with pytest.raises(ValueError, match="begin with its question"):
        language().simulate(story.sentences[:, 1:])
