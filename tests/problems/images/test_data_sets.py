"""The data sets and their crops: seeded, complete, and clear about what is missing."""

import numpy as np
import pytest
import torch
from equilibria.problems import images
from equilibria.problems.images import ImageError
from equilibria.splits import SplitError, no_test_data
from PIL import Image


def test_embedded_photographs_are_colour_and_need_no_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    photographs = images.embedded()
    names = ["astronaut", "chelsea", "coffee", "motorcycle_left", "rocket"]
    assert list(photographs) == names
    for photograph in photographs.values():
        assert photograph.shape[0] == 3
        assert min(photograph.shape[1:]) >= 128
        assert photograph.min() >= 0
        assert photograph.max() <= 1
        assert (photograph[0] - photograph[2]).abs().mean() > 0.01  # not grey


def test_crops_are_seeded_parts_of_their_photographs():
    photographs = [torch.rand(3, 40, 50), torch.rand(3, 50, 40)]
    crops = images.crops(photographs, size=32, seed=1, each=2)
    assert crops.shape == (4, 3, 32, 32)
    assert torch.equal(crops, images.crops(photographs, size=32, seed=1, each=2))
    assert not torch.equal(crops, images.crops(photographs, size=32, seed=2, each=2))
    windows = photographs[1].unfold(1, 32, 1).unfold(2, 32, 1)  # (3, top, left, 32, 32)
    assert (windows == crops[3][:, None, None]).all(-1).all(-1).all(0).any()
    with pytest.raises(ValueError, match=r"size must be at most .*40, 50.*, got 41"):
        images.crops(photographs, size=41, seed=0)


def test_training_crops_come_from_the_generator():
    photographs = [torch.rand(3, 40, 50)]

    def draw():
        return images.draw(photographs, 6, size=32, generator=torch.Generator().manual_seed(5))

    first = draw()
    assert torch.equal(first, draw())
    assert first.shape == (6, 3, 32, 32)
    assert not torch.equal(first[0], first[1])


def test_a_missing_data_set_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    assert not images.has_bsds500()
    with pytest.raises(ImageError, match=r"BSDS500 is not in .*download=True"):
        images.bsds500("train")
    with pytest.raises(ValueError, match="split must be one of train, val, test, got 'all'"):
        images.bsds500("all")


def test_a_failed_download_is_called_one(tmp_path, monkeypatch):
    from deepinv.datasets import bsds500

    def no_network(*arguments, **settings):
        raise ConnectionError("no network")

    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    monkeypatch.setattr(bsds500, "download_archive", no_network)
    with pytest.raises(ImageError, match=r"could not be downloaded \(no network\)"):
        images.bsds500("train", download=True)


def test_an_incomplete_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    folder = tmp_path / "BSDS500" / "BSDS500-master/BSDS500/data/images/val"
    folder.mkdir(parents=True)
    (tmp_path / "BSDS500" / "download.zip").touch()
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "1.jpg")
    with pytest.raises(ImageError, match="1 photographs of the split 'val', not 100"):
        images.bsds500("val")


def test_no_training_reads_test_photographs(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    with no_test_data("a training"):
        with pytest.raises(SplitError, match="a training asked for the test photographs of BSDS"):
            images.bsds500("test")
        with pytest.raises(SplitError, match="a training asked for the five photographs"):
            images.embedded()
        for split in ("train", "val"):
            with pytest.raises(ImageError, match="BSDS500 is not in"):
                images.bsds500(split)


@pytest.mark.data
def test_bsds500_has_its_splits():
    assert [len(images.bsds500(split)) for split in ("train", "val", "test")] == [200, 100, 200]
    assert {tuple(image.shape) for image in images.bsds500("val")} == {(3, 321, 481), (3, 481, 321)}
