"""Photographs, blur and noise: exactness of the operator, the data's rules, and every bad input in one clear line."""

import io
import math

import numpy as np
import pytest
import scipy.ndimage
import torch
from equilibria.problems import images
from equilibria.problems.images import Blur, ImageError
from PIL import Image

f64 = torch.float64


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=f64)


def picture(path, mode="RGB", size=(64, 48)):
    channels = len(Image.new(mode, (1, 1)).getbands())
    pixels = (
        np.random.default_rng(0)
        .integers(0, 256, (size[1], size[0], channels))
        .astype(np.uint8)
        .squeeze()
    )
    Image.fromarray(pixels, mode if mode != "LA" else None).save(path)
    return pixels


# ------------------------------------------------------------------------------------------------------------- blur
def test_blur_is_the_circular_convolution_written_as_a_loop():
    kernel, y = images.motion_kernel(size=5, seed=3), noise(1, 1, 8, 9)
    expected = torch.zeros_like(y)
    for i in range(5):
        for j in range(5):
            expected += kernel[i, j] * y.roll((i - 2, j - 2), (2, 3))
    torch.testing.assert_close(Blur(kernel)(y), expected)


@pytest.mark.parametrize("size", [(32, 32), (33, 41), (17, 20)])
def test_adjoint(size):
    blur, y, x = Blur(images.motion_kernel()), noise(2, 3, *size), noise(2, 3, *size, seed=1)
    torch.testing.assert_close((blur(y) * x).sum(), (y * blur.adjoint(x)).sum())


@pytest.mark.parametrize("shape", [(5, 5), (17, 17)])
def test_blur_agrees_with_deepinv(shape):
    from deepinv.physics import BlurFFT

    kernel, y = images.motion_kernel(size=shape[0]), noise(2, 3, 40, 32).float()
    theirs = BlurFFT((3, 40, 32), filter=kernel.float()[None, None])
    blur = Blur(kernel)
    torch.testing.assert_close(blur(y), theirs.A(y), atol=2e-6, rtol=0)
    torch.testing.assert_close(blur.adjoint(y), theirs.A_adjoint(y), atol=2e-6, rtol=0)


def test_the_norm_of_a_is_one_and_mass_is_kept():
    blur, y = Blur(images.motion_kernel()), torch.rand(1, 3, 40, 40, dtype=f64)
    assert blur.symbol(y).abs().max().item() == pytest.approx(1, abs=1e-12)
    torch.testing.assert_close(blur(y).mean((2, 3)), y.mean((2, 3)))


def test_motion_kernel_is_the_recorded_one():
    kernel = images.motion_kernel()
    assert (
        kernel.shape == (17, 17) and kernel.min() >= 0 and kernel.sum().item() == pytest.approx(1)
    )
    assert (
        kernel[0, :].sum() + kernel[-1, :].sum() + kernel[:, 0].sum() + kernel[:, -1].sum() == 0
    )  # fits its window
    assert not torch.equal(kernel, images.motion_kernel(seed=1))
    # the shipped weights were trained with this very kernel: four of its largest entries
    assert kernel[[8, 5, 8, 5], [10, 5, 9, 4]].tolist() == pytest.approx(
        [0.1353033, 0.1079174, 0.0757128, 0.0798525], abs=1e-6
    )
    place = torch.arange(17, dtype=f64)
    centre = ((kernel.sum(1) * place).sum().item(), (kernel.sum(0) * place).sum().item())
    assert centre == pytest.approx((8, 8), abs=1e-6)


@pytest.mark.parametrize(
    "kernel, says",
    [
        (torch.ones(4, 5), "odd"),
        (torch.ones(3), "odd"),
        (-torch.ones(3, 3), "negative"),
        (torch.zeros(3, 3), "zero"),
        (torch.full((3, 3), math.nan), "finite"),
    ],
)
def test_bad_kernels(kernel, says):
    with pytest.raises(ValueError, match=f"kernel.*{says}"):
        Blur(kernel)


def test_an_image_smaller_than_the_kernel():
    with pytest.raises(ValueError, match="17 x 17 pixels, got 16 x 40"):
        Blur(images.motion_kernel())(torch.zeros(1, 3, 16, 40))


def test_measurement():
    y, blur = torch.rand(2, 3, 40, 40), Blur(images.motion_kernel())
    draw = lambda seed, **settings: images.measure(
        y, blur, generator=torch.Generator().manual_seed(seed), **settings
    )
    assert torch.equal(draw(0), draw(0)) and not torch.equal(draw(0), draw(1))
    assert torch.equal(draw(0, noise=0.0), blur(y))
    assert (draw(0) - blur(y)).std().item() == pytest.approx(0.03, rel=0.03)
    with pytest.raises(ValueError, match="noise must not be negative, got -1"):
        draw(0, noise=-1)
    with pytest.raises(ValueError, match="y has pixels that are not finite"):
        images.measure(y * math.nan, blur, generator=torch.Generator())


