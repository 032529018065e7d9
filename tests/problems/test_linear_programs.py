"""Labels are optima, bad programs get none, files are trusted only when their content says so."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from equilibria.problems import linear_programs as lp
from scipy.optimize import linprog


@pytest.fixture(scope="module")
def programs():
    return lp.generate(24, seed=3, progress=False)


def test_the_draw_is_the_papers(programs):
    assert (
        programs.values.shape == (24, 100)
        and programs.c.shape == (24, 50)
        and programs.b.shape == (24, 10)
    )
    assert programs.c.abs().max() <= 0.01 and programs.b.abs().max() <= 1
    assert (programs.l <= programs.u).all() and 8 < programs.u.std() < 12
    assert (
        0.15 < programs.equality.double().mean() < 0.4
    )  # 0.3 before infeasible programs are dropped
    place = programs.rows * 50 + programs.columns
    assert (place.diff(dim=1) > 0).all()  # distinct places, sorted by row and column
    assert (programs.dense() != 0).sum() == 24 * 100


def test_labels_are_feasible_and_optimal(programs):
    assert programs.violation(programs.y).max() < 1e-8
    assert torch.allclose(programs.objective, (programs.c * programs.y).sum(1), atol=1e-10)
    rng = np.random.default_rng(0)
    for i in range(6):  # no feasible point found by another objective does better
        A, eq = programs.dense()[i].numpy(), programs.equality[i].numpy()
        other = linprog(
            rng.normal(size=50),
            A[~eq],
            programs.b[i].numpy()[~eq],
            A[eq] if eq.any() else None,
            programs.b[i].numpy()[eq] if eq.any() else None,
            np.stack([programs.l[i], programs.u[i]]).T,
        )
        assert programs.c[i].numpy() @ other.x >= float(programs.objective[i]) - 1e-9


def test_violation_sees_each_kind_of_violation(programs):
    one = programs[0]
    assert one.violation(one.u + 2).item() >= 2
    shifted = replace(one, b=one.b - 3)
    assert shifted.violation(one.y).item() >= 3 - 1e-9


def test_draws_do_not_depend_on_count_or_workers(programs):
    more = lp.generate(70, seed=3, progress=False)  # through the pool
    assert torch.equal(more.y[:24], programs.y) and torch.equal(more.values[:24], programs.values)
    assert not torch.equal(lp.generate(24, seed=4, progress=False).y, programs.y)


def test_the_optimum_of_least_norm_is_chosen():
    # min y0 + y1 + y2 on y0 + y1 + y2 >= 3: every point of the face is optimal, (1, 1, 1) is the shortest.
    one = lp.from_arrays([[1.0, 1, 1]], [3.0], [1.0, 1, 1], [-10.0] * 3, [10.0] * 3, [">="])
    assert torch.allclose(one.y, torch.ones(1, 3, dtype=torch.float64), atol=1e-7)
    # A zero cost leaves y free in the box: the point nearest to zero.
    one = lp.from_arrays([[1.0, 0]], [0.5], [-1.0, 0.0], [0.0, 2.0], [1.0, 5.0], ["<="])
    assert torch.allclose(one.y, torch.tensor([[0.5, 2.0]], dtype=torch.float64), atol=1e-7)


@pytest.mark.parametrize("kind", lp.KINDS)
def test_perturb_moves_one_input_by_the_norm(programs, kind):
    moved = lp.perturb(programs, kind, norm=1e-4, seed=0)
    fields = {"A": "values", **{k: k for k in "bclu"}}
    for name, field in fields.items():
        change = (getattr(moved, field) - getattr(programs, field)).norm(dim=1)
        wanted = 1e-4 if name == kind else 0.0
        assert torch.allclose(change, torch.full_like(change, wanted), atol=1e-12), name
    assert torch.equal(moved.y, programs.y)
    again = lp.solve(moved, progress=False)
    assert again.violation(again.y).max() < 1e-8
    if (
        kind == "u"
    ):  # some upper bound is active, so the true answer moves, and by no more than a finite factor
        change = (again.y - programs.y).norm(dim=1)
        assert 0 < change.max() < 1


def test_the_users_own_program():
    one = lp.from_arrays(
        [[1.0, 2.0], [3.0, 1.0]], [4.0, 3.0], [-1.0, -1.0], [0, 0], [np.inf, np.inf], ["<=", "<="]
    )
    assert torch.allclose(
        one.y, torch.tensor([[0.4, 1.8]], dtype=torch.float64)
    ) and one.objective.item() == pytest.approx(-2.2)


good = {
    "A": [[1.0, 1.0]],
    "b": [1.0],
    "c": [1.0, 1.0],
    "l": [0.0, 0.0],
    "u": [1.0, 1.0],
    "senses": ["<="],
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"b": [-1.0]}, "infeasible"),
        ({"c": [-1.0, -1.0], "A": [[1.0, -1.0]], "u": [np.inf, np.inf]}, "unbounded"),
        ({"A": [[1.0, np.nan]]}, r"A has nan at \(0, 1\)"),
        ({"b": [np.inf]}, "b has inf at index 0"),
        ({"u": [1.0, np.nan]}, "u has nan at index 1"),
        ({"l": [2.0, 0.0]}, "l exceeds u at index 0: 2.0 > 1.0"),
        ({"c": [1.0]}, r"c must have shape \(2,\)"),
        ({"A": [1.0, 1.0]}, r"A must be a matrix .* \(2,\)"),
        ({"senses": ["<"]}, r"senses must be 1 of .* \['<'\]"),
    ],
    ids=lambda v: v if isinstance(v, str) else None,
)
def test_bad_programs_get_an_error_and_no_label(changes, message):
    with pytest.raises(lp.LinearProgramError, match=message):
        lp.from_arrays(**good | changes)


def test_solve_names_the_program_that_has_no_optimum(programs):
    broken = replace(programs, l=programs.l.clone(), u=programs.u.clone())
    broken.u[5, :], broken.l[5, :] = 1e-9, 0.0
    broken = replace(broken, b=torch.where(torch.arange(24)[:, None] == 5, -5.0, broken.b))
    with pytest.raises(lp.LinearProgramError, match="program 5 is infeasible"):
        lp.solve(broken, progress=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count must be a positive integer, got 0"),
        ({"variables": -1}, "variables must be a positive integer, got -1"),
        ({"nonzeros": 501}, "nonzeros must be at most .* 500, got 501"),
        ({"equality_probability": 1.5}, r"equality_probability must lie in \[0, 1\], got 1.5"),
        ({"seed": -1}, "seed must be a non-negative integer, got -1"),
    ],
    ids=lambda v: v if isinstance(v, str) else None,
)
def test_impossible_sizes_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        lp.generate(**{"count": 1, "seed": 0} | arguments)


def test_sizes_that_admit_no_program_end_with_an_error():
    with pytest.raises(lp.LinearProgramError, match="no feasible program"):
        lp.generate(
            1,
            variables=2,
            constraints=12,
            nonzeros=24,
            equality_probability=1.0,
            seed=0,
            progress=False,
        )


MPS = """NAME TEST
ROWS
 N COST
 L LIM1
 G LIM2
