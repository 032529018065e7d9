"""A batch of programs: violations, single programs, PyTorch Geometric's form."""

from dataclasses import replace

import torch
from equilibria.problems import linear_programs as lp


def test_violation_sees_each_kind_of_violation(programs):
    one = programs[0]
    assert one.violation(one.u + 2).item() >= 2
    shifted = replace(one, b=one.b - 3)
    assert shifted.violation(one.y).item() >= 3 - 1e-9


def test_the_violation_of_a_program_that_is_done_by_hand():
    """Rows y0 + 2 y1 = 1 and 3 y0 - y1 <= 2, bounds -1 <= y <= 4."""
    one = lp.from_arrays(
        [[1.0, 2.0], [3.0, -1.0]],
        [1.0, 2.0],
        [1.0, 1.0],
        [-1.0, -1.0],
        [4.0, 4.0],
        ["=", "<="],
        solved=False,
    )
    points = {
        (1.0, 0.0): 1.0,  # 3 > 2
        (0.0, 0.0): 1.0,  # 0 is not 1
        (0.0, 3.0): 5.0,  # 6 is not 1
        (-3.0, 2.0): 2.0,  # below l
        (-9.0, 5.0): 8.0,  # below l by more than above u
        (5.0, -2.0): 15.0,  # 17 > 2
        (0.5, 0.25): 0.0,
    }
    for point, expected in points.items():
        y = torch.tensor([point], dtype=torch.float64)
        assert one.violation(y).item() == expected, point
        assert one.violation(y.float()).dtype == torch.float64
    assert one.dense().tolist() == [[[1.0, 2.0], [3.0, -1.0]]]
    data = one.to_hetero(0)
    assert data["variable"].x.tolist() == [[1.0, -1.0, 4.0]] * 2
    assert data["constraint"].x.tolist() == [[1.0, 1.0], [2.0, 0.0]]


def test_an_index_gives_a_batch(programs):
    assert len(programs[3]) == 1
    assert torch.equal(programs[3].y[0], programs.y[3])
    assert torch.equal(programs[[4, 2]].c, programs.c[[4, 2]])
    assert len(programs[20:]) == 4


def test_pytorch_geometrics_form_holds_the_same_graph(programs):
    data = programs.to_hetero(2)
    edges = data["variable", "in", "constraint"]
    A = torch.zeros(10, 50, dtype=torch.float64)
    column, row = edges.edge_index
    A[row, column] = edges.edge_attr
    assert torch.equal(A, programs.dense()[2])
    assert data.validate()
    assert data["variable"].x.shape == (50, 3)
    assert data["constraint"].x.shape == (10, 2)
