"""Frames: of the shipped weights, measured as they say, small, and shown whole."""

import html
import json
import re

import pytest
import torch
from equilibria.companion.command_line import main
from equilibria.companion.figures import player
from equilibria.companion.live import animation, measures, players, store
from equilibria.files import DataError
from equilibria.operators.reciprocal import RegularReciprocal
from equilibria.solvers import trajectory
from PIL import Image, ImageChops

CASES = tuple(measures.MEASURES)
DISCRETE = ("parity", "story")
LARGEST = 200_000  # bytes of a file of frames


@pytest.mark.parametrize("name", CASES)
def test_frames_are_of_the_shipped_weights(name):
    data = store.read(name)
    again = "run `equilibria animate`, which measures them again"
    assert data["made_from"] == store.made_from(name), again
    assert data["times"] == list(measures.TIMES), again


@pytest.mark.parametrize("name", CASES)
def test_frames_are_small(name):
    for path in (store.folder() / f"{name}.json", store.sheet_path(name)):
        assert not path.is_file() or path.stat().st_size < LARGEST


def test_1_over_x_is_what_its_operator_iterates_to():
    data = store.read("one_over_x")
    x = torch.tensor(data["x"], dtype=torch.float64)[:, None]
    path = list(trajectory(RegularReciprocal(0.5), torch.zeros_like(x), x, measures.TIMES[-1]))
    j = data["etas"].index(0.5)
    for i, t in enumerate(measures.TIMES):
        shown = torch.tensor(data["answers"][i][j], dtype=torch.float64)
        torch.testing.assert_close(shown, path[t - 1][:, 0], rtol=2e-3, atol=0)
        assert data["error"][i][j] == pytest.approx(abs(1 - 0.04 * shown[0].item()), abs=2e-3)
    slope = (path[99][1] - path[99][0]).abs() / (x[1] - x[0])
    # A difference over a whole step of the grid is less steep than the edge itself.
    assert slope.item() < data["steepness"][-1][j] < 1.5 * slope.item()


@pytest.mark.parametrize("name", DISCRETE)
def test_answers_are_those_of_the_loop_and_its_numbers_theirs(name):
    data, again = store.read(name), measures.MEASURES[name]().data
    assert data["answers"] == again["answers"] and data["truth"] == again["truth"]
    for t, rows in enumerate(data["answers"]):
        wrong = [a != b for a, b in zip(rows[0], data["truth"][0], strict=True)]
        assert data["error"][t] == pytest.approx(sum(wrong) / len(wrong), abs=1e-3)
        moved = [sum(a != b for a, b in zip(row, rows[0], strict=True)) for row in rows]
        assert data["steepness"][t] == max(moved)
    for place, question in zip(data["places"], data["inputs"], strict=True):
        pairs = enumerate(zip(question, data["inputs"][0], strict=True))
        different = [i for i, (a, b) in pairs if a != b]
        assert different == ([] if place is None else [place])


def test_parity_is_the_parity_of_the_symbols_so_far():
    data = store.read("parity")
    for symbols, truth in zip(data["inputs"], data["truth"], strict=True):
        assert truth == [sum(map(int, symbols[: i + 1])) % 2 for i in range(len(symbols))]


def test_a_program_nears_its_label_as_its_error_says():
    data = store.read("linear_program")
    truth = torch.tensor(data["truth"])
    for answer, error in zip(data["answers"], data["error"], strict=True):
        distance = (torch.tensor(answer) - truth).norm() / (truth.norm() + 1)
        assert error == pytest.approx(distance.item(), rel=2e-2)


@pytest.mark.parametrize("name", ["photograph", "flow"])
def test_a_sheet_ends_with_the_input_and_the_truth(name):
    data = store.read(name)
    count = len(measures.TIMES)
    first, last, given, truth = (
        torch.tensor(list(store.picture(name, data, place).tobytes()), dtype=torch.float32)
        for place in (0, count - 1, count, count + 1)
    )
    assert (last - truth).norm() < 0.5 * (first - truth).norm()
    assert (last - truth).norm() < 0.7 * (given - truth).norm()