COLUMNS
 X COST 1 LIM1 1
 X LIM2 1
 Y COST 2 LIM1 1
 Y LIM2 {second}
RHS
 RHS LIM1 4 LIM2 1
BOUNDS
 UP BND X 4
 UP BND Y 4
ENDATA
"""


def test_an_mps_file_comes_through_the_same_door(tmp_path):
    path = tmp_path / "one.mps"
    path.write_text(MPS.format(second=1))
    one = lp.from_mps(path)
    assert torch.allclose(one.y, torch.tensor([[1.0, 0.0]], dtype=torch.float64))
    path.write_text("nonsense")
    with pytest.raises(lp.LinearProgramError, match="not a readable MPS file"):
        lp.from_mps(path)
    with pytest.raises(lp.LinearProgramError, match="no file"):
        lp.from_mps(tmp_path / "other.mps")


def test_files_keep_everything_and_damage_is_refused(tmp_path, programs):
    path = tmp_path / "programs.safetensors"
    lp.write(programs, path, recipe={"seed": 3})
    again = lp.read(path, recipe={"seed": 3})
    assert all(
        torch.equal(getattr(again, k), getattr(programs, k))
        for k in ("rows", "values", "equality", "y", "objective")
    )
    with pytest.raises(lp.LinearProgramError, match="another recipe"):
        lp.read(path, recipe={"seed": 4})
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    with pytest.raises(lp.LinearProgramError, match="programs.safetensors is damaged"):
        lp.read(path)
    path.write_bytes(b"short")
    with pytest.raises(lp.LinearProgramError, match="not a readable data file"):
        lp.read(path)


def test_a_damaged_cache_is_named_and_made_again(tmp_path):
    made = lp.generate_cached(4, folder=tmp_path, seed=3, progress=False)
    (file,) = tmp_path.glob("*.safetensors")
    content = bytearray(file.read_bytes())
    content[-5] ^= 1
    file.write_bytes(content)
    with pytest.warns(UserWarning, match=f"{file.name} is damaged"):
        again = lp.generate_cached(4, folder=tmp_path, seed=3, progress=False)
    assert torch.equal(again.y, made.y) and torch.equal(lp.read(file).y, made.y)
    assert not list(tmp_path.glob("*.part"))


def test_pytorch_geometrics_form_holds_the_same_graph(programs):
    data = programs.to_hetero(2)
    A = torch.zeros(10, 50, dtype=torch.float64)
    column, row = data["variable", "in", "constraint"].edge_index
    A[row, column] = data["variable", "in", "constraint"].edge_attr
    assert torch.equal(A, programs.dense()[2])
    assert (
        data.validate()
        and data["variable"].x.shape == (50, 3)
        and data["constraint"].x.shape == (10, 2)
    )
