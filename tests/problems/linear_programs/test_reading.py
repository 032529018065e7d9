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
    with pytest.raises(lp.LinearProgramError, match="line 1: section NONSENSE"):
        lp.from_mps(mps("nonsense"))
    with pytest.raises(lp.LinearProgramError, match="no file"):
        lp.from_mps(tmp_path / "other.mps")


OTHERS = {
    "integer variables": ((" X COST", INTEGER), "line 7: integer variables"),
    "binary": ((" UP BND X 4", " BV BND X"), "line 14: a bound of type BV"),
    "semicontinuous": ((" UP BND X 4", " SC BND X 4"), "line 14: a bound of type SC"),
    "quadratic": (("ENDATA", "QUADOBJ\n X X 1\nENDATA"), "line 16: section QUADOBJ"),
    "ordered sets": (("ENDATA", "SOS\n S1 SOS1\n X 1\nENDATA"), "line 16: section SOS"),
    "no objective": ((" N COST", " G COST"), "section ROWS: no objective"),
    "a letter": (("X COST 1", "X COST 1O"), "line 7: '1O' is not a number"),
    "no column": (("BND X", "BND Z"), "line 14: a bound of the variable 'Z'"),
    "no row": (("RHS LIM1 4", "RHS LIM9 4"), 'Row name "LIM9" in RHS section is not defined'),
    "no row in columns": (("X LIM2 1", "X LIM9 1"), "readable MPS file: Row name"),
    "twice an entry": ((" X LIM2 1", " X LIM2 1\n X LIM2 2"), "has duplicate nonzero"),
    "twice a column": (("RHS\n", " X LIM1 5\nRHS\n"), "have the same name"),
    "twice a row": ((" G LIM2", " G LIM2\n L LIM2"), "have the same name"),
    "twice a right side": (("LIM2 1\nBOUNDS", "LIM2 1\n R LIM1 7\nBOUNDS"), "duplicate value"),
    "crossed bounds": ((" UP BND X 4", " UP BND X -4"), "inconsistent bounds"),
    "a constant": (("RHS LIM1 4", "RHS COST 4 LIM1 4"), "section RHS: the objective has a const"),
    "two files": (("ENDATA", "ENDATA\nNAME"), "line 17: after ENDATA"),
    "half a pair": ((" X LIM2 1", " X LIM2"), "line 8: not a column's name and"),
    "another bound": ((" UP BND X 4", " XX BND X 4"), "line 14: no bound has the type 'XX'"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_a_linear_program_does_not_have_is_refused_by_line(mps, kind):
    change, message = OTHERS[kind]
    with pytest.raises(lp.LinearProgramError, match=message):
        lp.from_mps(mps(MPS.replace(*change, 1)))


@pytest.mark.parametrize("set_name", [" ", " BND "])
def test_bounds_of_every_type(mps, set_name):
    bounds = "".join(
        f" {kind}{set_name}{rest}\n" for kind, rest in [("FX", "X 1"), ("MI", "Y"), ("UP", "Y 0")]
    )
    text = MPS.partition("BOUNDS\n")[0] + "BOUNDS\n" + bounds + "ENDATA\n"
    one = lp.from_mps(mps(text.replace("LIM2 1\nBOUNDS", "LIM2 -1\nBOUNDS")))
    assert one.l.tolist() == [[1.0, -np.inf]] and one.u.tolist() == [[1.0, 0.0]]
    assert torch.allclose(one.y, tensor([1.0, -2.0]))


def test_no_file_that_was_cut_off_is_taken(mps):
    whole = MPS.rstrip()
    for length in range(len(whole)):
        with pytest.raises(lp.LinearProgramError):
            lp.from_mps(mps(whole[:length]), solved=False)
    assert len(lp.from_mps(mps(whole))) == 1
