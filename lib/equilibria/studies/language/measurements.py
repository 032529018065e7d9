"""What notebook 05 measures of parity and sums: one call per section.

The models that are asked here are those of the first shipped seed; the records have every seed.
All questions are test questions, and nothing is chosen by what they show.
"""

from __future__ import annotations

from typing import Any

from equilibria.operators.looped_transformer import LoopedTransformer
from equilibria.studies.language import reasoning
from equilibria.studies.language.models import load, names, reports, seeds

__all__ = ["first_shipped", "measure_broken", "measure_flips", "measure_right"]

_FLIP_LENGTHS = (16, 32)  # symbols of the questions whose symbols are changed one by one
_FLIP_TIMES = (1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 48, 64)
_BROKEN_TIMES = (1, 2, 4, 8, 16, 32, 64)
_BROKEN_COUNT = 100
_AGAIN = (8, 16)  # lengths at which a model is asked again what its record says


def first_shipped(name: str, *, device: str = "cpu") -> LoopedTransformer:
    """The trained model of a name, of the first seed that is shipped.

    Raises CheckpointError where it cannot be had.
    """
    shipped = seeds(name)
    model, _ = load(name, seed=shipped[0] if shipped else 0)
    return model.to(device)


def measure_right(*, device: str = "cpu") -> dict[str, Any]:
    """Right answers against t and length, of every seed: `reasoning.recorded`.

    Parity's first model is asked the questions of two lengths again: ``asked_again`` is the largest
    difference from its record, as a share of the questions.
    """
    records = {name: reports(name) for name in names("paper")}
    found = reasoning.recorded(records)
    record = records["parity"][0]
    model = first_shipped("parity", device=device)
    differences = []
    for row in record["along_t"]:
        n = row["length"]
        if n in _AGAIN:
            times = [t for t in row["t"] if t <= 2 * n]
            asked = reasoning.test_questions("parity", record["questions"], n)
            now = reasoning.accuracy_along_t(model, asked, times)["last"]
            then = row["last"][: len(times)]
            differences += [abs(a - b) for a, b in zip(now, then, strict=True)]
    return found | {"asked_again": max(differences)}


def measure_flips(count: int, *, seed: int, device: str = "cpu") -> dict[str, Any]:
    """The exact discrete Lipschitz constant of parity, over ``count`` questions of a seed.

    flips      per length `reasoning.flips_along_t` of the loop at each ``t`` up to 2 n, and the
               ``worst`` of the block ``once`` and of the ``stack``, after their one pass
    flips_end  per length the loop's last ``worst`` over that of the right answers
    """
    loop, once, stack = (
        first_shipped(name, device=device) for name in ("parity", "parity-once", "parity-stack")
    )
    flips: dict[int, dict[str, Any]] = {}
    for n in _FLIP_LENGTHS:
        times = [t for t in _FLIP_TIMES if t <= 2 * n]
        asked = reasoning.test_questions("parity", count, n, seed=seed)
        flips[n] = {"t": times, **reasoning.flips_along_t(loop, asked, times)}
        for kind, model in (("once", once), ("stack", stack)):
            flips[n][kind] = reasoning.flips_along_t(model, asked, [1])["worst"][0]
    end = {n: row["worst"][-1] / row["target_worst"] for n, row in flips.items()}
    return {"flips": flips, "flips_end": end}


def measure_broken(*, seed: int, device: str = "cpu") -> dict[str, Any]:
    """Right last answers of parity's loop, healthy and broken on purpose, against t.

    Two models are broken: in ``no_norm`` the norm after each loop is switched off, and ``once`` is
    the block that was trained once, looped all the same.

    broken   per model one share per ``t``, on questions of ``length`` = 32 symbols
    trained  the last of these shares at 16 symbols, the longest of training
    """
    loop = first_shipped("parity", device=device)
    networks = {
        "loop": loop,
        "no_norm": reasoning.without_state_norm(loop),
        "once": first_shipped("parity-once", device=device),
    }
    lengths = (2 * reasoning.LONGEST, reasoning.LONGEST)
    far, near = (reasoning.test_questions("parity", _BROKEN_COUNT, n, seed=seed) for n in lengths)
    broken: dict[str, Any] = {"length": lengths[0], "t": list(_BROKEN_TIMES)}
    trained = {}
    for name, net in networks.items():
        broken[name] = reasoning.accuracy_along_t(net, far, _BROKEN_TIMES)["last"]
        trained[name] = reasoning.accuracy_along_t(net, near, [_BROKEN_TIMES[-1]])["last"][0]
    return {"broken": broken, "trained": trained}
