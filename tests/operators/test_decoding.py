"""Decoding: cached as uncached, each sequence as if alone, early exit."""

from itertools import pairwise

import pytest
import torch
from equilibria.operators.decoding import early_exit, generate
from looped_models import KINDS, SMALL, model_of, tokens_of


@KINDS
@pytest.mark.parametrize("start_seed", [None, 3], ids=["zero", "seeded"])
def test_cached_decoding_equals_uncached_token_for_token(architecture, start_seed):
    model, tokens = model_of(architecture), tokens_of(architecture, batch=3)
    cached = generate(model, tokens, 5, 9, start_seed=start_seed).tokens
    uncached = generate(model, tokens, 5, 9, start_seed=start_seed, cache=False).tokens
    assert torch.equal(cached, uncached)
    assert cached.shape == (3, 9)
    text = tokens  # both are what the whole loop says, one token after the other
    for i in range(9):
        logits = model.run(text, 5, start_seed=start_seed)
        assert torch.equal(logits[:, -1].argmax(-1), cached[:, i])
        text = torch.cat([text, cached[:, i : i + 1]], 1)
    assert len(set(cached.flatten().tolist())) > 2


def test_a_start_state_and_the_seed_that_draws_it_give_the_same():
    model, tokens = model_of(SMALL), tokens_of(SMALL)
    start = model.random_start(2, 7 + 4, seed=3)
    given = generate(model, tokens, 2, 4, start=start).tokens
    assert torch.equal(given, generate(model, tokens, 2, 4, start_seed=3).tokens)


def test_cached_decoding_reuses_every_loop_step():
    """Each new token runs each block once per loop on one position: counted, not timed."""
    model, tokens = model_of(SMALL), tokens_of(SMALL)
    lengths = []
    model.transformer.core_block[0].register_forward_hook(
        lambda module, inputs, output: lengths.append(output.shape[1])
    )
    generate(model, tokens, 4, 3)
    assert lengths == [7] * 4 + [1] * 8


@pytest.mark.parametrize("cache", [True, False], ids=["cached", "uncached"])
def test_prompts_of_different_lengths_are_answered_as_if_alone(cache):
    model, tokens = model_of(SMALL), tokens_of(SMALL, batch=3)
    lengths = torch.tensor([2, 7, 5])
    together = generate(model, tokens, 3, 6, lengths=lengths, start_seed=2, cache=cache).tokens
    for i, n in enumerate(lengths.tolist()):
        prompt = tokens[i : i + 1, :n]
        alone = generate(model, prompt, 3, 6, start_seed=2, cache=cache).tokens[0]
        assert torch.equal(together[i], alone)


def test_generation_ends():
    model, tokens = model_of(SMALL), tokens_of(SMALL, batch=3)
    free = generate(model, tokens, 3, 8).tokens
    end = free[0, 2].item()
    stopped = generate(model, tokens, 3, 8, end=end).tokens
    for before, after in zip(free.tolist(), stopped.tolist(), strict=True):
        cut = before.index(end) if end in before else 8
        assert after == before[:cut] + [end] * (8 - cut)


@pytest.mark.parametrize("cache", [True, False], ids=["cached", "uncached"])
def test_generation_stops_when_all_have_ended(cache):
    """What is left is filled with the end token, on which no iteration was spent."""
    model, tokens = model_of(SMALL), tokens_of(SMALL, batch=1)
    end = generate(model, tokens, 3, 1).tokens[0, 0].item()
    stopped = generate(model, tokens, 3, 4, end=end, cache=cache)
    assert stopped.tokens.tolist() == [[end] * 4]
    assert stopped.steps.tolist() == [[3, 0, 0, 0]]


@pytest.mark.parametrize("cache", [True, False], ids=["cached", "uncached"])
def test_early_exit_at_no_tolerance_changes_nothing(cache):
    model, tokens = model_of(SMALL), tokens_of(SMALL)
    plain = generate(model, tokens, 6, 8, cache=cache)
    exiting = generate(model, tokens, 6, 8, tol=1e-300, cache=cache)
    assert torch.equal(plain.tokens, exiting.tokens)
    assert (exiting.steps == 6).all()
    assert (plain.steps == 6).all()


