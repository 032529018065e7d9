"""A user's photograph: every usual kind is read, and each bad one is refused in a line."""

import io
import tracemalloc

import numpy as np
import pytest
import torch
from equilibria.problems import images
from equilibria.problems.images import ImageError
from PIL import Image


def picture(path, mode="RGB", size=(64, 48)):
    """Write a random image and return its pixels."""
    channels = len(Image.new(mode, (1, 1)).getbands())
    shape = (size[1], size[0], channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8).squeeze()
    Image.fromarray(pixels, mode).save(path)
    return pixels


def test_a_colour_image_keeps_its_pixels(tmp_path):
    pixels = picture(tmp_path / "a.png")
    image = images.read(tmp_path / "a.png")
    assert image.shape == (3, 48, 64)
    assert image.dtype == torch.float32
    assert np.array_equal((image * 255).round().permute(1, 2, 0).numpy(), pixels)


def test_a_grey_image_gets_three_equal_channels(tmp_path):
    pixels = picture(tmp_path / "a.png", "L")
    image = images.read(tmp_path / "a.png")
    assert image.shape == (3, 48, 64)
    assert torch.equal(image[0], image[1])
    assert torch.equal(image[0], image[2])
    assert np.array_equal((image[0] * 255).round().numpy(), pixels)


def test_a_transparent_image_lies_over_white(tmp_path):
    pixels = picture(tmp_path / "a.png", "RGBA")
    image = images.read(tmp_path / "a.png").permute(1, 2, 0).numpy()
    alpha = pixels[..., 3:] / 255
    expected = pixels[..., :3] / 255 * alpha + 1 - alpha
    assert np.abs(image - expected).max() < 0.01


def test_an_image_with_a_palette(tmp_path):
    picture(tmp_path / "rgb.png")
    Image.open(tmp_path / "rgb.png").convert("P").save(tmp_path / "a.png")
    image = images.read(tmp_path / "a.png")
    assert image.shape == (3, 48, 64)
    assert image.dtype == torch.float32


def test_sixteen_bits_a_channel(tmp_path):
    values = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert np.abs(images.read(tmp_path / "a.png")[0].numpy() - values / 65535).max() < 0.005


def test_a_float_image_with_nan(tmp_path):
    Image.fromarray(np.full((64, 64), np.nan, dtype=np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(ImageError, match=r"a\.tiff.*not finite"):
        images.read(tmp_path / "a.tiff")


def test_a_huge_image_is_scaled_down_and_says_so(tmp_path, capsys):
    path = tmp_path / "a.png"
    picture(path, size=(300, 200))
    assert images.read(path, largest=150).shape == (3, 100, 150)
    assert capsys.readouterr().out == f"{path}: 300 x 200 pixels scaled down to 150 x 100\n"


@pytest.mark.parametrize(
    "size, says",
    [
        ((31, 64), "31 x 64 pixels, and each side must have at least 32"),
        ((2000, 40), "2000 x 40 pixels: it is too long and narrow"),
    ],
)
def test_tiny_images(tmp_path, size, says):
    picture(tmp_path / "a.png", size=size)
    with pytest.raises(ImageError, match=says):
        images.read(tmp_path / "a.png")


@pytest.mark.parametrize("side", [8001, 13_000, 20_000])
def test_an_image_bomb_is_refused_before_it_is_decoded(tmp_path, side):
    path = tmp_path / "a.png"
    Image.new("1", (side, side)).save(path)  # a few kilobytes; 64, 169 and 400 million pixels
    tracemalloc.start()
    with pytest.raises(ImageError, match=r"a\.png.* (pixels|bomb)"):
        images.read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10**6


def test_an_upload(tmp_path):
    picture(tmp_path / "a.png")
    upload = io.BytesIO((tmp_path / "a.png").read_bytes())
    assert torch.equal(images.read(upload), images.read(tmp_path / "a.png"))
    with pytest.raises(ImageError, match=r"'the upload' cannot be read as an image$"):
        images.read(io.BytesIO(b"not an image"))
    named = io.BytesIO(b"not an image")
    named.name = "cat.png"
    with pytest.raises(ImageError, match=r"'cat\.png' cannot be read as an image$"):
        images.read(named)


def test_what_is_not_an_image(tmp_path):
    (tmp_path / "a.png").write_text("not an image")
    with pytest.raises(ImageError, match=r"a\.png.*cannot be read as an image"):
        images.read(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"there is no file.*b\.png"):
        images.read(tmp_path / "b.png")
    picture(tmp_path / "c.png")
    (tmp_path / "c.png").write_bytes((tmp_path / "c.png").read_bytes()[:200])
    with pytest.raises(ImageError, match=r"c\.png.*cannot be read as an image"):
        images.read(tmp_path / "c.png")


def test_a_folder_of_photographs(tmp_path):
    with pytest.raises(ImageError, match="is not a folder with photographs"):
        images.folder(tmp_path)
    picture(tmp_path / "b.png")
    picture(tmp_path / "a.jpg")
    (tmp_path / "notes.txt").write_text("not a photograph")
    photographs = images.folder(tmp_path)
    assert list(photographs) == ["a", "b"]
    assert torch.equal(photographs["b"], images.read(tmp_path / "b.png"))
    (tmp_path / "c.png").write_text("broken")
    with pytest.raises(ImageError, match=r"c\.png.*cannot be read"):
        images.folder(tmp_path)


def test_a_picture_survives_as_text():
    image = torch.randint(256, (3, 20, 30), generator=torch.Generator().manual_seed(0)) / 255
    pixels = (255 * image).round().byte().permute(1, 2, 0).numpy()
    assert np.array_equal(images.from_png(images.to_png(image)), pixels)
    assert images.from_png(images.to_png(image + 2)).min() == 255  # clipped
