"""Frames of each case: one example iterated to t = 100, with steepness and error along t.

Every case has the same t and the same two numbers, measured at the example that is shown:

    steepness   |y_t(x + dx) - y_t(x)| / |dx|, the largest over the case's perturbations dx
    error       |y_t - y| / |y|, in discrete tasks the share of wrong answers

Each example is the first of its test set, or the place in a photograph that is named here: none was
chosen by how it comes out. The notebooks measure the same over whole test sets.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor

from equilibria.operators.blur import Blur
from equilibria.operators.fourier import ImplicitFNO
from equilibria.operators.lp_graph import graph
from equilibria.operators.reciprocal import closed_form, slope
from equilibria.problems import flow_equation, images, linear_programs
from equilibria.problems.stories import Stories
from equilibria.solvers import trajectory
from equilibria.studies import deblurring, language, navier_stokes, stories
from equilibria.studies import linear_programs as programs
from equilibria.studies.language import loops

__all__ = ["MEASURES", "MODELS", "TIMES", "Frames"]

TIMES = (1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20, 25, 32, 40, 50, 64, 80, 100)
MODELS = {  # of each case: (study, name of the model); all are of seed 0
    "one_over_x": None,
    "photograph": (deblurring, "hqs"),
    "flow": (navier_stokes, "implicit"),
    "linear_program": (programs, "implicit-16"),
    "parity": (language, "parity"),
    "story": (stories, "stories"),
}
_ETAS = (0.1, 0.3, 0.5, 0.7, 0.9)
_EDGE = 0.04  # the smallest x of 1/x, where it is steepest
_FACE = (slice(20, 180), slice(140, 300))  # of the photograph `astronaut`
_SENTENCES = 12
_SYMBOLS = 16


@dataclass(frozen=True)
class Frames:
    """One case: numbers for JSON, and pictures (3, H, W) in [0, 1], those of y_t first."""

    data: dict[str, Any]
    pictures: list[Tensor] = field(default_factory=list)


def one_over_x() -> Frames:
    """y_t of 1/x for every t and step size; steepness and error at the left edge."""
    # Equal steps of the square root: denser where 1/x is steep.
    x = torch.linspace(_EDGE**0.5, 1, 80, dtype=torch.float64) ** 2
    shown = [[closed_form(x, t, eta).tolist() for eta in _ETAS] for t in TIMES]
    return Frames(
        {
            "x": x.tolist(),
            "truth": (1 / x).tolist(),
            "etas": list(_ETAS),
            "answers": shown,
            "steepness": [[float(slope(x[:1], t, eta).abs()) for eta in _ETAS] for t in TIMES],
            "error": [[(1 - eta * _EDGE) ** t for eta in _ETAS] for t in TIMES],
        }
    )


def photograph() -> Frames:
    """A blurred face, restored from y_0 = 0; steepness by the paper's protocol for Fig. 2."""
    model, _ = deblurring.load("hqs")
    truth = images.embedded()["astronaut"][:, _FACE[0], _FACE[1]][None]
    x = images.measure(
        truth,
        Blur(deblurring.kernel("quick")),
        generator=torch.Generator().manual_seed(0),
    )
    ratios, quality = deblurring.lipschitz_along_t(model, truth, x, steps=TIMES[-1])
    with torch.no_grad():
        path = list(trajectory(model, torch.zeros_like(x), x, TIMES[-1]))
    answers = [path[t - 1][0] for t in TIMES]
    return Frames(
        {
            "psnr": _at(quality[:, 0, 0]),
            "psnr_of_x": float(images.psnr(x, truth)),
            "steepness": _at(ratios.flatten(1).amax(1)),
            "error": [float((y - truth[0]).norm() / truth.norm()) for y in answers],
        },
        [*answers, x[0], truth[0]],
    )


def flow() -> Frames:
    """The vorticity of a steady flow from its forcing; steepness by the corrected protocol."""
    loaded, _ = navier_stokes.load("implicit")
    model = cast(ImplicitFNO, loaded)  # by its name
    flows = navier_stokes.test_set(count=1, progress=False)
    forcing, truth = flows.forcing, flows.vorticity
    ratios, errors = navier_stokes.lipschitz_along_t(model, truth, forcing, steps=TIMES[-1])
    path = list(navier_stokes.predictions_along_t(model, forcing.float(), steps=TIMES[-1]))
    fields = [path[t - 1][0] for t in TIMES]
    curl = flow_equation.curl(forcing)[0]
    # The forcing has a colour scale of its own; answers and truth share one.
    scaled = [y / truth.abs().max() for y in [*fields, truth[0]]]
    scaled.insert(len(fields), curl / curl.abs().max())
    return Frames(
        {
            "steepness": _at(ratios.flatten(1).amax(1)),
            "error": _at(errors[:, 0, 0]),
        },
        [_coloured(one) for one in scaled],
    )