# ------------------------------------------------------------------------------------------------------- photographs
def test_embedded_photographs_are_colour_and_need_no_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    found = images.embedded()
    assert len(found) == 5
    for photograph in found.values():
        assert (
            photograph.shape[0] == 3
            and min(photograph.shape[1:]) >= 128
            and photograph.min() >= 0
            and photograph.max() <= 1
        )
        assert (photograph[0] - photograph[2]).abs().mean() > 0.01  # not grey


def test_crops_are_seeded_parts_of_their_photographs():
    photographs = [torch.rand(3, 40, 50), torch.rand(3, 50, 40)]
    cut = images.crops(photographs, size=32, seed=1, each=2)
    assert cut.shape == (4, 3, 32, 32) and torch.equal(
        cut, images.crops(photographs, size=32, seed=1, each=2)
    )
    assert not torch.equal(cut, images.crops(photographs, size=32, seed=2, each=2))
    windows = photographs[1].unfold(1, 32, 1).unfold(2, 32, 1)  # (3, top, left, 32, 32)
    assert (windows == cut[3][:, None, None]).all(-1).all(-1).all(0).any()
    with pytest.raises(ValueError, match="size must be at most .*40, 50.*, got 41"):
        images.crops(photographs, size=41, seed=0)


def test_training_crops_come_from_the_generator():
    photographs = [torch.rand(3, 40, 50)]
    first, again = (
        images.draw(photographs, 6, size=32, generator=torch.Generator().manual_seed(5))
        for _ in range(2)
    )
    assert (
        torch.equal(first, again)
        and first.shape == (6, 3, 32, 32)
        and not torch.equal(first[0], first[1])
    )


def test_a_missing_data_set_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    assert not images.has_bsds500() and images.levin09() is None
    with pytest.raises(ImageError, match="BSDS500 is not in .*download=True"):
        images.bsds500("train")
    with pytest.raises(ValueError, match="split must be one of train, val, test, got 'all'"):
        images.bsds500("all")


