"""The reasoning tasks: labels against a plain loop, seeds, bad arguments."""

import pytest
import torch
from equilibria.problems.reasoning import IGNORED, pointer_chasing, running_sums


@pytest.mark.parametrize("modulus", [2, 5])
def test_running_sums_are_those_of_a_plain_loop(modulus):
    questions = running_sums(50, 20, modulus=modulus, generator=3)
    assert (
        questions.tokens.shape == questions.answers.shape == (50, 21)
        and questions.vocabulary == modulus + 1
    )
    for tokens, answers in zip(questions.tokens.tolist(), questions.answers.tolist(), strict=True):
        assert tokens[0] == modulus and answers[0] == IGNORED
        total = 0
        for symbol, answer in zip(tokens[1:], answers[1:], strict=True):
            total = (total + symbol) % modulus
            assert answer == total
    assert set(questions.tokens[:, 1:].flatten().tolist()) == set(range(modulus))


@pytest.mark.parametrize("joint", [True, False], ids=["joint", "separate"])
def test_pointers_are_chased_as_by_a_plain_loop(joint):
    size, hops = 6, 9
    questions = pointer_chasing(50, size, hops, joint=joint, generator=4)
    assert questions.tokens.max() < questions.vocabulary == (size + 2 + 36 if joint else size + 2)
    orders = set()
    for tokens, answers in zip(questions.tokens.tolist(), questions.answers.tolist(), strict=True):
        begin, given, (start, *rest) = tokens[0], tokens[1 : -hops - 1], tokens[-hops - 1 :]
        assert begin == size and rest == [size + 1] * hops
        pairs = (
            [divmod(t - size - 2, size) for t in given]
            if joint
            else list(zip(given[::2], given[1::2], strict=True))
        )
        assert sorted(s for s, _ in pairs) == sorted(t for _, t in pairs) == list(range(size))
        orders.add(tuple(s for s, _ in pairs))
        follow, reached = dict(pairs), start
        assert answers[:-hops] == [IGNORED] * (len(tokens) - hops)
        for answer in answers[-hops:]:
            reached = follow[reached]
            assert answer == reached
    assert len(orders) > 10


def test_a_seed_and_its_generator_draw_the_same_and_a_generator_moves_on():
    for draw in (
        lambda g: running_sums(4, 8, generator=g),
        lambda g: pointer_chasing(4, 5, 3, generator=g),
    ):
        generator = torch.Generator().manual_seed(7)
        first, second = draw(generator), draw(generator)
        assert torch.equal(draw(7).tokens, first.tokens) and torch.equal(
            draw(7).answers, first.answers
        )
        assert not torch.equal(first.tokens, second.tokens) and not torch.equal(
            draw(8).tokens, first.tokens
        )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: running_sums(0, 4, generator=0), "count must be an int of at least 1, got 0"),
        (lambda: running_sums(2, 0, generator=0), "length must be an int of at least 1, got 0"),
        (lambda: running_sums(2, 4.0, generator=0), "length must be an int of at least 1, got 4.0"),
        (
            lambda: running_sums(2, 4, modulus=1, generator=0),
            "modulus must be an int of at least 2, got 1",
        ),
        (
            lambda: running_sums(2, 4, generator=-1),
            "generator must be an int of at least 0, got -1",
        ),
        (lambda: pointer_chasing(2, 1, 3, generator=0), "size must be an int of at least 2, got 1"),
        (lambda: pointer_chasing(2, 4, 0, generator=0), "hops must be an int of at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
