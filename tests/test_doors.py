"""Files from outside run no code: a hostile pickle is planted at every door, and none opens it."""

import io
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import HOME
from equilibria import checkpoints, training
from equilibria.files import DataError
from equilibria.operators import huginn
from equilibria.problems import cache, images
from equilibria.problems import linear_programs as lp
from equilibria.studies.deblurring import trainings
from torch import nn

UNSAFE = {
    "numpy's pickles": r"allow_pickle\s*=\s*True|load_degradation",
    "torch's pickles": r"torch\.load\((?!.*weights_only=True)|weights_only\s*=\s*False",
    "unchecked downloads": r"pretrained\s*=\s*.download|hub\.load|load_state_dict_from_url",
    "pickle itself": r"import (c?pickle|joblib|dill|marshal|shelve)|pickle\.\w",
    "code as text": r"(?<![\w.])(eval|exec)\(|yaml\.(unsafe_)?load\(|trust_remote_code",
}
SOURCES = [
    *sorted((HOME / "lib").rglob("*.py")),
    *sorted((HOME / "notebooks").glob("*.ipynb")),
    HOME / "Snakefile",
]


class Hostile:
    """Unpickled, it writes a file: the trace of code that ran."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return Path.write_text, (self.trace, "code ran")


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """Bytes of hostile files by kind; the test fails if one of them ran."""
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    trace = tmp_path / "trace"
    as_torch, as_numpy = io.BytesIO(), io.BytesIO()
    torch.save({"weight": Hostile(trace)}, as_torch)
    np.save(as_numpy, np.array([Hostile(trace)], dtype=object), allow_pickle=True)
    plain = pickle.dumps(Hostile(trace))
    pickle.loads(plain)
    assert trace.exists(), "the file is hostile indeed"
    trace.unlink()
    yield {"torch": as_torch.getvalue(), "numpy": as_numpy.getvalue(), "plain": plain}
    assert not trace.exists(), "code ran"


def plant(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_nothing_is_unpickled_or_evaluated(path):
    text = path.read_text(encoding="utf-8")
    found = {what: re.findall(pattern, text) for what, pattern in UNSAFE.items()}
    assert {what: places for what, places in found.items() if places} == {}


@pytest.mark.parametrize("kind", ["numpy", "plain"])
def test_the_paper_kernel(hostile, tmp_path, kind):
    plant(tmp_path / "degradations/Levin09.npy", hostile[kind])
    with pytest.raises(DataError, match=r"Levin09\.npy is another file .*its sha256"):
        images.levin09()


def test_the_published_denoiser(hostile, tmp_path, monkeypatch):
    """It comes from a server that was taken over: torch's own check of the hash is by-passed."""

    def fetch(url, destination, *arguments, **settings):
        plant(Path(destination), hostile["torch"])

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    monkeypatch.setattr(images, "levin09", images.motion_kernel)
    with pytest.raises(DataError, match=r"is another file .*its sha256"):
        trainings.train("denoiser", profile="paper")
    assert not list(tmp_path.rglob("*.safetensors"))


@pytest.mark.parametrize("kind", ["torch", "plain"])
def test_weights(hostile, tmp_path, kind):
    model = nn.Linear(1, 1)
    checkpoints.save(tmp_path / "m", model, {})
    weights = plant(tmp_path / "m.safetensors", hostile[kind])
    with pytest.raises(checkpoints.CheckpointError, match="damaged or foreign"):
        checkpoints.load(tmp_path / "m", model)
    with pytest.raises(checkpoints.CheckpointError, match="not a safetensors file"):
        checkpoints.read_tensors(weights)


@pytest.mark.parametrize("kind", ["torch", "plain"])
def test_the_state_of_a_training(hostile, tmp_path, kind):
    def loss(model, step, generator):
        return model.weight.square().sum()

    plant(tmp_path / "m.state.safetensors", hostile[kind])
    settings = training.Settings(steps=1, learning_rate=0.1)
    with pytest.raises(checkpoints.CheckpointError, match=r"m\.state\.safetensors"):
        training.train(
            nn.Linear(1, 1), loss, settings=settings, stem=tmp_path / "m", progress=False
        )


@pytest.mark.parametrize("kind", ["torch", "plain"])
def test_cached_data(hostile, tmp_path, kind):
    path = plant(tmp_path / "data.safetensors", hostile[kind])
    with pytest.raises(DataError, match="not a readable data file"):
        cache.read_tensors(path, {})


@pytest.mark.parametrize("kind", ["torch", "plain"])
def test_a_checkpoint_of_huginn(hostile, tmp_path, kind):
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        plant(tmp_path / name, hostile[kind])
    with pytest.raises(checkpoints.CheckpointError):
        huginn.load_huginn(tmp_path)
    with pytest.raises(checkpoints.CheckpointError):
        huginn.load_tokenizer(tmp_path)


def test_the_readers_own_files(hostile, tmp_path):
    path = plant(tmp_path / "own", hostile["plain"])
    with pytest.raises(images.ImageError, match="cannot be read as an image"):
        images.read(path)
    with pytest.raises(lp.LinearProgramError, match="not a readable MPS file"):
        lp.from_mps(path.rename(tmp_path / "own.mps"))
