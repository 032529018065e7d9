"""The training loop: a stopped run ends where an unstopped one does, and divergence is met."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
from equilibria import checkpoints, training
from torch import nn

SETTINGS = training.Settings(
    steps=60, learning_rate=0.05, clip=1.0, warmup=5, ema=0.9, seed=3, save_every=10
)
TRUE_WEIGHTS = torch.tensor([1.0, -2.0, 0.5, 3.0])


def new_model():
    torch.manual_seed(0)
    return nn.Linear(4, 1)


def regression(model, step, generator):
    """Noisy batches of a fixed linear problem, drawn from the step's own generator."""
    x = torch.randn(16, 4, generator=generator)
    return ((model(x) - x @ TRUE_WEIGHTS[:, None]) ** 2).mean()


def train(stem, *, model=None, loss=regression, settings=SETTINGS, **options):
    model = model if model is not None else new_model()
    outcome = training.train(model, loss, settings=settings, stem=stem, progress=False, **options)
    return model, outcome


def test_it_learns_and_keeps_the_average(tmp_path):
    def validate(model):
        return {"error": (model.weight - TRUE_WEIGHTS).abs().max().item()}

    settings = training.Settings(steps=400, learning_rate=0.05, seed=0, ema=0.9)
    model, outcome = train(tmp_path / "m", settings=settings, validate=validate)
    assert outcome.finished and outcome.step == 400
    assert outcome.metrics["error"] < 0.02
    again = new_model()
    card = checkpoints.load(tmp_path / "m", again)
    assert torch.equal(again.weight, model.weight)
    assert card["metrics"] == outcome.metrics
    assert card["training"]["steps"] == 400


def test_a_stopped_run_ends_in_the_same_weights(tmp_path):
    whole, _ = train(tmp_path / "whole")
    sittings = 0
    finished = False
    while not finished:
        part, outcome = train(tmp_path / "part", minutes=1e-9)
        sittings += 1
        finished = outcome.finished
        assert (tmp_path / "part.json").exists() == finished
    assert sittings == 6  # it stops at every saving
    assert torch.equal(whole.weight, part.weight) and torch.equal(whole.bias, part.bias)
    assert not list(tmp_path.glob("*.state.safetensors"))


def test_the_loss_keeps_its_memory_over_a_stop(tmp_path):
    def remembering(model, step, generator):
        memory["sum"] += 1
        return regression(model, step, generator) + 0 * memory["sum"]

    for minutes in (1e-9, None):
        memory = {"sum": torch.zeros(())}
        train(tmp_path / "m", loss=remembering, memory=memory, minutes=minutes)
    assert memory["sum"] == SETTINGS.steps


# The clock runs fast, so that every saving reaches the disk. The loss waits in step 25, where the
# process is killed.
SCRIPT = """
import sys, time
sys.path.insert(0, {tests!r})
import test_loop
clock = time.monotonic
test_loop.training.loop.time.monotonic = lambda: clock() * 1e6
def waiting(model, step, generator):
    while step == 25:
        time.sleep(1)
    return test_loop.regression(model, step, generator)
test_loop.train({stem!r}, loss=waiting)
"""


@pytest.fixture
def saved_twice(tmp_path, monkeypatch):
    """A training with two savings on the disk, of the steps 10 and 20."""
    monkeypatch.setattr(training.loop, "SECONDS_BETWEEN_WRITES", -1)

    def stops(model, step, generator):
        if step == 25:
            raise KeyboardInterrupt
        return regression(model, step, generator)

    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "m", loss=stops)
    state = tmp_path / "m.state.safetensors"
    assert state.exists() and (tmp_path / "m.state.earlier.safetensors").exists()
    return state


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_goes_back_to_the_saving_before(saved_twice, tmp_path, capsys):
    whole, _ = train(tmp_path / "whole")
    intact = saved_twice.read_bytes()
    steps = []

    def notes(model, step, generator):
        steps.append(step)
        return regression(model, step, generator)

    earlier = tmp_path / "m.state.earlier.safetensors"
    kept = earlier.read_bytes()
    for place in [*range(0, len(intact), 97), len(intact) - 1]:
        saved_twice.write_bytes(intact)
        earlier.write_bytes(kept)
        flip(saved_twice, place)
        steps.clear()
        model, outcome = train(tmp_path / "m", loss=notes)
        assert outcome.finished and steps[0] == 10, place
        assert torch.equal(model.weight, whole.weight)
        said = capsys.readouterr().out
        assert "m.state.safetensors is damaged (" in said and said.count("\n") == 1, said
    assert not list(tmp_path.glob("*.state*"))


def test_no_whole_saving_is_one_line(saved_twice, tmp_path):
    flip(saved_twice, -1)
    flip(tmp_path / "m.state.earlier.safetensors", -1)
    with pytest.raises(checkpoints.CheckpointError, match="no earlier saving is whole: delete it"):
        train(tmp_path / "m")


