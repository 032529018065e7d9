"""equilibria.companion.results and equilibria.figures: the folder rule, exact files, refusals."""

import json
import random

import matplotlib.pyplot
import numpy
import pytest
import torch
from equilibria.companion import figures, parameters, results


@pytest.fixture
def run(sample):
    return results.start("01_first", parameters.profile_parameters("01", "quick"))


def test_declared_parameters_go_to_the_profile_folder(sample, run):
    assert run.folder == sample.root / "figures" / "quick" / "01_first" and run.profile == "quick"
    paper = results.start("01", parameters.profile_parameters("01", "paper"))
    assert paper.folder == sample.root / "figures" / "paper" / "01_first"


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"eta": 0.25}, {"sizes": [1, 2, 3]}, {"profile": "paper"}, {"mode": "exact"}],
)
def test_changed_parameters_never_touch_the_judged_results(sample, change):
    changed = results.start("01", parameters.profile_parameters("01", "quick") | change)
    assert (
        changed.folder.parent == sample.root / "figures" / "custom" and changed.profile == "custom"
    )


def test_two_changes_have_two_folders(sample):
    usual = parameters.profile_parameters("01", "quick")
    names = {
        parameters.custom_name("01_first", usual | {"sizes": list(range(1, n))})
        for n in range(4, 300)
    }
    assert len(names) == 296 and max(map(len, names)) < 110


def test_values_in_other_letters_have_other_folders(sample):
    usual = parameters.profile_parameters("01", "quick")
    texts = ["a/b.jpg", "a_b.jpg", "a b.jpg", "Бу", "Ба", "東京", "京都", "é", "è", ""]
    texts += ["x" * 200, "x" * 201, "1"]
    values = [*({"mode": text} for text in texts), {"mode": "1", "steps": 4}, {"mode": 1}]
    names = [parameters.custom_name("01_first", usual | value) for value in values]
    assert len(set(names)) == len(names)
    assert all(name.isascii() and "/" not in name for name in names)


def test_start_seeds_everything_and_uses_one_thread(sample):
    def draws():
        results.start("01", parameters.profile_parameters("01", "quick") | {"seed": 5})
        return random.random(), numpy.random.rand(), torch.rand(()).item()

    assert draws() == draws() and torch.get_num_threads() == 1


@pytest.mark.parametrize(
    "change", [{"eta": 2.0}, {"steps": 0}, {"unknown": 1}, {"profile": "medium"}]
)
def test_start_refuses_before_anything_is_written(sample, change):
    with pytest.raises(parameters.ParameterError):
        results.start("01", parameters.profile_parameters("01", "quick") | change)
    assert not (sample.root / "figures").exists()


def test_start_wants_every_parameter(sample):
    with pytest.raises(parameters.ParameterError, match="was not given eta, steps"):
        results.start(
            "01",
            {
                "profile": "quick",
                "seed": 0,
                "device": "cpu",
                "sizes": [1],
                "mode": "fast",
                "verbose": False,
            },
        )


