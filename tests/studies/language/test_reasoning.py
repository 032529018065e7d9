"""The reasoning tasks: measurements on models whose answers are known, losses, curriculum."""

import math
from dataclasses import replace

import pytest
import torch
from equilibria.companion.claims import load as load_claims
from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.problems.reasoning import running_sums
from equilibria.studies import language
from equilibria.studies.language import reasoning
from known_loops import TINY, Wave

N = 6


# -------------------------------------------------------------------------------------- measuring
def sums_of_the_last(tokens, t):
    """The parity of the last t symbols up to each position: what `Wave` answers after t loops."""
    partial = [tokens[:, max(1, i - t + 1) : i + 1].sum(1) % 2 for i in range(1, N + 1)]
    return torch.stack(partial, 1)


def test_accuracy_is_right_when_the_wave_has_arrived():
    asked = running_sums(300, N, generator=1)
    found = reasoning.accuracy_along_t(Wave(), asked, range(1, 10))
    for t in range(1, 10):
        right = (sums_of_the_last(asked.tokens, t) == asked.answers[:, 1:]).double()
        assert found["last"][t - 1] == pytest.approx(right[:, -1].mean().item())
        assert found["all"][t - 1] == pytest.approx(right.mean().item())
    assert found["last"][N - 1 :] == [1.0] * 4
    assert 0.3 < found["last"][0] < 0.7
    some = reasoning.accuracy_along_t(Wave(), asked, [2, 5])
    assert some["last"] == [found["last"][1], found["last"][4]]


def test_lasting_is_the_first_after_the_last_miss():
    assert reasoning.lasting([1, 2, 4], [1.0, 0.99, 1.0]) == 1
    assert reasoning.lasting([1, 2, 4], [1.0, 1.0, 0.98]) is None
    assert reasoning.lasting([1, 2, 4], [0.0, 0.9, 1.0], share=0.9) == 2
    with pytest.raises(ValueError):
        reasoning.lasting([1, 2], [1.0])


def test_flips_are_counted_exactly():
    """A changed symbol at p changes the wave's answers at p, ..., p + t - 1."""
    asked = running_sums(5, N, generator=1)
    found = reasoning.flips_along_t(Wave(), asked, [1, 3, 8])
    for i, t in enumerate((1, 3, 8)):
        changes = [min(t, N - p + 1) for p in range(1, N + 1)]
        assert found["mean"][i] == pytest.approx(sum(changes) / N)
        assert found["worst"][i] == max(changes)
    assert found["target_mean"] == (N + 1) / 2
    assert found["target_worst"] == N
    five_symbols = LoopedTransformer(replace(TINY, vocabulary=6))
    asked = running_sums(3, N, modulus=5, generator=1)
    found = reasoning.flips_along_t(five_symbols, asked, [1])
    assert found["target_worst"] == N


def test_times_must_rise():
    with pytest.raises(ValueError, match="times must be rising numbers of loops from 1 on"):
        reasoning.accuracy_along_t(Wave(), running_sums(2, N, generator=1), [2, 1])


def test_the_norm_is_switched_off_in_a_copy():
    torch.manual_seed(0)
    model = LoopedTransformer(TINY)
    tokens = running_sums(2, N, generator=0).tokens
    before = model.run(tokens, 3)
    unruly = reasoning.without_state_norm(model)
    assert not torch.equal(unruly.run(tokens, 3), before)
    assert torch.equal(model.run(tokens, 3), before)


# --------------------------------------------------------------------------------------- training
def test_the_loss_is_a_cross_entropy_with_gradient_through_the_graded_loops():
    torch.manual_seed(0)
    model, asked = LoopedTransformer(TINY).double(), running_sums(8, N, generator=0)
    value, right = reasoning.reasoning_loss(model, asked, free=3, graded=2)
    logits = model.run(asked.tokens, 5)[:, 1:]
    picked = logits.log_softmax(-1).gather(-1, asked.answers[:, 1:, None])
    torch.testing.assert_close(value, -picked.mean())
    assert right == (logits[:, -1].argmax(-1) == asked.answers[:, -1]).double().mean()

    x = model.encode(asked.tokens)
    z = torch.zeros_like(x)
    for t in range(5):
        z = model(z.detach() if t <= 3 else z, x)
    chances = model.decode(z)[:, 1:].log_softmax(-1).gather(-1, asked.answers[:, 1:, None])
    weights = list(model.parameters())
    expected = torch.autograd.grad(-chances.mean(), weights)
    torch.testing.assert_close(torch.autograd.grad(value, weights), expected)


def test_the_curriculum_goes_on_when_the_answers_are_right():
    curriculum = reasoning.Curriculum("parity", "", 10_000, "cpu")
    # the running share goes from 0.5 to 0.97 by tenths of the distance to 1
    needed = math.ceil(math.log(0.03 / 0.5) / math.log(0.9)) + 1
    model, lengths = Wave(), []
    for step in range(4 * needed):
        curriculum.loss(model, step, torch.Generator().manual_seed(step))
        lengths.append(int(curriculum.memory["length"]))
    assert lengths == sorted(lengths)
    assert 4 <= lengths[-1] <= 6


def test_explicit_models_go_on_in_any_case():
    curriculum = reasoning.Curriculum("parity", "once", 320, "cpu")
    model = Wave()
    for step in range(25):  # to the next length after 320 / 32 steps at one
        curriculum.loss(model, step, torch.Generator().manual_seed(step))
    assert curriculum.memory["length"] == 4


# ---------------------------------------------------------------------------------------- shipped
@pytest.mark.parametrize("seed", language.seeds("parity"))
def test_shipped_parity_is_an_equilibrium_of_many_loops(seed):
    model, _ = language.load("parity", seed=seed)
    asked = reasoning.test_questions("parity", 60, 16, seed=9)
    few, enough, many = reasoning.accuracy_along_t(model, asked, [4, 32, 128])["last"]
    assert few <= 0.7
    assert enough >= 0.98
    assert many >= 0.98
    two = reasoning.test_questions("parity", 2, 16)
    assert reasoning.flips_along_t(model, two, [32])["worst"] == [16.0]


@pytest.mark.parametrize("seed", language.seeds("parity"))
def test_shipped_parity_attracts_where_it_rests_and_repels_without_its_norm(seed):
    (claim,) = (claim for claim in load_claims() if claim.id == "parity-needs-loops")
    (check,) = (check for check in claim.checks if check.id == "spectral-radius")
    model, _ = language.load("parity", seed=seed)
    x = model.encode(reasoning.validation_questions("parity", 3, 16).tokens)
    healthy = language.loops.rest(model, x, settle=64)
    broken = language.loops.rest(reasoning.without_state_norm(model), x, settle=64)
    assert check.predicate.holds(healthy["radius"], None)
    assert not check.predicate.holds(broken["radius"], None)
    assert max(healthy["residual"]) < 1e-4 < min(broken["residual"])