def test_a_kill_between_two_files_goes_on_from_the_earlier_one(saved_twice, tmp_path):
    whole, _ = train(tmp_path / "whole")
    saved_twice.unlink()
    model, _ = train(tmp_path / "m")
    assert torch.equal(model.weight, whole.weight)


def test_a_state_that_lacks_a_tensor_is_one_line(saved_twice, tmp_path):
    with pytest.raises(checkpoints.CheckpointError, match=r"m\.state.* lacks memory/sum"):
        train(tmp_path / "m", memory={"sum": torch.zeros(())})


@pytest.mark.end_to_end
def test_killed_in_the_middle_it_completes_with_the_same_weights(tmp_path):
    whole, _ = train(tmp_path / "whole")
    script = SCRIPT.format(tests=os.path.dirname(__file__), stem=str(tmp_path / "killed"))
    process = subprocess.Popen([sys.executable, "-c", script])
    state = tmp_path / "killed.state.safetensors"
    saved_steps = 0
    end = time.monotonic() + 60
    while saved_steps < 20 and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)
        if state.exists():
            _, metadata = checkpoints.read_tensors(state)
            saved_steps = json.loads(metadata["counters"])["step"]
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert saved_steps == 20 and not (tmp_path / "killed.json").exists()
    resumed, outcome = train(tmp_path / "killed")
    assert outcome.finished
    assert torch.equal(whole.weight, resumed.weight)


def test_a_state_of_other_settings_or_a_damaged_one_is_refused(tmp_path):
    train(tmp_path / "m", minutes=1e-9)
    other = training.Settings(steps=60, learning_rate=0.01, save_every=10)
    message = "m.state.safetensors belongs to a training with other settings"
    with pytest.raises(checkpoints.CheckpointError, match=message):
        train(tmp_path / "m", settings=other)
    (tmp_path / "m.state.safetensors").write_bytes(b"no")
    with pytest.raises(checkpoints.CheckpointError, match=r"m\.state\.safetensors is damaged"):
        train(tmp_path / "m")


def test_divergence_rolls_back_and_halves_the_rate(tmp_path):
    steps = []

    def explodes_once(model, step, generator):
        steps.append(step)
        explodes = step == 25 and steps.count(25) == 1
        return regression(model, step, generator) * (float("nan") if explodes else 1.0)

    model, outcome = train(tmp_path / "m", loss=explodes_once)
    assert outcome.finished
    assert steps.count(25) == 2 and steps.count(20) == 2 and steps.count(19) == 1
    assert torch.isfinite(model.weight).all()


def test_lasting_divergence_is_an_error_that_says_what_to_do(tmp_path):
    def explodes(model, step, generator):
        return regression(model, step, generator) * float("nan")

    message = r"m: the loss is nan at step 0 .* smaller one than 0.05"
    with pytest.raises(training.TrainingDiverged, match=message):
        train(tmp_path / "m", loss=explodes)


def test_the_best_weights_of_a_validation_are_kept(tmp_path):
    settings = training.Settings(
        steps=30, learning_rate=0.1, schedule="constant", validate_every=10, seed=0
    )
    scores = iter([3.0, 1.0, 2.0, 2.5])
    weights = []

    def validate(model):
        weights.append(model.weight.detach().clone())
        return {"score": next(scores)}

    model, _ = train(tmp_path / "m", settings=settings, validate=validate, select="score")
    assert torch.equal(model.weight, weights[1])
    assert not torch.equal(model.weight, weights[2])


def test_the_card_describes_the_weights_that_are_kept(tmp_path):
    scores = iter([3.0, 1.0, 2.0, 4.0])

    def validate(model):
        return {"score": next(scores), "weight": model.weight.sum().item()}

    settings = replace(SETTINGS, steps=30, validate_every=10, ema=None)
    model, _ = train(tmp_path / "m", settings=settings, validate=validate, select="score")
    card = checkpoints.read_card(tmp_path / "m")
    assert card["selected"] == {"by": "score", "step": 20, "of": 30}
    assert card["metrics"] == {"score": 1.0, "weight": model.weight.sum().item()}


def test_a_rollback_forgets_a_best_that_was_not_saved(tmp_path):
    """The best of step 15 is lost with the steps; the one of step 10 is what is kept."""
    lost = []
    scores = iter([3.0, 2.0, 1.0, 5.0, 5.0, 5.0, 5.0, 5.0])

    def breaks_once(model, step, generator):
        if step == 17 and not lost:
            lost.append(step)
            return regression(model, step, generator) * float("nan")
        return regression(model, step, generator)

    def validate(model):
        return {"score": next(scores)}

    settings = replace(SETTINGS, steps=30, validate_every=5, save_every=10, ema=None)
    train(tmp_path / "m", loss=breaks_once, settings=settings, validate=validate, select="score")
    card = checkpoints.read_card(tmp_path / "m")
    assert card["selected"]["step"] == 10 and card["metrics"] == {"score": 2.0}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"minutes": 0}, "minutes must be positive, got 0"),
        ({"select": "score"}, "validate must be given"),
    ],
)
def test_impossible_calls_are_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        train(tmp_path / "m", **options)
