"""Greedy decoding with the looped transformer: keys and values kept per loop step against everything computed again.

Same random weights, same prompts, same tokens out, one run, interleaved; the ratio of medians is what counts.
    python benchmarks/looped_transformer.py [--width 128] [--batch 8] [--repeats 3]
Writes benchmarks/results/looped_transformer.json: tokens a second against the loops t and the tokens generated.
"""

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import torch
from equilibria.operators.looped_transformer import LoopedTransformer, Settings

PROMPT = 16


def timed(model, tokens, steps: int, length: int, cache: bool) -> tuple[float, torch.Tensor]:
    begun = time.perf_counter()
    made = model.generate(tokens, steps, length, cache=cache).tokens
    if tokens.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - begun, made


def measure(device: str, model: LoopedTransformer, batch: int, repeats: int) -> list[dict]:
    model, rows = model.to(device), []
    tokens = torch.randint(
        model.settings.vocabulary, (batch, PROMPT), generator=torch.Generator().manual_seed(0)
    ).to(device)
    timed(model, tokens, 2, 4, True)  # warm-up
    for steps in (2, 8, 32):
        for length in (16, 64):
            seconds, made = {True: [], False: []}, {}
            for _ in range(repeats):
                for cache in (True, False):
                    spent, made[cache] = timed(model, tokens, steps, length, cache)
                    seconds[cache].append(spent)
            # in float32 two nearly equal logits may change places; the tests compare in float64, without exception
            rate = {
                cache: batch * length / statistics.median(times) for cache, times in seconds.items()
            }
            rows.append(
                {
                    "device": device,
                    "t": steps,
                    "new_tokens": length,
                    "cached_per_s": rate[True],
                    "uncached_per_s": rate[False],
                    "ratio": rate[True] / rate[False],
                    "same_tokens": (made[True] == made[False]).double().mean().item(),
                }
            )
            print(
                "{device:5s} t {t:3d}, {new_tokens:3d} new tokens: {cached_per_s:8.1f} tokens/s cached, {uncached_per_s:8.1f} uncached: "
                "{ratio:5.1f} times faster".format(**rows[-1]),
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
        Settings(
            vocabulary=1000,
            width=options.width,
            heads=4,
            hidden=5 * options.width // 2,
            prelude=1,
            core=2,
            coda=1,
        )
    ).eval()
    rows = [
        row
        for device in ["cpu"] + ["cuda"] * torch.cuda.is_available()
        for row in measure(device, model, options.batch, options.repeats)
    ]
    path = Path(__file__).parent / "results" / "looped_transformer.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps(
            {
                **vars(options),
                "prompt": PROMPT,
                "torch": torch.__version__,
                "python": platform.python_version(),
                "rows": rows,
            },
            indent=1,
        )
        + "\n"
    )


if __name__ == "__main__":
    main()