def test_an_incomplete_data_set(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    folder = tmp_path / "BSDS500" / "BSDS500-master/BSDS500/data/images/val"
    folder.mkdir(parents=True)
    (tmp_path / "BSDS500" / "download.zip").touch()
    picture(folder / "1.jpg")
    with pytest.raises(ImageError, match="1 photographs of the split 'val', not 100"):
        images.bsds500("val")


def test_another_file_called_levin09_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    (tmp_path / "degradations").mkdir()
    kernels = np.empty(8, dtype=object)
    for i in range(8):
        kernels[i] = np.full((5, 5), 1 / 25)
    np.save(tmp_path / "degradations" / "Levin09.npy", kernels, allow_pickle=True)
    with pytest.raises(ImageError, match="kernel 1 differs"):
        images.levin09()


@pytest.mark.data
def test_bsds500_has_its_splits():
    assert [len(images.bsds500(split)) for split in ("train", "val", "test")] == [200, 100, 200]
    assert {tuple(image.shape) for image in images.bsds500("val")} == {(3, 321, 481), (3, 481, 321)}


# ------------------------------------------------------------------------------------------------ a user's own photo
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P"])
def test_reading_every_usual_kind_of_image(tmp_path, mode):
    if mode == "P":
        picture(tmp_path / "rgb.png")
        Image.open(tmp_path / "rgb.png").convert("P").save(tmp_path / "a.png")
    else:
        pixels = picture(tmp_path / "a.png", mode)
    image = images.read(tmp_path / "a.png")
    assert image.shape == (3, 48, 64) and image.dtype == torch.float32
    if mode == "RGB":
        assert np.array_equal((image * 255).round().permute(1, 2, 0).numpy(), pixels)
    if mode == "L":
        assert torch.equal(image[0], image[1]) and np.array_equal(
            (image[0] * 255).round().numpy(), pixels
        )
    if mode == "RGBA":  # over white
        alpha = pixels[..., 3:] / 255
        assert (
            np.abs(
                image.permute(1, 2, 0).numpy() - (pixels[..., :3] / 255 * alpha + 1 - alpha)
            ).max()
            < 0.01
        )


def test_sixteen_bits_a_channel(tmp_path):
    values = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    Image.fromarray(values).save(tmp_path / "a.png")
    assert np.abs(images.read(tmp_path / "a.png")[0].numpy() - values / 65535).max() < 0.005


def test_a_float_image_with_nan(tmp_path):
    Image.fromarray(np.full((64, 64), np.nan, dtype=np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(ImageError, match="a.tiff.*not finite"):
        images.read(tmp_path / "a.tiff")


def test_a_huge_image_is_scaled_down_and_says_so(tmp_path, capsys):
    picture(tmp_path / "a.png", size=(300, 200))
    assert images.read(tmp_path / "a.png", largest=150).shape == (3, 100, 150)
    assert (
        capsys.readouterr().out
        == f"{tmp_path / 'a.png'}: 300 x 200 pixels scaled down to 150 x 100\n"
    )


@pytest.mark.parametrize(
    "size, says",
    [
        ((31, 64), "31 x 64 pixels, and each side must have at least 32"),
        ((2000, 40), "too long and narrow"),
    ],
)
def test_tiny_images(tmp_path, size, says):
    picture(tmp_path / "a.png", size=size)
    with pytest.raises(ImageError, match=says):
        images.read(tmp_path / "a.png")


def test_an_upload(tmp_path):
    picture(tmp_path / "a.png")
    assert torch.equal(
        images.read(io.BytesIO((tmp_path / "a.png").read_bytes())), images.read(tmp_path / "a.png")
    )
    with pytest.raises(ImageError, match="'the upload' cannot be read as an image"):
        images.read(io.BytesIO(b"not an image"))


def test_what_is_not_an_image(tmp_path):
    (tmp_path / "a.png").write_text("not an image")
    with pytest.raises(ImageError, match="a.png.*cannot be read as an image"):
        images.read(tmp_path / "a.png")
    with pytest.raises(ImageError, match="there is no file.*b.png"):
        images.read(tmp_path / "b.png")
    picture(tmp_path / "c.png")
    (tmp_path / "c.png").write_bytes((tmp_path / "c.png").read_bytes()[:200])
    with pytest.raises(ImageError, match="c.png.*cannot be read as an image"):
        images.read(tmp_path / "c.png")


def test_ssim_against_its_formula():
    truth = scipy.ndimage.gaussian_filter(np.random.default_rng(0).random((3, 40, 40)), (0, 2, 2))
    given = truth + 0.05 * np.random.default_rng(1).standard_normal(truth.shape)
    mean = lambda a: scipy.ndimage.gaussian_filter(a, (0, 1.5, 1.5), truncate=3.5)
    u, v = mean(truth), mean(given)
    variances, covariance = (
        mean(truth**2) - u**2 + mean(given**2) - v**2,
        mean(truth * given) - u * v,
    )
    C1, C2 = 0.01**2, 0.03**2  # Wang et al. 2004, at a range of 1
    similarity = (2 * u * v + C1) * (2 * covariance + C2) / ((u**2 + v**2 + C1) * (variances + C2))
    expected = similarity[:, 5:-5, 5:-5].mean()  # where the window fits
    assert images.ssim(
        torch.tensor(given[None]), torch.tensor(truth[None])
    ).item() == pytest.approx(expected, abs=1e-6)


def test_a_folder_of_photographs(tmp_path):
    with pytest.raises(ImageError, match="is not a folder with photographs"):
        images.folder(tmp_path)
    picture(tmp_path / "b.png")
    picture(tmp_path / "a.jpg")
    (tmp_path / "notes.txt").write_text("not a photograph")
    found = images.folder(tmp_path)
    assert list(found) == ["a", "b"] and torch.equal(found["b"], images.read(tmp_path / "b.png"))
    (tmp_path / "c.png").write_text("broken")
    with pytest.raises(ImageError, match="c.png.*cannot be read"):
        images.folder(tmp_path)


def test_a_picture_survives_as_text():
    image = torch.randint(256, (3, 20, 30), generator=torch.Generator().manual_seed(0)) / 255
    assert np.array_equal(
        images.from_png(images.to_png(image)), (255 * image).round().byte().permute(1, 2, 0).numpy()
    )
    assert images.from_png(images.to_png(image + 2)).min() == 255  # clipped


# ----------------------------------------------------------------------------------------------------------- quality
def test_psnr_and_ssim():
    truth = torch.rand(2, 3, 32, 32, dtype=f64) * 0.5
    torch.testing.assert_close(images.psnr(truth + 0.1, truth), torch.full((2,), 20.0, dtype=f64))
    worse = truth + 0.1 * noise(2, 3, 32, 32)
    assert (images.ssim(truth, truth) == 1).all() and (images.ssim(worse, truth) < 0.9).all()


@pytest.mark.data
def test_levin09_is_the_papers_kernel():
    kernel = images.levin09()
    assert kernel.shape == (17, 17) and kernel.sum().item() == pytest.approx(1)
