"""Small trainings that one process makes alone or several share, run as a script.

    python shared_trainings.py CASE FOLDER [MINUTES]

Writes the weights and the loss of each step, the mean over the whole batch.
"""

import json
import sys
from pathlib import Path

import torch
from deblurring_models import scene
from equilibria import training
from equilibria.operators.blur import Blur
from equilibria.operators.deblurring import Denoiser, ImplicitHQS
from equilibria.operators.fourier import ImplicitFNO
from equilibria.problems import images
from equilibria.studies import language, navier_stokes
from equilibria.studies.deblurring.pool import PhotographPool, Visits, pool_loss
from equilibria.training import parallel
from equilibria.training.visits import separation
from steady_flows import forced

SETTINGS = training.Settings(
    steps=20, learning_rate=1e-3, clip=1.0, ema=0.9, seed=1, save_every=5, warmup=2
)


def parity():
    """A looped transformer, no pool; it also pays where close states stay apart."""
    model = language.new("parity")
    curriculum = language.reasoning.Curriculum("parity", "", 20, "cpu")
    x = torch.randn(8, 3, 64, generator=torch.Generator().manual_seed(0))

    def loss(model, step, generator):
        q = parallel.rows(x)
        apart = separation(model, 0 * q, q, search=2, steps=2, generator=generator)
        return curriculum.loss(model, step, generator) + apart.mean()

    return model, loss, curriculum.memory


def flows():
    """The implicit Fourier operator with a pool of eight states, four of them in a batch."""
    # In single precision Adam's first steps make rounding grow a thousandfold within five steps.
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    x, y = forced(8, n=16)
    drawn = navier_stokes.TrainingFlows(x, torch.zeros_like(x), y, (1.0, 1.0))
    pool = navier_stokes.FlowPool.empty(8, width=4, n=16, device="cpu")

    def loss(model, step, generator):
        slots = training.minibatch(8, 4, seed=SETTINGS.seed, step=step)
        return navier_stokes.pool_loss(model, pool, drawn, slots, generator)

    return ImplicitFNO(width=4, modes=3), loss, pool.memory(16)


def photographs():
    """Half-quadratic splitting with a pool of young and old slots, and the penalty on stretch."""
    torch.manual_seed(0)
    model = ImplicitHQS(Denoiser((8, 8, 8, 8), 1), Blur(images.motion_kernel(size=7)))
    pool = PhotographPool.empty(8, 32, device="cpu")
    visits = Visits(free=3, young_afresh=1.0, old_afresh=0.3, modulus=0.5, penalty=0.1)
    pictures = list(scene(3, 48).float())

    def loss(model, step, generator):
        young = training.minibatch(4, 2, seed=SETTINGS.seed, step=step)
        slots = torch.cat([young, young + 4])
        return pool_loss(model, pool, pictures, slots, generator, visits=visits)

    return model, loss, pool.memory()


def main(case, folder, minutes=None):
    """Train, and write what the header says."""
    model, loss, memory = {"parity": parity, "flows": flows, "photographs": photographs}[case]()
    losses = []

    def noted(model, step, generator):
        value = loss(model, step, generator)
        mean = value.detach().clone()
        parallel.average([mean])
        losses.append(mean.item())
        return value

    outcome = training.train(
        model,
        noted,
        settings=SETTINGS,
        stem=Path(folder) / case,
        memory=memory,
        minutes=minutes,
        progress=False,
    )
    print(f"process of {parallel.count()}: {outcome.step} steps")
    if parallel.is_first():
        (Path(folder) / "losses.json").write_text(json.dumps(losses))


if __name__ == "__main__":
    torch.set_num_threads(1)
    with parallel.started():
        main(*sys.argv[1:3], *map(float, sys.argv[3:]))
