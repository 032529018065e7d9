"""Whether a loop comes to rest, on loops whose answers are known."""

import pytest
import torch
from equilibria.studies.language import loops
from known_loops import Linear
from looped_models import REASONING, model_of, tokens_of


@pytest.mark.parametrize("a", [0.5, 0.9, 1.1])
def test_rest_of_a_linear_loop(a):
    model, tokens = Linear(a), torch.tensor([[1, 2, 3], [3, 1, 1]])
    found = loops.rest(model, model.encode(tokens), settle=60)
    for key in ("radius", "norm"):
        assert found[key] == pytest.approx([a] * 2), key
    if a < 1:
        assert found["rate"] == pytest.approx([a] * 2, rel=0.05)
        assert max(found["residual"]) < 2 * a**60
    else:
        assert min(found["residual"]) > 0.05


def test_radius_is_that_of_the_whole_jacobian_and_not_its_norm():
    model = model_of(REASONING)
    with torch.no_grad():
        x = model.encode(tokens_of(REASONING))
        *_, z = loops.latent_states(model, x, 5)
    for row in range(2):

        def flat(state, row=row):
            return model(state.view_as(z[:1]), x[row : row + 1]).flatten()

        whole = torch.autograd.functional.jacobian(flat, z[row].flatten())
        radius = torch.linalg.eigvals(whole).abs().max().item()
        assert loops.spectral_radius(model, z[row], x[row]) == pytest.approx(radius, rel=1e-6)
        assert radius < 0.9 * torch.linalg.matrix_norm(whole, 2).item()


@pytest.mark.parametrize("times", [[], [0, 1], [2, 1], [1, 1]], ids=str)
def test_times_must_rise(times):
    with pytest.raises(ValueError, match="times must be rising numbers of loops from 1 on"):
        loops.require_times(times)
