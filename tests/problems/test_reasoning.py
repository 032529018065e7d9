"""The reasoning tasks: labels against a plain loop, seeds, bad arguments."""

import pytest
import torch
from equilibria.problems.reasoning import IGNORED, running_sums


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


def test_a_seed_and_its_generator_draw_the_same_and_a_generator_moves_on():
    def draw(generator):
        return running_sums(4, 8, generator=generator)

    generator = torch.Generator().manual_seed(7)
    first, second = draw(generator), draw(generator)
    assert torch.equal(draw(7).tokens, first.tokens)
    assert torch.equal(draw(7).answers, first.answers)
    assert not torch.equal(first.tokens, second.tokens)
    assert not torch.equal(draw(8).tokens, first.tokens)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: running_sums(0, 4, generator=0), ValueError, "count must be at least 1, got 0"),
        (lambda: running_sums(2, 0, generator=0), ValueError, "length must be at least 1, got 0"),
        (lambda: running_sums(2, 4.0, generator=0), TypeError, "length must be an int, got 4.0"),
        (
            lambda: running_sums(2, 4, modulus=1, generator=0),
            ValueError,
            "modulus must be at least 2, got 1",
        ),
        (
            lambda: running_sums(2, 4, generator=-1),
            ValueError,
            "generator must be at least 0, got -1",
        ),
    ],
)
def test_bad_arguments_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
