"""The training loop: a stopped run ends where an unstopped one does, divergence is met, settings are checked."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from equilibria import checkpoints, training
from torch import nn

SETTINGS = training.Settings(
    steps=60, learning_rate=0.05, clip=1.0, warmup=5, ema=0.9, seed=3, save_every=10
)


def new_model():
    torch.manual_seed(0)
    return nn.Linear(4, 1)


def regression(model, step, generator):
    """Noisy batches of a fixed linear problem, drawn from the step's own generator."""
    x = torch.randn(16, 4, generator=generator)
    return ((model(x) - x @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]])) ** 2).mean()


def test_it_learns_and_keeps_the_average(tmp_path):
    model = new_model()
    settings = training.Settings(steps=400, learning_rate=0.05, seed=0, ema=0.9)
    outcome = training.train(
        model,
        regression,
        settings=settings,
        stem=tmp_path / "m",
        progress=False,
        validate=lambda m: {
            "error": (m.weight - torch.tensor([1.0, -2.0, 0.5, 3.0])).abs().max().item()
        },
    )
    assert outcome.finished and outcome.step == 400 and outcome.metrics["error"] < 0.02
    again = new_model()
    card = checkpoints.load(tmp_path / "m", again)
    assert (
        torch.equal(again.weight, model.weight)
        and card["metrics"] == outcome.metrics
        and card["training"]["steps"] == 400
    )


def test_a_stopped_run_ends_in_the_same_weights(tmp_path):
    whole = new_model()
    training.train(whole, regression, settings=SETTINGS, stem=tmp_path / "whole", progress=False)
    sittings = 0
    while True:
        part = new_model()
        outcome = training.train(
            part,
            regression,
            settings=SETTINGS,
            stem=tmp_path / "part",
            minutes=1e-9,
            progress=False,
        )
        sittings += 1
        if outcome.finished:
            break
        assert not (tmp_path / "part.json").exists()
    assert sittings == 6  # it stops at every saving
    assert torch.equal(whole.weight, part.weight) and torch.equal(whole.bias, part.bias)
    assert not list(tmp_path.glob("*.state.safetensors"))


def test_the_loss_keeps_its_memory_over_a_stop(tmp_path):
    def remembering(model, step, generator):
        memory["sum"] += 1
        return regression(model, step, generator) + 0 * memory["sum"]

    for minutes in (1e-9, None):
        memory = {"sum": torch.zeros(())}
        training.train(
            new_model(),
            remembering,
            settings=SETTINGS,
            stem=tmp_path / "m",
            memory=memory,
            minutes=minutes,
            progress=False,
        )
    assert memory["sum"] == SETTINGS.steps


SCRIPT = """
import sys, time
sys.path.insert(0, {tests!r})
import test_loop as t
def slow(model, step, generator):
    time.sleep(0.02)
    return t.regression(model, step, generator)
t.training.loop.time.monotonic = lambda clock=time.monotonic: clock() * 1000  # every saving reaches the disk
t.training.train(t.new_model(), slow, settings=t.SETTINGS, stem={stem!r}, progress=False)
"""


def test_killed_in_the_middle_it_completes_with_the_same_weights(tmp_path):
    whole = new_model()
    training.train(whole, regression, settings=SETTINGS, stem=tmp_path / "whole", progress=False)
    script = SCRIPT.format(tests=os.path.dirname(__file__), stem=str(tmp_path / "killed"))
    process = subprocess.Popen([sys.executable, "-c", script])
    state = tmp_path / "killed.state.safetensors"
    for _ in range(3000):
        if state.exists() or process.poll() is not None:
            break
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL and not (tmp_path / "killed.json").exists()
    resumed = new_model()
    assert training.train(
        resumed, regression, settings=SETTINGS, stem=tmp_path / "killed", progress=False
    ).finished
    assert torch.equal(whole.weight, resumed.weight)


def test_a_state_of_other_settings_or_a_damaged_one_is_refused(tmp_path):
    training.train(
        new_model(),
        regression,
        settings=SETTINGS,
        stem=tmp_path / "m",
        minutes=1e-9,
        progress=False,
    )
    other = training.Settings(steps=60, learning_rate=0.01, save_every=10)
    with pytest.raises(
        checkpoints.CheckpointError,
        match="m.state.safetensors belongs to a training with other settings",
    ):
        training.train(new_model(), regression, settings=other, stem=tmp_path / "m", progress=False)
    (tmp_path / "m.state.safetensors").write_bytes(b"no")
    with pytest.raises(checkpoints.CheckpointError, match="m.state.safetensors is damaged"):
        training.train(
            new_model(), regression, settings=SETTINGS, stem=tmp_path / "m", progress=False
        )


