"""Contrast prompts: 200 pairs, all different, which differ in the field alone."""

from equilibria.problems.contrast_prompts import PHRASINGS, SENSES, contrast_prompts


def test_there_are_200_different_pairs_always_the_same():
    pairs = contrast_prompts()
    prompts = {prompt for pair in pairs for prompt in (pair.first, pair.second)}
    assert len(pairs) == 200 and len(prompts) == 400
    assert pairs == contrast_prompts()
    assert pairs[0].first == "Explain what charge means in electromagnetism."


def test_the_two_prompts_differ_in_the_field_alone():
    for pair in contrast_prompts():
        first, second = SENSES[pair.word]
        assert first != second
        assert pair.first.count(first) == 1
        assert pair.first.replace(first, second) == pair.second
        assert pair.word in pair.first.replace(first, "")


def test_each_phrasing_names_word_and_field_once():
    for phrasing in PHRASINGS:
        assert phrasing.count("{word}") == 1 and phrasing.count("{field}") == 1
