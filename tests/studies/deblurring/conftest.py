"""A small blur, and trainings on small random photographs in a folder of their own."""

from dataclasses import replace

import pytest
from deblurring_models import scene
from equilibria.operators.blur import Blur
from equilibria.problems import images
from equilibria.studies.deblurring import evaluation, recipes

KINDS = ("denoiser", "explicit", "pgd", "hqs", "unfolded", "unrolled")


@pytest.fixture
def blur():
    return Blur(images.motion_kernel(size=7))


@pytest.fixture
def tiny():
    """The recipe ``quick`` with a tiny network, tiny crops and few steps."""
    return replace(
        recipes.RECIPES["quick"],
        channels=(8, 8, 8, 8),
        crop=32,
        batch=4,
        pool=8,
        learning_rate=1e-3,
        steps=dict.fromkeys(KINDS, 4),
    )


@pytest.fixture
def small(tmp_path, monkeypatch, tiny):
    """Trainings by the recipe `tiny` on four photographs; returns their data folder."""
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    monkeypatch.setitem(recipes.RECIPES, "quick", tiny)
    photographs = list(scene(4, 48).float())
    monkeypatch.setattr(images, "bsds500", lambda split: photographs)
    monkeypatch.setattr(evaluation, "TEST_SIZE", 32)
    return tmp_path