def test_divergence_rolls_back_and_halves_the_rate(tmp_path):
    calls = []

    def explodes_once(model, step, generator):
        calls.append(step)
        return regression(model, step, generator) * (
            float("nan") if calls.count(25) == 1 and step == 25 else 1.0
        )

    model = new_model()
    outcome = training.train(
        model, explodes_once, settings=SETTINGS, stem=tmp_path / "m", progress=False
    )
    assert (
        outcome.finished and calls.count(25) == 2 and calls.count(20) == 2 and calls.count(19) == 1
    )
    assert torch.isfinite(model.weight).all()


def test_lasting_divergence_is_an_error_that_says_what_to_do(tmp_path):
    with pytest.raises(
        training.TrainingDiverged, match=r"m: the loss is nan at step 0 .* smaller one than 0.05"
    ):
        training.train(
            new_model(),
            lambda m, s, g: regression(m, s, g) * float("nan"),
            settings=SETTINGS,
            stem=tmp_path / "m",
            progress=False,
        )


def test_the_best_weights_of_a_validation_are_kept(tmp_path):
    settings = training.Settings(
        steps=30, learning_rate=0.1, schedule="constant", validate_every=10, seed=0
    )
    scores, weights = iter([3.0, 1.0, 2.0, 2.5]), []

    def validate(model):
        weights.append(model.weight.detach().clone())
        return {"score": next(scores)}

    model = new_model()
    training.train(
        model,
        regression,
        settings=settings,
        stem=tmp_path / "m",
        validate=validate,
        select="score",
        progress=False,
    )
    assert torch.equal(model.weight, weights[1]) and not torch.equal(model.weight, weights[2])


def test_minibatches_cover_the_data_once_an_epoch():
    epochs = [
        torch.cat([training.minibatch(10, 3, seed=1, step=3 * e + i) for i in range(3)])
        for e in range(2)
    ]
    assert (
        all(len(set(e.tolist())) == 9 for e in epochs) and epochs[0].tolist() != epochs[1].tolist()
    )
    assert torch.equal(
        training.minibatch(10, 3, seed=1, step=4), training.minibatch(10, 3, seed=1, step=4)
    )
    assert not torch.equal(
        training.minibatch(10, 3, seed=1, step=4), training.minibatch(10, 3, seed=2, step=4)
    )


def test_the_learning_rate_follows_its_schedule():
    rate = training.Settings(steps=100, learning_rate=1.0, warmup=9).rate
    assert (
        rate(0) == pytest.approx(0.1)
        and rate(50) == pytest.approx(0.5)
        and rate(99) == pytest.approx(0.01)
    )
    assert training.Settings(steps=100, learning_rate=1.0, schedule="cosine").rate(
        50
    ) == pytest.approx(0.5)
    assert training.Settings(steps=100, learning_rate=1.0, schedule="constant").rate(99) == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps must be positive, got 0"),
        ({"learning_rate": -1.0}, "learning_rate must be positive, got -1.0"),
        ({"clip": 0.0}, "clip must be positive, got 0.0"),
        ({"ema": 1.0}, r"ema must lie in \(0, 1\), got 1.0"),
        ({"schedule": "step"}, "schedule must be .* got 'step'"),
        ({"warmup": -1}, "warmup must not be negative, got -1"),
    ],
    ids=lambda v: v if isinstance(v, str) else None,
)
def test_impossible_settings_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        training.Settings(**{"steps": 10, "learning_rate": 0.1} | changes)


def test_impossible_calls_are_refused(tmp_path):
    for arguments, message in (
        ({"minutes": 0}, "minutes must be positive, got 0"),
        ({"select": "score"}, "validate must be given"),
    ):
        with pytest.raises(ValueError, match=message):
            training.train(
                new_model(),
                regression,
                settings=SETTINGS,
                stem=tmp_path / "m",
                progress=False,
                **arguments,
            )