def contracting(architecture):
    """A loop that converges fast: the adapter hardly looks at the state."""
    model = model_of(architecture)
    with torch.no_grad():
        model.transformer.adapter.weight[:, : architecture.width] *= 0.02
    return model


def test_early_exit_saves_loops_and_keeps_the_tokens():
    model, tokens = contracting(SMALL), tokens_of(SMALL, batch=3)
    full = generate(model, tokens, 40, 8)
    for cache in (True, False):
        exited = generate(model, tokens, 40, 8, tol=1e-8, cache=cache)
        assert torch.equal(full.tokens, exited.tokens)
        assert exited.steps.min() >= 2
        assert exited.steps.max() < 25
    together = generate(model, tokens, 40, 8, tol=1e-8).steps
    for i in range(3):
        alone = generate(model, tokens[i : i + 1], 40, 8, tol=1e-8).steps
        assert torch.equal(alone[0], together[i])


def test_early_exit_of_single_sequences_is_the_same_with_a_cache():
    """Sequences that end at different loops leave the cache of their neighbours as it is."""
    model, tokens = contracting(SMALL), tokens_of(SMALL, batch=4)
    scale = torch.logspace(-6, 6, 4, dtype=torch.float64)[:, None, None]
    start = torch.randn(4, 7 + 5, 24, dtype=torch.float64) * scale
    together = generate(model, tokens, 40, 5, start=start, tol=1e-8)
    assert any(len(set(steps)) > 1 for steps in together.steps.T.tolist())
    for i in range(4):
        alone = generate(model, tokens[i : i + 1], 40, 5, start=start[i : i + 1], tol=1e-8)
        assert torch.equal(alone.tokens[0], together.tokens[i])
        assert torch.equal(alone.steps[0], together.steps[i])


def test_each_sequence_stops_at_its_own_loop():
    model, tokens = contracting(SMALL), tokens_of(SMALL, batch=6)
    logits, _ = early_exit(model, tokens, 40, tol=1e-8)
    torch.testing.assert_close(logits, model.run(tokens, 40), rtol=1e-6, atol=1e-6)
    scale = torch.logspace(-6, 6, 6, dtype=torch.float64)[:, None, None]
    start = torch.randn(6, 7, 24, dtype=torch.float64) * scale
    _, spent = early_exit(model, tokens, 40, tol=1e-8, start=start)
    assert len(set(spent.tolist())) > 1
    for i in range(6):  # it stops at the first loop whose movement is within the tolerance
        states = model.states(tokens[i : i + 1], 40, start=start[i : i + 1])
        path = torch.cat([start[i : i + 1][None], states])
        at_rest = [
            (after - before).norm() <= 1e-8 * after.norm() for before, after in pairwise(path)
        ]
        assert spent[i] == at_rest.index(True) + 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m, t: generate(m, t, 2, 26),
            "a prompt of 7 tokens and max_new_tokens = 26 exceed the context of 32",
        ),
        (lambda m, t: generate(m, t, 2, 0), "max_new_tokens must be at least 1, got 0"),
        (lambda m, t: generate(m, t, -1, 3), "steps must be at least 1, got -1"),
        (lambda m, t: generate(m, t[0], 2, 3), r"tokens must be an integer tensor \(B, n\)"),
        (
            lambda m, t: generate(m, t, 2, 3, lengths=torch.tensor([0, 7])),
            r"lengths must be 2 numbers from 1 to 7, got \[0, 7\]",
        ),
        (lambda m, t: generate(m, t, 2, 3, start=0), "start must be a tensor, got 0"),
        (lambda m, t: early_exit(m, t, 2, tol=0.0), "tol must be positive, got 0.0"),
    ],
    ids=["long", "nothing-new", "negative-steps", "one-dimension", "lengths", "start", "tol"],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(model_of(SMALL), tokens_of(SMALL))
