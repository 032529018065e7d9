"""The shipped loops on validation stories; broken on purpose, they lose the claims."""

import pytest
import torch
from equilibria.companion.claims import load as load_claims
from equilibria.problems.stories import draw
from equilibria.studies import stories
from equilibria.studies.language.reasoning import without_state_norm

N = 12  # the longest stories of training
SEEDS = stories.seeds("stories")
CLAIMS = {claim.id: claim for claim in load_claims()}
each_seed = pytest.mark.parametrize("seed", SEEDS)


@pytest.fixture(scope="module")
def asked():
    return draw("validation", 200, N, generator=7)


@pytest.fixture
def model(seed):
    return stories.load("stories", seed=seed)[0]


@torch.no_grad()
def last_right(model, drawn, steps, start=None):
    """The share of right last answers after ``steps`` loops from a start state, or from 0."""
    x = stories.read(model, drawn)
    z = model.start(x) if start is None else start
    for _ in range(steps):
        z = model(z, x)
    answers = model.decode(z[:, -1:]).argmax(-1)[:, 0]
    return (answers == drawn.answers[:, -1]).double().mean().item()


def wins(share):
    """Whether a share of right answers holds the headline check of `stories-need-loops`."""
    return CLAIMS["stories-need-loops"].headline.predicate.holds([share], None)


@each_seed
def test_the_trained_loop_wins(model, asked):
    assert wins(last_right(model, asked, 2 * N))


@each_seed
def test_one_pass_loses(model, asked):
    share = last_right(model, asked, 1)
    assert not wins(share)
    assert share < 0.3


@each_seed
def test_without_its_norm_the_loop_loses(model, asked):
    share = last_right(without_state_norm(model), asked, 2 * N)
    assert not wins(share)
    assert share < 0.3


@each_seed
def test_a_random_start_far_away_loses(model, asked):
    """The loop was trained from zero. From ten times a normal it brings most stories back."""
    stream = torch.Generator().manual_seed(1)
    start = 10 * torch.randn(len(asked.sentences), 4 + N, 64, generator=stream)
    share = last_right(model, asked, 2 * N, start)
    assert not wins(share)
    assert share > 0.7


@each_seed
def test_a_random_start_does_not_help_one_pass(model, asked):
    start = model.random_start(len(asked.sentences), 4 + N, seed=1)
    assert last_right(model, asked, 1, start) < 0.3


@each_seed
def test_the_ratio_of_broken_loops_does_not_reach_that_of_the_right_answers(model):
    pairs = stories.contrast_pairs("validation", 100, N, seed=7)
    checks = {check.id: check for check in CLAIMS["stories-lipschitz"].checks}
    reached = checks["ends-at-the-right-answers"].predicate
    healthy = stories.pair_scores(model, pairs, [1, 2 * N])
    broken = stories.pair_scores(without_state_norm(model), pairs, [2 * N])
    assert reached.holds([healthy["ratio"][1] / healthy["right_ratio"]], None)
    assert not reached.holds([healthy["ratio"][0] / healthy["right_ratio"]], None)
    assert not reached.holds([broken["ratio"][0] / healthy["right_ratio"]], None)


def test_the_block_once_is_at_chance_beyond_training():
    model, _ = stories.load("stories-once", seed=stories.seeds("stories-once")[0])
    far = draw("validation", 200, 2 * N, generator=7)
    at_chance = CLAIMS["stories-explicit"].headline.predicate
    assert at_chance.holds([last_right(model, far, 1)], None)
    loop, _ = stories.load("stories", seed=SEEDS[0])
    assert not at_chance.holds([last_right(loop, far, 4 * N)], None)
