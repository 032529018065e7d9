"""Theorems 2.4 and 2.5 hold on every target, fail for a wrong step, and Fig. 1 is the paper's."""

import torch
from equilibria.studies.one_over_x import theorem_measures


def test_every_target_is_sufficed_and_a_wrong_step_is_not():
    right = theorem_measures.measure_sufficiency(10, 0)
    wrong = theorem_measures.measure_sufficiency(10, 0, step=theorem_measures.constant_step)
    for name in right["order"]:
        one = right["targets"][name]
        assert one["regular"]
        assert one["operator"][-1] <= 1
        assert one["late_growth"]["operator"] <= 1.01
        assert one["late_growth"]["constant_step"] > 4
        assert one["late_growth"]["target"] > 4
        assert one["necessity"]["worst_ratio"] <= 1.001
        assert one["necessity"]["worst_gap"] < 0.01
        other = wrong["targets"][name]
        assert other["operator"][-1] > 1
        assert other["late_growth"]["operator"] > 4


def test_fig_1_starts_flat_and_ends_on_the_target():
    figure = theorem_measures.measure_conceptual([1, 2, 10_000], 60)
    x = figure["x"]
    away = (x.abs() > 0.1) & ((x - 1).abs() > 0.1)
    for name in ("paper", "automatic"):
        first, second, last = figure["iterates"][name]
        assert first.abs().max() <= second.abs().max() < last.abs().max()
        assert torch.allclose(last[away], figure["target"][away], rtol=0.02)
        step = figure["step"][name]
        assert step.min() > 0
        assert step.max() <= 0.5
