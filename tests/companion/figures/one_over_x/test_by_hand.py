"""The player's HTML holds every frame, the script and a still picture, and stays small."""

import html
import json
import re

import pytest
from conftest import HOME
from equilibria.companion.figures import one_over_x as draw
from equilibria.companion.figures import player
from matplotlib import pyplot

FRAMES = json.loads((HOME / "figures/quick/01_one_over_x/frames.json").read_text())


def test_the_page_has_a_frame_and_a_sentence_for_every_place_of_the_sliders():
    page = draw.by_hand(FRAMES)
    assert len(page.encode()) <= player.LARGEST
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", page), "a request to another host"
    spec = json.loads(html.unescape(re.search(r'data-player="([^"]*)"', page)[1]))
    times, etas = (slider["values"] for slider in spec["sliders"])
    assert len(spec["lines"]) == len(spec["words"]) == len(times) * len(etas)
    # The last slider is the fastest: this is y_t at t = 20 and eta = 0.5.
    y = spec["lines"][times.index(20) * len(etas) + etas.index(0.5)]
    x = spec["x"]["at"]
    for here, there in zip(x, y, strict=True):
        assert there == pytest.approx((1 - (1 - 0.5 * here) ** 20) / here, rel=0.02)
    assert "<img" in page and "<script>" in page
    assert not pyplot.get_fignums()


def test_frames_that_do_not_fit_the_sliders_are_refused():
    axis = {"label": "x", "ticks": [0.0, 1.0], "at": [0.0, 1.0]}
    words = {"legend": ("a", "b"), "alt": "c"}
    slider = {"label": "t", "values": [1, 2, 3], "start": 0}
    with pytest.raises(ValueError, match="need 3 frames, got 2 with 2 sentences"):
        player.lines(
            sliders=[slider],
            x=axis,
            y=axis,
            still=[0.0, 1.0],
            frames=[[0.0, 1.0]] * 2,
            words=["one", "two"],
            **words,
        )


def test_a_player_that_is_too_large_is_refused():
    with pytest.raises(ValueError, match="more than 100000: use fewer frames"):
        player.page({"alt": "x" * player.LARGEST}, instead=pyplot.figure())
    assert not pyplot.get_fignums()