def test_start_refuses_a_device_that_is_not_there(sample, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(parameters.ParameterError, match="device = 'cuda'"):
        results.start("01", parameters.profile_parameters("01", "quick") | {"device": "cuda"})


def test_save_is_exact_sorted_and_the_same_twice(run):
    values = dict(
        b=torch.tensor([[0.1, 2.0]]),
        a={"x": numpy.float64(1 / 3), 4: numpy.arange(2)},
        c=None,
        d=(True, "text"),
        e=torch.tensor(3),
    )
    first = run.save(**values).read_bytes()
    assert run.save(**dict(reversed(values.items()))).read_bytes() == first
    assert run.load() == {
        "a": {"x": 1 / 3, "4": [0, 1]},
        "b": [[0.1, 2.0]],
        "c": None,
        "d": [True, "text"],
        "e": 3,
    }
    assert [path.name for path in run.folder.iterdir()] == ["results.json"]


def test_save_adds_to_what_the_run_saved_and_not_to_an_older_run(sample, run):
    run.save(error=1, steps=[1])
    run.save("other", error=3)
    run.save(error=2, seeds=3)
    assert run.load() == {"error": 2, "steps": [1], "seeds": 3} and run.load("other") == {
        "error": 3
    }
    with pytest.raises(ValueError, match="worse is nan"):
        run.save(error=4, worse=float("nan"))
    run.save()
    assert run.load()["error"] == 2  # all or nothing
    again = results.start("01", run.parameters)
    again.save(error=5)
    assert again.folder == run.folder and again.load() == {"error": 5}


def test_float32_keeps_every_bit(run):
    numbers = torch.randn(1000)
    run.save(numbers=numbers)
    assert torch.equal(torch.tensor(run.load()["numbers"]), numbers)


@pytest.mark.parametrize(
    "value", [float("nan"), torch.tensor([1.0, float("inf")]), {"deep": [numpy.float32("nan")]}]
)
def test_a_failed_number_cannot_be_saved(run, value):
    with pytest.raises(ValueError, match=r"curve.* is (nan|inf)"):
        run.save(curve=value)
    assert not list(run.folder.iterdir())


def nested(depth):
    value = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (10**400, "huge is a whole number beyond"),
        ([-(10**309)], r"huge\.0 is a whole number beyond"),
        (nested(5000), "huge: too deeply nested"),
    ],
)
def test_what_no_reader_could_take_cannot_be_saved(run, value, message):
    with pytest.raises(ValueError, match=message):
        run.save(huge=value)
    assert not list(run.folder.iterdir())


def test_other_objects_cannot_be_saved(run):
    with pytest.raises(TypeError, match=r"thing\.0 is a object"):
        run.save(thing=[object()])


def test_table(run):
    path = run.table(
        "table_1", [{"model": "a,b", "error": 0.25}, {"model": "c", "error": torch.tensor(0.1)}]
    )
    assert path.read_text() == 'model,error\n"a,b",0.25\nc,0.1\n'
    for rows in ([], [{"a": 1}, {"b": 2}]):
        with pytest.raises(ValueError, match="table_2"):
            run.table("table_2", rows)


def test_finish_marks_the_run_and_start_takes_the_mark_away(sample, run):
    run.save(value=1)
    assert not (run.folder / "provenance.json").exists()
    run.finish()
    provenance = json.loads((run.folder / "provenance.json").read_text())
    assert (
        provenance["profile"] == "quick"
        and provenance["seed"] == 0
        and provenance["parameters"]["eta"] == 0.5
    )
    assert provenance["versions"]["torch"] == torch.__version__ and provenance["device"].startswith(
        "cpu"
    )
    results.start("01", parameters.profile_parameters("01", "quick"))
    assert not (run.folder / "provenance.json").exists() and (run.folder / "results.json").exists()


def _figure():
    figure, axes = matplotlib.pyplot.subplots(figsize=(4, 3))
    axes.plot([0, 1], [0, 1], color=figures.COLOURS["implicit"])
    axes.set(xlabel="t", ylabel="error")
    return figure


def test_a_figure_is_drawn_from_saved_results_only_and_says_who_made_it(run):
    figures.style()
    figure = _figure()
    with pytest.raises(FileNotFoundError, match=r"save results\.json first"):
        figures.save(run, figure, "line")
    run.save(value=1)
    first = figures.save(run, figure, "line").read_bytes()
    assert b"01_first, profile quick" in first and not figure.texts
    assert figures.save(run, _figure(), "line").read_bytes() == first
    labelled = _figure()
    labelled.set_label("A line that rises.")
    written = figures.save(run, labelled, "line").read_bytes()
    assert b"A line that rises." in written and b"01_first, profile quick" in written
    assert not labelled.texts, "nothing lies over the picture"
    assert not matplotlib.pyplot.fignum_exists(labelled.number), "it would be shown twice"
    matplotlib.pyplot.close("all")