def linear_program() -> Frames:
    """All variables of one program, sorted by their optimal values; steepness over all kinds."""
    model, _ = programs.load("implicit-16")
    model = model.double()
    one = programs.test_programs("paper", progress=False)[:1]
    with torch.no_grad():
        path = list(programs.trajectory(model, graph(one, dtype=torch.float64), TIMES[-1]))
    ratios = []
    for kind in linear_programs.KINDS:
        moved = linear_programs.perturb(one, kind, norm=programs.RELEASED_NORM, seed=0)
        # The labels of both stay as they are: slopes don't read them.
        measured = programs.perturbed_along_t(
            model, one, moved, norm=programs.RELEASED_NORM, steps=TIMES[-1]
        )
        ratios.append(measured["ratio"])
    order = one.y[0].argsort()
    return Frames(
        {
            "truth": one.y[0][order].tolist(),
            "answers": [path[t - 1][0][order].tolist() for t in TIMES],
            "steepness": _at(torch.tensor(ratios).amax(0)),
            "error": [float(programs.relative_error(path[t - 1], one.y)) for t in TIMES],
        }
    )


@torch.no_grad()
def parity() -> Frames:
    """Running parity of one question, and of the same with each symbol flipped."""
    model, _ = language.load("parity")
    asked = language.reasoning.test_questions("parity", 1, _SYMBOLS, seed=0).tokens
    tokens = asked.repeat(_SYMBOLS + 1, 1)
    for place in range(1, _SYMBOLS + 1):  # the first token only begins the question
        tokens[place, place] = 1 - tokens[place, place]
    truth = tokens[:, 1:].cumsum(1) % 2
    states = loops.latent_states(model, model.encode(tokens), TIMES[-1])
    path = [model.decode(z)[:, 1:].argmax(-1) for z in states]
    answers = torch.stack([path[t - 1] for t in TIMES])
    return Frames(
        {
            "places": [None, *range(_SYMBOLS)],
            "inputs": [[str(symbol) for symbol in row] for row in tokens[:, 1:].tolist()],
            "words": ["0", "1"],
            "truth": truth.tolist(),
            "answers": answers.tolist(),
            **_discrete(answers, truth),
        }
    )


def story() -> Frames:
    """The answers to one story, and to the same with one name in one swap changed."""
    model, _ = stories.load("stories")
    example = stories.example(_SENTENCES, seed=0)
    spoken, first = example.language, example.sentences[0]
    rows: list[Tensor] = [first]
    places: list[int | None] = [None]
    begin = len(first) - _SENTENCES
    for place in range(begin, len(first)):
        if spoken.sentences[int(first[place])].kind == "swap":
            for other in spoken.neighbours(int(first[place])).tolist():
                changed = first.clone()
                changed[place] = other
                rows.append(changed)
                places.append(place - begin)
    sentences = torch.stack(rows)
    told = Stories(spoken, sentences, spoken.simulate(sentences), _SENTENCES)
    answers = stories.answers_along_t(model, told, TIMES)
    truth = told.answers[:, -_SENTENCES:]
    texts = [[spoken.sentences[i].text for i in row] for row in sentences.tolist()]
    return Frames(
        {
            "before": " ".join(texts[0][:begin]),
            "places": places,
            "inputs": [row[begin:] for row in texts],
            "words": list(spoken.words),
            "truth": truth.tolist(),
            "answers": answers.tolist(),
            **_discrete(answers, truth),
        }
    )


MEASURES = {
    "one_over_x": one_over_x,
    "photograph": photograph,
    "flow": flow,
    "linear_program": linear_program,
    "parity": parity,
    "story": story,
}


def _discrete(answers: Tensor, truth: Tensor) -> dict[str, list[float]]:
    """Steepness and error of answers (t, variants, n), the first variant being the unchanged one.

    The steepness is the largest number of answers that one change of the input changes.
    """
    changed = (answers[:, 1:] != answers[:, :1]).sum(-1)
    wrong = (answers[:, 0] != truth[0]).double().mean(-1)
    return {"steepness": changed.amax(1).double().tolist(), "error": wrong.tolist()}


def _at(curve: Tensor) -> list[float]:
    return [float(curve[t - 1]) for t in TIMES]


def _coloured(field: Tensor) -> Tensor:
    """A field (n, n) from -1 to 1 as a picture: x1 to the right, x2 upwards, blue to red."""
    from matplotlib import colormaps

    values = (field.detach().double().mT.flip(0).clamp(-1, 1) + 1) / 2
    large = torch.nn.functional.interpolate(values[None, None], scale_factor=4, mode="bicubic")
    colours = colormaps["RdBu_r"](large[0, 0].clamp(0, 1).numpy())
    return torch.from_numpy(colours[..., :3]).movedim(2, 0).float()
