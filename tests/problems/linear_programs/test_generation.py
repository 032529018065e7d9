"""Programs are drawn as the paper draws them, and the cache is trusted only when it is whole."""

import json

import pytest
import torch
from equilibria.problems import linear_programs as lp
from equilibria.problems.linear_programs import generation
from equilibria.problems.linear_programs.labels import Failure
from safetensors import safe_open


def test_the_draw_is_the_papers(programs):
    assert programs.values.shape == (24, 100)
    assert programs.c.shape == (24, 50)
    assert programs.b.shape == (24, 10)
    assert programs.c.abs().max() <= 0.01
    assert programs.b.abs().max() <= 1
    assert (programs.l <= programs.u).all()
    assert 8 < programs.u.std() < 12
    # 0.3 before infeasible programs are dropped
    assert 0.15 < programs.equality.double().mean() < 0.4
    places = programs.rows * 50 + programs.columns
    assert (places.diff(dim=1) > 0).all()  # distinct places, sorted by row and column
    assert (programs.dense() != 0).sum() == 24 * 100


def test_draws_do_not_depend_on_count_or_workers(programs):
    more = lp.generate(70, seed=3, progress=False)  # through the pool
    assert torch.equal(more.y[:24], programs.y)
    assert torch.equal(more.values[:24], programs.values)
    assert not torch.equal(lp.generate(24, seed=4, progress=False).y, programs.y)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"count": 0}, ValueError, "count must be at least 1, got 0"),
        ({"count": 2.0}, TypeError, r"count must be an int, got 2\.0"),
        ({"variables": -1}, ValueError, "variables must be at least 1, got -1"),
        ({"nonzeros": 501}, ValueError, "nonzeros must be at most .* 500, got 501"),
        (
            {"equality_probability": 1.5},
            ValueError,
            r"equality_probability must be in \[0, 1\], got 1\.5",
        ),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_impossible_sizes_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        lp.generate(**{"count": 1, "seed": 0} | arguments)


def test_sizes_that_admit_no_program_end_with_an_error():
    sizes = {"variables": 2, "constraints": 12, "nonzeros": 24, "equality_probability": 1.0}
    with pytest.raises(lp.LinearProgramError, match="a feasible program"):
        lp.generate(1, **sizes, seed=0, progress=False)


def fails_on(monkeypatch, share):
    """HiGHS gives up on this share of the draws: b_0 is uniform in [-1, 1]."""

    def label(program):
        if program.b[0] < 2 * share - 1:
            return Failure("was not solved (time limit)", unsolved=True)
        return original(program)

    original = generation.label
    monkeypatch.setattr(generation, "label", label)


def test_draws_that_highs_fails_on_are_counted_and_named(monkeypatch):
    fails_on(monkeypatch, 0.02)
    message = (
        r"left out: \d+ that HiGHS failed on, the first: draw \d+ was not solved \(time limit\)"
    )
    with pytest.warns(UserWarning, match=message):
        lp.generate(64, seed=3, progress=False)


def test_a_share_of_failures_is_an_error(monkeypatch):
    fails_on(monkeypatch, 0.2)
    with pytest.raises(lp.LinearProgramError, match=r"of 64 draws, \d+ that HiGHS failed on"):
        lp.generate(24, seed=3, progress=False)


def cached(folder, **arguments):
    return lp.generate_cached(4, folder=folder, **{"seed": 3, "progress": False} | arguments)


def test_the_cache_keeps_every_field_and_its_recipe(tmp_path):
    made = cached(tmp_path, variables=20, constraints=4, nonzeros=30)
    again = cached(tmp_path, variables=20, constraints=4, nonzeros=30)
    for name, field in made.tensors().items():
        assert torch.equal(again.tensors()[name], field), name
        assert again.tensors()[name].dtype == field.dtype, name
    (file,) = tmp_path.iterdir()
    with safe_open(file, "pt") as content:
        recipe = json.loads(content.metadata()["recipe"])
    assert recipe["seed"] == 3
    assert recipe["nonzeros"] == 30


def test_every_argument_has_a_file_of_its_own(tmp_path):
    cached(tmp_path)
    cached(tmp_path, seed=4)
    cached(tmp_path, nonzeros=90)
    assert len(list(tmp_path.iterdir())) == 3


def test_the_file_of_another_recipe_is_named_and_made_again(tmp_path):
    made = cached(tmp_path)
    (file,) = tmp_path.iterdir()
    cached(tmp_path / "other", seed=4)
    (other,) = (tmp_path / "other").iterdir()
    other.replace(file)
    with pytest.warns(UserWarning, match=f"{file.name} was made by another recipe"):
        again = cached(tmp_path)
    assert torch.equal(again.y, made.y)


def test_a_damaged_cache_is_named_and_made_again(tmp_path):
    made = cached(tmp_path)
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.warns(UserWarning, match=f"{file.name} is damaged"):
        again = cached(tmp_path)
    assert torch.equal(again.y, made.y)
    assert torch.equal(cached(tmp_path).y, made.y)  # the file was repaired: no second warning
    assert list(tmp_path.iterdir()) == [file]


def test_a_cache_that_cannot_be_read_is_named_and_made_again(tmp_path):
    made = cached(tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"short")
    with pytest.warns(UserWarning, match="not a readable data file"):
        again = cached(tmp_path)
    assert torch.equal(again.y, made.y)
