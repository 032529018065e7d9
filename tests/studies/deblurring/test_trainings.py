"""Trainings: each model trains, resumes exactly, and says what is missing."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from deblurring_models import scene
from equilibria import checkpoints
from equilibria.companion import command_line
from equilibria.operators.blur import Blur
from equilibria.operators.deblurring import Explicit, ImplicitHQS, ImplicitPGD, Unfolded
from equilibria.problems import images
from equilibria.splits import SplitError
from equilibria.studies import deblurring as study
from equilibria.studies.deblurring import recipes, trainings

pytestmark = pytest.mark.end_to_end


def test_names_are_those_of_the_models_that_can_be_trained():
    assert study.names("quick") == [
        "denoiser",
        "explicit",
        "pgd",
        "hqs",
        "unfolded-1",
        "unfolded-2",
        "unfolded-4",
        "unfolded-8",
        "unrolled-pgd",
    ]
    assert "unfolded-32" in study.names("paper")


@pytest.mark.parametrize(
    "name, kind",
    [
        ("explicit", Explicit),
        ("pgd", ImplicitPGD),
        ("hqs", ImplicitHQS),
        ("unfolded-2", Unfolded),
        ("unrolled-pgd", ImplicitPGD),
    ],
)
def test_new_models_are_a_function_of_the_seed(small, name, kind):
    model, again, other = (study.new(name, seed=seed) for seed in (1, 1, 2))
    assert type(model) is kind
    first = next(p for p in model.parameters() if p.dim() > 1)
    assert torch.equal(first, next(p for p in again.parameters() if p.dim() > 1))
    assert not torch.equal(first, next(p for p in other.parameters() if p.dim() > 1))


def test_implicit_training_resumes_exactly(small, tiny, monkeypatch):
    monkeypatch.setitem(tiny.steps, "hqs", 25)  # one saving, after 20 steps
    weights = small / "checkpoints/deblurring/hqs-seed1.safetensors"
    study.train("denoiser", profile="quick")
    whole = study.train("hqs", profile="quick", seed=1)
    uninterrupted = weights.read_bytes()
    part = study.train("hqs", profile="quick", seed=1, minutes=1e-9)  # stops at the first saving
    assert whole.finished
    assert not part.finished
    assert part.step == 20
    assert study.train("hqs", profile="quick", seed=1).finished
    assert weights.read_bytes() == uninterrupted


# -------------------------------------------------------------------------------- three splits
def test_an_ordinary_training_reads_train_and_val_alone(small, monkeypatch):
    photographs, asked = images.bsds500, []

    def listen(split):
        asked.append(split)
        return photographs(split)

    monkeypatch.setattr(images, "bsds500", listen)
    for name in ("denoiser", "explicit", "hqs"):
        assert study.train(name, profile="quick").finished
    assert asked == ["train", "val"] * 3


@pytest.mark.parametrize(
    ("read", "what"),
    [(study.test_set, "the test crops"), (images.embedded, "the five photographs")],
    ids=["crops", "photographs"],
)
def test_a_validation_that_reads_test_data_is_refused(small, monkeypatch, read, what):
    study.train("denoiser", profile="quick")

    def validate(kind, model, data):
        read()
        return {"psnr": 0.0}

    monkeypatch.setattr(trainings, "_validate", validate)
    with pytest.raises(SplitError, match=rf"trainings\.train asked for {what}"):
        study.train("explicit", profile="quick")
    assert study.seeds("explicit") == []
    read()  # after the training, an evaluation may


def test_a_missing_data_set_is_one_line_of_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    assert command_line.main(["train", "deblurring/hqs"]) == 2
    assert capsys.readouterr().err.startswith("equilibria: BSDS500 is not in ")
    with pytest.raises(images.ImageError, match=r"profile paper needs .*Levin09.npy: put http"):
        study.kernel("paper")


def test_models_cannot_be_trained_before_the_denoiser(small, capsys):
    assert command_line.main(["train", "deblurring/hqs"]) == 2
    assert "denoiser-seed0" in capsys.readouterr().err


def test_damaged_weights_are_refused(small):
    study.train("denoiser", profile="quick")
    (small / "checkpoints/deblurring/denoiser-seed0.safetensors").write_bytes(b"0" * 100)
    with pytest.raises(checkpoints.CheckpointError, match="denoiser-seed0"):
        study.load("denoiser")


# ------------------------------------------------------------- the profile paper, on a small scale
@pytest.fixture
def small_paper(small, tiny, monkeypatch):
    """The profile ``paper`` with the tiny recipe and another kernel."""
    monkeypatch.setitem(recipes.RECIPES, "paper", replace(tiny, residual=False))
    monkeypatch.setattr(images, "levin09", lambda: images.motion_kernel(seed=2))


def test_the_published_denoiser_without_a_network(small_paper, monkeypatch, capsys):
    def no_network(*arguments, **settings):
        raise ConnectionError("no network")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)
    assert command_line.main(["train", "deblurring/denoiser", "--profile", "paper"]) == 2
    assert "cannot be fetched (no network): put https://" in capsys.readouterr().err


def test_the_published_denoiser_is_where_the_others_start(small_paper, monkeypatch):
    from deepinv.models import DRUNet

    published = DRUNet(nc=[8, 8, 8, 8], nb=1, pretrained=None)

    def fetch(url, destination, *, hash_prefix):
        torch.save(published.state_dict(), destination)
        digest = hashlib.sha256(Path(destination).read_bytes()).hexdigest()
        monkeypatch.setattr(trainings, "_DRUNET_SHA256", digest)

    monkeypatch.setattr(torch.hub, "download_url_to_file", fetch)
    assert command_line.main(["train", "deblurring/denoiser", "--profile", "paper"]) == 0
    denoiser = study.load("denoiser", profile="paper")[0]
    v = scene().float()
    torch.testing.assert_close(denoiser(v, 0.1), published(v, 0.1))
    assert study.train("hqs", profile="paper").finished
    assert study.seeds("hqs", profile="paper") == [0]
    assert isinstance(study.load("hqs", profile="paper")[0].blur, Blur)
