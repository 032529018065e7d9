"""Greedy decoding with the looped transformer: with a cache of keys and values, and without.

Both use the same random weights and prompts in one run, interleaved, and must give the same tokens;
the ratio of the medians is what counts.

    python benchmarks/looped_transformer.py [--width 128] [--batch 8] [--repeats 3]

Writes benchmarks/results/looped_transformer.json: tokens per second against the loops t and the
number of new tokens.
"""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import torch
from equilibria.operators.decoding import generate
from equilibria.operators.looped_transformer import Architecture, LoopedTransformer

PROMPT = 16  # tokens


def timed(
    model: LoopedTransformer, tokens: torch.Tensor, steps: int, length: int, cache: bool
) -> tuple[float, torch.Tensor]:
    begun = time.perf_counter()
    made = generate(model, tokens, steps, length, cache=cache).tokens
    if tokens.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - begun, made


def compare(
    model: LoopedTransformer, tokens: torch.Tensor, steps: int, length: int, repeats: int
) -> dict:
    """One row of the results: with and without the cache at one t and one length."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    made = {}
    for _ in range(repeats):
        for cache in (True, False):
            spent, made[cache] = timed(model, tokens, steps, length, cache)
            seconds[cache].append(spent)
    new_tokens = len(tokens) * length
    cached = new_tokens / statistics.median(seconds[True])
    uncached = new_tokens / statistics.median(seconds[False])
    # In float32 two nearly equal logits may change places; the tests compare in float64, where
    # all tokens agree.
    same = (made[True] == made[False]).double().mean().item()
    return {
        "device": tokens.device.type,
        "t": steps,
        "new_tokens": length,
        "cached_per_s": cached,
        "uncached_per_s": uncached,
        "ratio": cached / uncached,
        "same_tokens": same,
    }


def measure(device: str, model: LoopedTransformer, batch: int, repeats: int) -> list[dict]:
    model = model.to(device)
    generator = torch.Generator().manual_seed(0)
    vocabulary = model.architecture.vocabulary
    tokens = torch.randint(vocabulary, (batch, PROMPT), generator=generator).to(device)
    timed(model, tokens, 2, 4, True)  # warm-up
    rows = []
    for steps in (2, 8, 32):
        for length in (16, 64):
            row = compare(model, tokens, steps, length, repeats)
            rows.append(row)
            print(
                f"{device:5s} t {steps:3d}, {length:3d} new tokens: "
                f"{row['cached_per_s']:8.1f} tokens/s cached, "
                f"{row['uncached_per_s']:8.1f} uncached: {row['ratio']:5.1f} times faster",
                flush=True,
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("width", 128), ("batch", 8), ("repeats", 3), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = LoopedTransformer(
        Architecture(
            vocabulary=1000,
            width=options.width,
            heads=4,
            hidden=5 * options.width // 2,
            prelude=1,
            core=2,
            coda=1,
        )
    ).eval()
    devices = ["cpu"]
    if torch.cuda.is_available():
        devices.append("cuda")
    rows = []
    for device in devices:
        rows += measure(device, model, options.batch, options.repeats)
    header = {
        **vars(options),
        "prompt": PROMPT,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
    path = Path(__file__).parent / "results" / "looped_transformer.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({**header, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
