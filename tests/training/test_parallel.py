"""Two processes that share a training do what one does, and go on exactly where they stopped."""

import json
import os
import subprocess
import sys

import pytest
import torch
from conftest import HOME
from equilibria import checkpoints
from equilibria.training import parallel

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]
SCRIPT = str(HOME / "tests" / "shared_trainings.py")


def run(processes, *words):
    """(losses of the steps, what was printed) of `shared_trainings`."""
    launcher = [*TORCHRUN, str(processes)] if processes > 1 else [sys.executable]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [*launcher, SCRIPT, *(str(word) for word in words)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads((words[1] / "losses.json").read_text()), done.stdout


@pytest.fixture(scope="module")
def shared_flows(tmp_path_factory):
    """The folder, losses and output of the training `flows` in two processes."""
    folder = tmp_path_factory.mktemp("two")
    return folder, *run(2, "flows", folder)


@pytest.mark.end_to_end
@pytest.mark.parametrize("case", ["parity", "flows", "photographs"])
def test_two_processes_have_the_loss_of_one(tmp_path, case, request):
    """With a pool that is spread over them, and without one."""
    one, two = tmp_path / "one", tmp_path / "two"
    for folder in (one, two):
        folder.mkdir()
    alone, _ = run(1, case, one)
    if case == "flows":
        two, shared, said = request.getfixturevalue("shared_flows")
    else:
        shared, said = run(2, case, two)
    assert len(alone) == len(shared) == 20
    assert max(alone) - min(alone) > 1e-3, "the loss moves"
    torch.testing.assert_close(
        torch.tensor(shared, dtype=torch.float64),
        torch.tensor(alone, dtype=torch.float64),
        rtol=1e-6,
        atol=1e-6,
    )
    assert said == "process of 2: 20 steps\n", "one process prints"
    card = checkpoints.read_card(two / case)
    assert card["processes"] == 2
    assert "processes" not in checkpoints.read_card(one / case)
    assert {path.name for path in two.iterdir()} == {
        f"{case}.json",
        f"{case}.safetensors",
        "losses.json",
    }


@pytest.mark.end_to_end
def test_two_processes_that_stop_end_in_the_same_weights(tmp_path, shared_flows):
    _, said = run(2, "flows", tmp_path, 1e-9)
    assert said == "process of 2: 5 steps\n"
    state, _ = checkpoints.read_tensors(tmp_path / "flows.state.safetensors")
    assert state["memory/z16"].shape[0] == 8, "the state has the slots of both processes"
    assert state["memory/z16"].flatten(1).any(1).sum() > 4
    run(2, "flows", tmp_path)
    whole, parts = ((folder / "flows.safetensors") for folder in (shared_flows[0], tmp_path))
    assert whole.read_bytes() == parts.read_bytes()


def test_one_process_shares_nothing():
    batch = torch.arange(5.0)
    assert parallel.count() == 1 and parallel.is_first()
    assert torch.equal(parallel.rows(batch), batch) and parallel.whole(batch) is batch
    assert isinstance(parallel.zeros(3, 2), torch.Tensor)
    assert parallel.agreed(True, False) == (True, False)
    with parallel.started():
        assert parallel.count() == 1


def test_a_batch_that_cannot_be_shared_is_refused(monkeypatch):
    monkeypatch.setattr(parallel, "count", lambda: 2)
    message = "the number of processes must divide the 5 samples of a batch, got 2"
    with pytest.raises(parallel.SharingError, match=message):
        parallel.rows(torch.zeros(5, 3))


@pytest.mark.end_to_end
def test_the_command_refuses_in_one_line_what_cannot_be_shared(tmp_path):
    """Before any data are made."""
    words = [*TORCHRUN, "3", "-m", "equilibria", "train", "navier_stokes/implicit"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "EQUILIBRIA_DATA": str(tmp_path)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    message = "equilibria: the number of processes must divide the 16 samples of a batch, got 3"
    assert message in done.stderr and not list(tmp_path.iterdir())
