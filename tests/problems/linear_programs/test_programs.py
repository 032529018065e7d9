"""A batch of programs: violations, single programs, PyTorch Geometric's form."""

from dataclasses import replace

import torch


def test_violation_sees_each_kind_of_violation(programs):
    one = programs[0]
    assert one.violation(one.u + 2).item() >= 2
    shifted = replace(one, b=one.b - 3)
    assert shifted.violation(one.y).item() >= 3 - 1e-9


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
