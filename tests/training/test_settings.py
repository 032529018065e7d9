"""Settings of a training: schedules, refusals, and batches that depend on (seed, step) alone."""

import pytest
import torch
from equilibria import training


def test_minibatches_cover_the_data_once_per_epoch():
    def epoch(number):
        batches = [training.minibatch(10, 3, seed=1, step=3 * number + i) for i in range(3)]
        return torch.cat(batches).tolist()

    assert len(set(epoch(0))) == 9
    assert len(set(epoch(1))) == 9
    assert epoch(0) != epoch(1)


def test_a_minibatch_depends_on_seed_and_step_alone():
    batch = training.minibatch(10, 3, seed=1, step=4)
    assert torch.equal(training.minibatch(10, 3, seed=1, step=4), batch)
    assert not torch.equal(training.minibatch(10, 3, seed=2, step=4), batch)


def test_a_minibatch_larger_than_the_data_is_refused():
    with pytest.raises(ValueError, match="size must be at most count = 3, got 4"):
        training.minibatch(3, 4, seed=0, step=0)


@pytest.mark.parametrize(
    ("schedule", "step", "rate"),
    [
        ("linear", 0, 0.1),
        ("linear", 50, 0.5),
        ("linear", 99, 0.01),
        ("cosine", 50, 0.5),
        ("constant", 99, 1.0),
    ],
)
def test_the_learning_rate_follows_its_schedule(schedule, step, rate):
    settings = training.Settings(steps=100, learning_rate=1.0, warmup=9, schedule=schedule)
    assert settings.rate(step) == pytest.approx(rate)


@pytest.mark.parametrize(
    ("name", "value", "need"),
    [
        ("steps", 0, "positive"),
        ("learning_rate", -1.0, "positive"),
        ("clip", 0.0, "positive"),
        ("validate_every", 0, "positive"),
        ("ema", 1.0, "above 0 and below 1"),
        ("schedule", "step", "one of linear, cosine, constant"),
        ("warmup", -1, "at least 0"),
    ],
)
def test_impossible_settings_are_refused(name, value, need):
    values = {"steps": 10, "learning_rate": 0.1} | {name: value}
    with pytest.raises(ValueError, match=f"{name} must be {need}, got {value!r}"):
        training.Settings(**values)
