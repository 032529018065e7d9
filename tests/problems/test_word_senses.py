"""The word senses: file, split, questions, contrast pairs, tokenizer and word measures."""

import itertools
import random

import pytest
from equilibria.problems import word_senses
from equilibria.problems.word_senses import (
    HELD_OUT_PHRASINGS,
    PHRASINGS,
    Vocabulary,
    WordSensesError,
    contrast_pairs,
    levenshtein,
    word_f1,
    words,
)


@pytest.fixture(scope="module")
def senses():
    return word_senses.load()


@pytest.fixture(scope="module")
def split(senses):
    return word_senses.split(senses)


def test_the_file_is_as_large_as_it_should_be(senses):
    assert len({sense.word for sense in senses}) >= 60 and len(senses) >= 180
    assert len({sense.definition for sense in senses}) == len(senses)
    assert len(set(PHRASINGS)) == len(PHRASINGS) >= 12 and len(HELD_OUT_PHRASINGS) == 2
    kinds = [{"{field}" in phrasing, "{context}" in phrasing} for phrasing in PHRASINGS]
    assert kinds == [{True, False}] * len(PHRASINGS) and all(
        "{word}" in phrasing for phrasing in PHRASINGS
    )


def test_a_context_gives_its_sense_and_not_the_definition(senses):
    """No two senses of a word share a context, and no context gives the definition away."""
    for _, group in itertools.groupby(senses, key=lambda sense: sense.word):
        contexts = [context for sense in group for context in sense.contexts]
        assert len(set(contexts)) == len(contexts)
    assert not any(sense.definition in context for sense in senses for context in sense.contexts)


