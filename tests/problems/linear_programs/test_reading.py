"""The reader's own programs: arrays and MPS files come through the same checks."""

import numpy as np
import pytest
import torch
from equilibria.problems import linear_programs as lp
from scipy import sparse

GOOD = {
    "A": [[1.0, 1.0]],
    "b": [1.0],
    "c": [1.0, 1.0],
    "l": [0.0, 0.0],
    "u": [1.0, 1.0],
    "senses": ["<="],
}


def tensor(*rows):
    return torch.tensor(rows, dtype=torch.float64)


def test_a_program_of_two_rows_and_infinite_bounds():
    one = lp.from_arrays(
        A=[[1.0, 2.0], [3.0, 1.0]],
        b=[4.0, 3.0],
        c=[-1.0, -1.0],
        l=[0, 0],
        u=[np.inf, np.inf],
        senses=["<=", "<="],
    )
    assert torch.allclose(one.y, tensor([0.4, 1.8]))
    assert one.objective.item() == pytest.approx(-2.2)


def test_a_sparse_matrix_gives_the_same_program():
    dense = lp.from_arrays(**GOOD)
    other = lp.from_arrays(**GOOD | {"A": sparse.csr_array(np.array(GOOD["A"]))})
    for name, field in dense.tensors().items():
        assert torch.equal(other.tensors()[name], field), name


def test_a_program_that_is_not_solved_has_no_label():
    one = lp.from_arrays(**GOOD, solved=False)
    assert one.y.isnan().all()
    assert one.objective.isnan().all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"b": [-1.0]}, "infeasible"),
        ({"c": [-1.0, -1.0], "A": [[1.0, -1.0]], "u": [np.inf, np.inf]}, "unbounded"),
        ({"A": [[1.0, np.nan]]}, r"A must hold finite numbers, got nan at \(0, 1\)"),
        ({"b": [np.inf]}, "b must hold finite numbers, got inf at index 0"),
        ({"u": [1.0, np.nan]}, "u must hold numbers, got nan at index 1"),
        ({"l": [2.0, 0.0]}, r"l must not exceed u, got l = 2\.0 and u = 1\.0 at index 0"),
        ({"c": [1.0]}, r"c must have shape \(2,\)"),
        ({"A": [1.0, 1.0]}, r"A must be a matrix .* \(2,\)"),
        ({"senses": ["<"]}, r"senses must be 1 of .* \['<'\]"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_bad_programs_get_an_error_and_no_label(changes, message):
    with pytest.raises(lp.LinearProgramError, match=message):
        lp.from_arrays(**GOOD | changes)


MPS = """NAME TEST
ROWS
 N COST
 L LIM1
 G LIM2
COLUMNS
 X COST 1 LIM1 1
 X LIM2 1
 Y COST 2 LIM1 1
 Y LIM2 1
RHS
 RHS LIM1 4 LIM2 1
BOUNDS
 UP BND X 4
 UP BND Y 4
ENDATA
"""
RANGE = "RANGES\n RNG LIM1 2.5\nBOUNDS"  # 1.5 <= LIM1 <= 4
INTEGER = " M1 'MARKER' 'INTORG'\n X COST"


@pytest.fixture
def mps(tmp_path):
    def write(text):
        path = tmp_path / "one.mps"
        path.write_text(text)
        return path

    return write


def test_an_mps_file(mps):
    one = lp.from_mps(mps(MPS))
    assert torch.allclose(one.y, tensor([1.0, 0.0]))


def test_a_row_with_two_sides_becomes_two_rows(mps):
    one = lp.from_mps(mps(MPS.replace("BOUNDS", RANGE)))
    assert one.b.shape == (1, 3)
    assert torch.allclose(one.y, tensor([1.5, 0.0]))


def test_a_maximisation_is_negated(mps):
    one = lp.from_mps(mps(MPS.replace("NAME TEST", "NAME TEST\nOBJSENSE\n    MAX")))
    assert torch.allclose(one.y, tensor([0.0, 4.0]))
    assert one.objective.item() == pytest.approx(-8)


def test_files_that_hold_no_linear_program_are_refused(mps, tmp_path):
    with pytest.raises(lp.LinearProgramError, match="not a readable MPS file"):
        lp.from_mps(mps("nonsense"))
    with pytest.raises(lp.LinearProgramError, match="integer variables"):
        lp.from_mps(mps(MPS.replace(" X COST", INTEGER, 1)))
    with pytest.raises(lp.LinearProgramError, match="no file"):
        lp.from_mps(tmp_path / "other.mps")