def test_the_animated_picture_has_a_frame_per_t_and_moves():
    path = store.folder() / "together.webp"
    assert path.stat().st_size < animation.LARGEST
    with Image.open(path) as picture:
        assert picture.n_frames == len(measures.TIMES) and picture.info["loop"] == 0
        frames = []
        for i in (0, 3, picture.n_frames - 1):
            picture.seek(i)
            frames.append(picture.convert("RGB"))
    width = frames[0].width // 5
    for one, other in ((0, 1), (1, 2)):
        for case in range(5):  # the answer of every case has changed
            box = (case * width, 100, (case + 1) * width, 400)
            change = ImageChops.difference(frames[one].crop(box), frames[other].crop(box))
            assert max(high for _, high in change.getextrema()) > 30, (one, case)


def test_the_page_has_a_whole_player_for_each_case():
    page = players.page()
    specs = [json.loads(html.unescape(text)) for text in re.findall(r'data-player="([^"]*)"', page)]
    assert len(specs) == len(CASES) == len(players.PLAYERS)
    for spec in specs:
        frames = 1
        for slider in spec["sliders"]:
            frames *= len(slider["values"])
        assert len(spec["words"]) == frames and spec["alt"]
    assert not re.search(r"https?://", page), "a request to another host"
    for still in re.findall(r'src="_static/live/([^"]+)"', page):
        assert (store.folder() / still).is_file()


def test_a_notebook_embeds_a_player_that_needs_nothing_else():
    text = players.embedded("parity")
    assert text.count("data-player=") == text.count("<script>") == 1
    assert 'src="data:image/webp;base64,' in text
    assert len(text) <= player.LARGEST
    with pytest.raises(ValueError, match=r"name must be one of one_over_x.*got 'sudoku'"):
        players.embedded("sudoku")
    with pytest.raises(ValueError, match=r"name must be a player without pictures.*got 'flow'"):
        players.embedded("flow")


def test_answers_are_coded_by_question_and_t():
    slider = {"label": "t", "values": [1, 2], "start": 0}
    changed = {"label": "changed", "values": ["none", "2"], "start": 0}
    spec = player.answers(
        sliders=[slider, changed],
        kind="symbols",
        before="",
        questions=[["1", "0"], ["1", "1"]],
        truth=[["odd", "odd"], ["odd", "even"]],
        frames=[[["even", "even"], ["even", "even"]], [["odd", "odd"], ["odd", "even"]]],
        words=["a", "b", "c", "d"],
        alt="e",
    )
    cells = spec["cells"]
    assert cells["words"] == ["even", "odd"] and cells["truth"] == ["11", "10"]
    assert cells["answers"] == [["00", "00"], ["11", "10"]]
    assert cells["places"] == [None, 1] and cells["changed"] == ["", "1"]


def test_pictures_that_the_sheet_lacks_are_refused():
    slider = {"label": "t", "values": [1, 2], "start": 0}
    sheet = {"url": "a.webp", "columns": 2, "rows": 1, "width": 8, "height": 8}
    shared = {"sliders": [slider], "sheet": sheet, "alt": "c"}
    with pytest.raises(ValueError, match="sheet has 2 places"):
        player.panels(side_by_side=[("y", None), ("truth", 2)], words=["a", "b"], **shared)
    with pytest.raises(ValueError, match="need 2 frames, got 1"):
        player.panels(side_by_side=[("y", None)], words=["a"], **shared)


def test_the_command_measures_and_draws_into_the_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(store, "folder", lambda: tmp_path)
    with pytest.raises(DataError, match="run `equilibria animate`"):
        store.read("parity")
    monkeypatch.setattr(measures, "MEASURES", {"parity": measures.parity})
    monkeypatch.setattr(animation, "draw_stills", lambda: None)

    def draw_animation():
        (tmp_path / "together.webp").write_bytes(b"0" * 5000)
        return tmp_path / "together.webp"

    monkeypatch.setattr(animation, "draw_animation", draw_animation)
    assert main(["animate"]) == 0
    assert store.read("parity")["places"][1] == 0
    printed = capsys.readouterr().out
    assert "parity: " in printed and "together.webp (5 kB)" in printed