def test_the_repositorys_file_is_found_wherever_the_data_lies(senses, tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    assert word_senses.load() == senses


def test_the_split_keeps_what_it_holds_out(senses, split):
    train = {(p.sense, p.context) for p in split.train}
    assert not {p.phrasing for p in split.train} & set(HELD_OUT_PHRASINGS) and {
        p.phrasing for p in split.phrasing
    } == set(HELD_OUT_PHRASINGS)
    assert {(p.sense, p.context) for p in split.phrasing} <= train  # only the phrasing is new
    held = {p.context for p in split.context}
    assert (
        len(held) >= 40
        and not held & {context for _, context in train}
        and not held & {p.context for p in split.phrasing}
    )
    assert {p.phrasing for p in split.context} == {p for p in PHRASINGS if "{context}" in p} - set(
        HELD_OUT_PHRASINGS
    )
    for sense in senses:  # no held-out context is the sole evidence
        assert (sense, None) in train and any(
            (sense, context) in train for context in sense.contexts
        )
    known = {w for p in split.train for text in (p.text, p.sense.definition) for w in words(text)}
    assert {w for p in split.phrasing + split.context for w in words(p.text)} <= known


def test_the_questions_say_what_they_should(split):
    texts = [p.text for p in split.train]
    assert "Explain what charge means in criminal law." in texts
    assert "The court read out the charge. What does charge mean here?" in texts
    for prompt in split.train + split.phrasing + split.context:
        assert prompt.sense.word in words(prompt.text) and "{" not in prompt.text
        assert (prompt.context or prompt.sense.field) in prompt.text


def common_prefix(a, b):
    """How many words two texts share from their beginning on; they differ somewhere."""
    for i, (v, w) in enumerate(zip(a, b, strict=False)):
        if v != w:
            return i
    raise AssertionError("one text is the beginning of the other")


def test_contrast_pairs_differ_by_one_phrase(split):
    for prompts in (split.train, split.phrasing):
        pairs = contrast_pairs(prompts)
        assert len(pairs) > 200 and {"{field}" in a.phrasing for a, _ in pairs} == {True, False}
        for a, b in pairs:
            assert a.sense.word == b.sense.word and a.sense != b.sense and a.phrasing == b.phrasing
            assert 1 <= levenshtein(words(a.text), words(b.text)) <= 4
            before = common_prefix(words(a.text), words(b.text))
            after = common_prefix(words(a.text)[::-1], words(b.text)[::-1])
            assert len(words(a.text)) - before - after <= 4
    texts = {frozenset((a.text, b.text)) for a, b in contrast_pairs(split.train)}
    assert {
        "The court read out the charge. What does charge mean here?",
        "The meter showed the charge. What does charge mean here?",
    } in texts


GOOD = "word,field,definition,context_1,context_2\n" + "".join(
    f"bank,{field},{' '.join([field] * 12)},The bank.,A bank.\n"
    for field in ("finance", "geography")
)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("context_2\n", "sentence\n", r":1 the columns are .*'sentence'\], expected"),
        ("The bank.", "", ":2 has 4 filled columns, expected 5"),
        ("The bank.,A bank.\nbank", "The bank.\nbank", ":2 has 4 filled columns, expected 5"),
        (
            " ".join(["finance"] * 12),
            "too short",
            ":2 the definition has 2 words, expected 12 to 30",
        ),
        (" ".join(["finance"] * 12), "long " * 31, ":2 the definition has 31 words"),
        (
            " ".join(["geography"] * 12),
            " ".join(["finance"] * 12),
            ":3 repeats the definition of line 2",
        ),
        ("bank,geography", "bank,finance", ":3 repeats the field of line 2"),
        ("The bank.", "The shore.", ":2 the context 'The shore.' does not hold the word 'bank'"),
        (
            "bank,geography",
            "shore,geography",
            "the context 'The bank.' does not hold the word 'shore'",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_line(tmp_path, old, new, message):
    path = tmp_path / "senses.csv"
    path.write_text(GOOD)
    assert [sense.field for sense in word_senses.load(path)] == ["finance", "geography"]
    assert GOOD.count(old) >= 1
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(WordSensesError, match=f"senses.csv.*{message}"):
        word_senses.load(path)


def test_other_bad_files_are_named(tmp_path):
    path = tmp_path / "senses.csv"
    with pytest.raises(WordSensesError, match=r"senses\.csv cannot be read"):
        word_senses.load(path)
    for text, message in (
        ("", "the columns are"),
        (GOOD.splitlines()[0] + "\n", "holds no senses"),
        ("\n".join(GOOD.splitlines()[:2]) + "\n", "'bank' has 1 fields, expected 2 to 4"),
    ):
        path.write_text(text)
        with pytest.raises(WordSensesError, match=message):
            word_senses.load(path)


def test_levenshtein_is_the_shortest_edit():
    def recursive(a, b):
        if not a or not b:
            return len(a) + len(b)
        return min(
            recursive(a[1:], b) + 1,
            recursive(a, b[1:]) + 1,
            recursive(a[1:], b[1:]) + (a[0] != b[0]),
        )

    draw = random.Random(0)
    for _ in range(100):
        a, b = ([draw.choice("xyz") for _ in range(draw.randrange(6))] for _ in range(2))
        assert levenshtein(a, b) == recursive(a, b)


@pytest.mark.parametrize(
    ("answer", "truth", "expected"),
    [
        ("a dog barks", "a dog barks", 1.0),
        ("a dog, barks.", "A dog barks", 1.0),
        ("a cat", "the dog", 0.0),
        ("", "the dog", 0.0),
        ("dog dog dog dog", "dog cat", 2 * 0.25 * 0.5 / 0.75),
        ("one two three", "three two", 0.8),
    ],
)
def test_word_f1(answer, truth, expected):
    assert word_f1(answer, truth) == pytest.approx(expected)


def test_the_vocabulary_turns_text_into_tokens_and_back(split):
    vocabulary = Vocabulary(text for p in split.train for text in (p.text, p.sense.definition))
    assert vocabulary.tokens[:4] == ("<pad>", "<begin>", "<answer>", "<end>") and len(
        set(vocabulary.tokens)
    ) == len(vocabulary)
    for prompt in split.phrasing + split.context:
        ids = vocabulary.question(prompt.text)
        assert (
            ids[0] == Vocabulary.BEGIN
            and ids[-1] == Vocabulary.ANSWER
            and vocabulary.decode(ids) == prompt.text.lower()
        )
        answer = vocabulary.answer(prompt.sense.definition)
        assert (
            answer[-1] == Vocabulary.END
            and vocabulary.decode([*answer, 7, 8]) == prompt.sense.definition.lower()
        )


def test_bad_questions_are_refused():
    vocabulary = Vocabulary(["What does charge mean here?"])
    with pytest.raises(ValueError, match="unknown token 'chrage', did you mean 'charge'"):
        vocabulary.question("What does chrage mean here?")
    with pytest.raises(ValueError, match=r"unknown token '<'$"):
        vocabulary.encode("<end>")
    with pytest.raises(
        ValueError, match="must hold at least one word, got ' ': the prompt is empty"
    ):
        vocabulary.question(" ")
