"""The looped transformer: equal to the architecture written out naively, cached as uncached, and a strict loader."""

import json
import math
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from equilibria import Picard, lipschitz, solve, trajectory
from equilibria.checkpoints import CheckpointError
from equilibria.operators import looped_transformer
from equilibria.operators.looped_transformer import (
    LoopedTransformer,
    Settings,
    load_huginn,
    load_tokenizer,
)
from safetensors.torch import load_file, save_file

SMALL = Settings(vocabulary=13, width=24, heads=3, hidden=20, prelude=1, core=2, coda=1, context=32)
REASONING = Settings(
    vocabulary=5,
    width=16,
    heads=2,
    hidden=24,
    prelude=0,
    core=1,
    coda=0,
    context=32,
    injection="add",
    positions="distance",
    norms="pre",
    state_norm=True,
    tied=False,
)
KINDS = pytest.mark.parametrize("settings", [SMALL, REASONING], ids=["huginn", "reasoning"])


def model_of(settings, seed=0, dtype=torch.float64):
    """Random weights, norms and biases included, so that a wrong or forgotten one shows."""
    torch.manual_seed(seed)
    model = LoopedTransformer(settings).to(dtype)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1 or name.endswith("qk_bias"):
                parameter.add_(0.3 * torch.randn_like(parameter))
            elif "wte" not in name:
                parameter.mul_(2)
    return model.eval()


def tokens_of(settings, batch=2, length=7, seed=1):
    return torch.randint(
        settings.vocabulary, (batch, length), generator=torch.Generator().manual_seed(seed)
    )


def naive(weights, settings, tokens, steps, start):
    """One sequence of Huginn or of the reasoning loop, token by token and head by head, rotations as complex numbers."""
    size = settings.width // settings.heads
    norm = lambda h, name: (
        h
        / (h.pow(2).mean(-1, keepdim=True) + settings.epsilon).sqrt()
        * weights[f"transformer.{name}.weight"]
    )

    def turned(vector, position):
        pairs = torch.complex(vector[0::2].contiguous(), vector[1::2].contiguous())
        angles = torch.tensor(
            [position * settings.rope_base ** (-2 * i / size) for i in range(size // 2)],
            dtype=vector.dtype,
        )
        return torch.view_as_real(pairs * torch.polar(torch.ones_like(angles), angles)).flatten()

    def attention(h, name):
        W, bias = (
            weights[f"transformer.{name}.attn.Wqkv.weight"],
            weights[f"transformer.{name}.attn.qk_bias"],
        )
        rows = []
        for i in range(len(h)):
            parts = []
            for head in range(settings.heads):
                pick = lambda part, j: (
                    W[part * settings.width :][head * size : (head + 1) * size] @ h[j]
                )
                q = pick(0, i) + bias[0, 0, head]
                scores = []
                for j in range(i + 1):
                    k = pick(1, j) + bias[1, 0, head]
                    if settings.positions == "rotary":
                        scores.append(turned(q, i) @ turned(k, j) / math.sqrt(size))
                    else:
                        slope = weights[f"transformer.{name}.attn.log_slope"][head].exp()
                        scores.append(q @ k / math.sqrt(size) - slope * (i - j))
                share = torch.stack(scores).softmax(0)
                parts.append(sum(share[j] * pick(2, j) for j in range(i + 1)))
            rows.append(weights[f"transformer.{name}.attn.proj.weight"] @ torch.cat(parts))
        return torch.stack(rows)

    def mlp(h, name):
        both = h @ weights[f"transformer.{name}.mlp.fc.weight"].T
        gate, value = both[:, : settings.hidden], both[:, settings.hidden :]
        return (gate / (1 + (-gate).exp()) * value) @ weights[
            f"transformer.{name}.mlp.proj.weight"
        ].T

    def block(h, name):
        last = (
            (lambda h, n: norm(h, f"{name}.norm_{n}"))
            if settings.norms == "sandwich"
            else (lambda h, n: h)
        )
        h = last(attention(norm(h, f"{name}.norm_1"), name) + h, 2)
        return last(mlp(norm(h, f"{name}.norm_3"), name) + h, 4)

    x = weights["transformer.wte.weight"][tokens] * math.sqrt(settings.width)
    for i in range(settings.prelude):
        x = block(x, f"prelude.{i}")
    z, states = start, []
    for _ in range(steps):
        z = (
            torch.cat([z, x], 1) @ weights["transformer.adapter.weight"].T
            if settings.injection == "adapter"
            else z + x
        )
        for i in range(settings.core):
            z = block(z, f"core_block.{i}")
        z = norm(z, "state_norm") if settings.state_norm else z
        states.append(z)
    h = norm(z, "ln_f")
    for i in range(settings.coda):
        h = block(h, f"coda.{i}")
    head = weights["transformer.wte.weight"] if settings.tied else weights["lm_head.weight"]
    return norm(h, "ln_f") @ head.T, torch.stack(states)


@KINDS
def test_it_is_the_architecture_written_out(settings):
    model, tokens = model_of(settings), tokens_of(settings)
    start = torch.randn(2, 7, settings.width, dtype=torch.float64)
    logits, states = model(tokens, steps=3, start=start, latents=True)
    for i in range(2):
        expected, latents = naive(model.state_dict(), settings, tokens[i], 3, start[i])
        torch.testing.assert_close(logits[i], expected, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(states[:, i], latents, rtol=1e-9, atol=1e-9)


@KINDS
def test_the_parts_make_the_whole(settings):
    model, tokens = model_of(settings), tokens_of(settings)
    logits, states = model(tokens, 4, latents=True)
    x = model.embed(tokens)
    *_, last = trajectory(model.step, torch.zeros_like(x), x, 4)
    torch.testing.assert_close(last, states[-1])
    torch.testing.assert_close(model.decode(last), logits)
    torch.testing.assert_close(model.decode(last, tokens > 1), logits[tokens > 1])
    for t in (1, 3):
        torch.testing.assert_close(model.decode(states[t - 1]), model(tokens, t))
    with torch.no_grad():
        solution = solve(model.step, torch.zeros_like(x), x.detach(), method=Picard(), max_steps=4)
    torch.testing.assert_close(solution.y, last.detach())


@KINDS
def test_the_loop_is_differentiable_twice_over(settings):
    """`lipschitz.local` of embedding -> z_2 is the largest singular value of the whole Jacobian."""
    model, tokens = model_of(settings), tokens_of(settings, batch=1, length=3)
    x = model.embed(tokens).detach()

    def two_loops(x):
        return model.step(model.step(torch.zeros_like(x), x), x)

    jacobian = torch.autograd.functional.jacobian(two_loops, x).reshape(x.numel(), -1)
    assert lipschitz.local(two_loops, x, tol=1e-5)[0].item() == pytest.approx(
        torch.linalg.matrix_norm(jacobian, 2).item(), rel=1e-4
    )


def test_a_token_sees_no_later_one_and_no_neighbour():
    model, tokens = model_of(SMALL), tokens_of(SMALL)
    changed = tokens.clone()
    changed[0, 5] = (changed[0, 5] + 1) % 13
    before, after = model(tokens, 3), model(changed, 3)
    assert (
        torch.equal(before[0, :5], after[0, :5])
        and torch.equal(before[1], after[1])
        and not torch.equal(before[0, 5:], after[0, 5:])
    )


@KINDS
@pytest.mark.parametrize("start", [None, 3], ids=["zero", "seeded"])
def test_cached_decoding_equals_uncached_token_for_token(settings, start):
    model, tokens = model_of(settings), tokens_of(settings, batch=3)
    cached, uncached = (
        model.generate(tokens, 5, 9, start=start, cache=cache).tokens for cache in (True, False)
    )
    assert torch.equal(cached, uncached) and cached.shape == (3, 9)
    text = tokens  # and both are what plain forward calls say, one token after the other
    for i in range(9):
        state = None if start is None else model.start_state(3, text.shape[1], seed=start)
        logits = model(text, 5, start=state)
        assert torch.equal(logits[:, -1].argmax(-1), cached[:, i])
        text = torch.cat([text, cached[:, i : i + 1]], 1)
    assert len(set(cached.flatten().tolist())) > 2


def test_cached_decoding_reuses_every_loop_step():
    """Each new token runs each block once per loop on one position: counted, not timed."""
    model, tokens = model_of(SMALL), tokens_of(SMALL)
    seen = []
    model.transformer.core_block[0].register_forward_hook(
        lambda module, inputs, output: seen.append(output.shape[1])
    )
    model.generate(tokens, 4, 3)
    assert seen == [7] * 4 + [1] * 8


def test_prompts_of_different_lengths_are_answered_as_if_alone():
    model, tokens = model_of(SMALL), tokens_of(SMALL, batch=3)
    lengths = torch.tensor([2, 7, 5])
    for cache in (True, False):
        together = model.generate(tokens, 3, 6, lengths=lengths, start=2, cache=cache).tokens
        for i, n in enumerate(lengths.tolist()):
            assert torch.equal(
                together[i],
                model.generate(tokens[i : i + 1, :n], 3, 6, start=2, cache=cache).tokens[0],
            )


def test_generation_ends():
    model, tokens = model_of(SMALL), tokens_of(SMALL, batch=3)
    free = model.generate(tokens, 3, 8).tokens
    end = free[0, 2].item()
    stopped = model.generate(tokens, 3, 8, end=end).tokens
    for before, after in zip(free.tolist(), stopped.tolist()):
        cut = before.index(end) if end in before else 8
        assert after == before[:cut] + [end] * (8 - cut)


@pytest.mark.parametrize("cache", [True, False], ids=["cached", "uncached"])
def test_early_exit_at_no_tolerance_changes_nothing(cache):
    model, tokens = model_of(SMALL), tokens_of(SMALL)
    plain, exiting = (model.generate(tokens, 6, 8, tol=tol, cache=cache) for tol in (None, 1e-300))
    assert (
        torch.equal(plain.tokens, exiting.tokens)
        and (exiting.steps == 6).all()
        and (plain.steps == 6).all()
    )


def contracting(settings):
    """A loop that converges fast: the adapter hardly looks at the state."""
    model = model_of(settings)
    with torch.no_grad():
        model.transformer.adapter.weight[:, : settings.width] *= 0.02
    return model


def test_early_exit_saves_loops_and_keeps_the_tokens():
    model, tokens = contracting(SMALL), tokens_of(SMALL, batch=3)
    full = model.generate(tokens, 40, 8)
    for cache in (True, False):
        exited = model.generate(tokens, 40, 8, tol=1e-8, cache=cache)
        assert (
            torch.equal(full.tokens, exited.tokens)
            and exited.steps.min() >= 2
            and exited.steps.max() < 25
        )
    alone = torch.cat([model.generate(tokens[i : i + 1], 40, 8, tol=1e-8).steps for i in range(3)])
    assert torch.equal(alone, model.generate(tokens, 40, 8, tol=1e-8).steps)


def test_each_sequence_stops_at_its_own_loop():
    model, tokens = contracting(SMALL), tokens_of(SMALL, batch=6)
    logits, spent = model.early_exit(tokens, 40, tol=1e-8)
    torch.testing.assert_close(logits, model(tokens, 40), rtol=1e-6, atol=1e-6)
    start = (
        torch.randn(6, 7, 24, dtype=torch.float64)
        * torch.logspace(-6, 6, 6, dtype=torch.float64)[:, None, None]
    )
    _, spent = model.early_exit(tokens, 40, tol=1e-8, start=start)
    assert len(set(spent.tolist())) > 1
    for i in range(6):  # the loop it stopped at is the first whose movement is within the tolerance
        _, states = model(tokens[i : i + 1], 40, start=start[i : i + 1], latents=True)
        path = torch.cat([start[i : i + 1][None], states])
        small = [(a - b).norm() <= 1e-8 * a.norm() for b, a in zip(path, path[1:])]
        assert spent[i] == small.index(True) + 1


def test_the_random_start_is_huginns_and_does_not_depend_on_length():
    model = model_of(Settings(vocabulary=4, width=64, heads=2, hidden=8))
    state = model.start_state(2, 400, seed=5)
    std = math.sqrt(2 / (5 * 64)) * math.sqrt(64)
    assert state.abs().max() <= 3 * std and state.std().item() == pytest.approx(
        0.9866 * std, rel=0.02
    )  # of a normal cut at 3 sigma
    assert torch.equal(state[0], state[1]) and torch.equal(
        model.start_state(1, 7, seed=5)[0], state[0, :7]
    )
    assert not torch.equal(model.start_state(1, 7, seed=6)[0], state[0, :7])
    tokens = torch.tensor([[1, 2, 3]])
    assert torch.equal(model(tokens, 2, start=5), model(tokens, 2, start=state[:1, :3]))


# ------------------------------------------------------------------------------------------------------------- loading
def write_huginn(
    folder: Path,
    settings,
    *,
    shards=1,
    head=False,
    buffer=False,
    dtype=torch.float32,
    change=lambda tensors: None,
):
    """A checkpoint in Huginn's format; returns the model it was made of."""
    model = model_of(settings, dtype=dtype)
    tensors = {k: v.clone() for k, v in model.state_dict().items()}
    if head:
        tensors["lm_head.weight"] = tensors["transformer.wte.weight"].clone()
    if buffer:
        tensors["freqs_cis"] = torch.zeros(1, 8, 1, 4, 2)
    change(tensors)
    config = {
        "n_embd": settings.width,
        "n_heads": settings.heads,
        "n_layers": 4,
        "block_size": settings.context,
        "vocab_size": settings.vocabulary,
        "padding_multiple": 1,
        "tie_embeddings": settings.tied,
        "intermediate_size": settings.hidden,
        "norm_eps": settings.epsilon,
        "injection_type": "linear",
        "n_layers_in_recurrent_block": settings.core,
        "n_layers_in_prelude": settings.prelude,
        "n_layers_in_coda": settings.coda,
        "qk_bias": True,
        "rope_base": settings.rope_base,
    }
    (folder / "config.json").write_text(json.dumps(config))
    if shards == 1:
        save_file(tensors, folder / "model.safetensors")
    else:
        names = [f"model-{i + 1:05d}-of-{shards:05d}.safetensors" for i in range(shards)]
        place = {name: names[i % shards] for i, name in enumerate(sorted(tensors))}
        for file in names:
            save_file({k: v for k, v in tensors.items() if place[k] == file}, folder / file)
        (folder / "model.safetensors.index.json").write_text(
            json.dumps({"metadata": {}, "weight_map": place})
        )
    return model


OTHER = replace(
    SMALL, width=40, heads=5, hidden=36, core=3, coda=2, vocabulary=29, rope_base=1000.0
)


@pytest.mark.parametrize(
    ("settings", "form"),
    [
        (SMALL, {}),
        (OTHER, {"shards": 3}),
        (SMALL, {"head": True, "buffer": True}),
        (OTHER, {"shards": 2, "head": True, "buffer": True}),
        (replace(SMALL, tied=False), {}),
        (SMALL, {"head": True, "change": lambda tensors: tensors.pop("transformer.wte.weight")}),
    ],
    ids=[
        "one-file",
        "sharded",
        "tied-head-and-buffer",
        "all-at-once",
        "own-head",
        "only-the-head-stored",
    ],
)
def test_a_checkpoint_loads_whatever_its_form(tmp_path, settings, form):
    model = write_huginn(tmp_path, settings, **form)
    loaded, tokens = load_huginn(tmp_path), tokens_of(settings)
    assert loaded.settings == settings and not loaded.training
    assert torch.equal(loaded(tokens, 3, start=1), model(tokens, 3, start=1))


def test_the_dtype_is_the_files_unless_another_is_asked_for(tmp_path):
    write_huginn(tmp_path, SMALL, dtype=torch.bfloat16)
    assert {p.dtype for p in load_huginn(tmp_path).parameters()} == {torch.bfloat16}
    loaded = load_huginn(tmp_path, dtype=torch.float32)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    assert load_huginn(tmp_path).generate(tokens_of(SMALL), 3, 4, start=0).tokens.shape == (2, 4)


def renamed(tensors):
    tensors["transformer.core_block.0.norm_5.weight"] = tensors.pop(
        "transformer.core_block.0.norm_1.weight"
    )


def untied(tensors):
    tensors["lm_head.weight"] = tensors["lm_head.weight"] + 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (renamed, r"core_block.0.norm_5.weight has shape \(24,\), expected no tensor of this name"),
        (
            lambda t: t.pop("transformer.adapter.weight"),
            "lacks 1 tensors, the first is transformer.adapter.weight",
        ),
        (
            lambda t: t.update({"transformer.adapter.weight": torch.zeros(24, 24)}),
            r"adapter.weight has shape \(24, 24\), expected shape \(24, 48\)",
        ),
        (untied, "lm_head.weight is not transformer.wte.weight"),
    ],
    ids=["name", "missing", "shape", "head"],
)
def test_what_does_not_fit_is_one_clear_error(tmp_path, change, message):
    write_huginn(tmp_path, SMALL, head=True, change=change)
    with pytest.raises(CheckpointError, match=message) as refused:
        load_huginn(tmp_path)
    assert "\n" not in str(refused.value)


def test_damaged_files_are_named(tmp_path):
    with pytest.raises(CheckpointError, match="no .*config.json"):
        load_huginn(tmp_path)
    write_huginn(tmp_path, SMALL, shards=2)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(CheckpointError, match="lacks the weights model-00002-of-00002.safetensors"):
        load_huginn(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(CheckpointError, match="model-00002-of-00002.safetensors is damaged"):
        load_huginn(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text("[]")
    with pytest.raises(CheckpointError, match="not an index of shards"):
        load_huginn(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for change, message in (
        ({"injection_type": "add"}, "injection_type = 'add' is not built here"),
        ({"n_heads": 5}, "heads must divide width"),
    ):
        (tmp_path / "config.json").write_text(json.dumps(config | change))
        with pytest.raises(CheckpointError, match=message):
            load_huginn(tmp_path)
    config.pop("rope_base")
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="config.json lacks 'rope_base'"):
        load_huginn(tmp_path)


def test_the_hub_is_asked_for_a_pinned_revision_only(tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    model, asked = write_huginn(tmp_path, SMALL), []

    def snapshot_download(repo, *, revision, allow_patterns):
        asked.append((repo, revision, allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    tokens = tokens_of(SMALL)
    assert torch.equal(load_huginn("tomg-group-umd/huginn-0125")(tokens, 2), model(tokens, 2))
    assert asked == [
        (
            "tomg-group-umd/huginn-0125",
            looped_transformer.HUGINN_REVISION,
            ["*.json", "*.safetensors"],
        )
    ]
    assert len(looped_transformer.HUGINN_REVISION) == 40
    load_huginn("some/model", revision="abc")
    assert asked[-1][:2] == ("some/model", "abc")
    with pytest.raises(ValueError, match="revision must be given for 'some/model'"):
        load_huginn("some/model")

    def refuse(*args, **kwargs):
        raise OSError("no network\nand a long story")

    monkeypatch.setattr(hub, "snapshot_download", refuse)
    with pytest.raises(CheckpointError, match="cannot be had from the Hub: no network$"):
        load_huginn("tomg-group-umd/huginn-0125")
    for nothing in ("no_such_folder", "./some/model", tmp_path / "nothing"):
        with pytest.raises(CheckpointError, match="there is no folder"):
            load_huginn(nothing)


def test_the_tokenizer_is_read_from_its_file(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    with pytest.raises(CheckpointError, match="no tokenizer .*tokenizer.json"):
        load_tokenizer(tmp_path)
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"charge": 0, "court": 1}, unk_token="charge")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    assert load_tokenizer(tmp_path).encode("court charge").ids == [1, 0]


@pytest.mark.data
@pytest.mark.parametrize("t", [1, 4, 32])
def test_it_computes_what_the_published_code_computes(t):
    """EQUILIBRIA_HUGINN_TINY: a folder with a tiny checkpoint and `expected.safetensors`, made by the published code."""
    folder = os.environ.get("EQUILIBRIA_HUGINN_TINY")
    if not folder:
        pytest.skip(
            "EQUILIBRIA_HUGINN_TINY names no folder with a tiny checkpoint and its expected.safetensors"
        )
    model, expected = load_huginn(folder), load_file(Path(folder) / "expected.safetensors")
    logits, states = model(expected["tokens"], steps=t, start=expected["start_state"], latents=True)
    torch.testing.assert_close(logits, expected[f"logits_{t}"], rtol=0, atol=1e-4)
    torch.testing.assert_close(
        model.transformer.ln_f(states[-1]), expected[f"latents_{t}"], rtol=0, atol=1e-4
    )


# ----------------------------------------------------------------------------------------------------------- bad input
@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda m, t: m(t[:, :0], 2),
            r"tokens must hold at least one token a sequence, got shape \(2, 0\): the prompt is empty",
        ),
        (lambda m, t: m(t.repeat(1, 5), 2), "a prompt of 35 tokens exceeds the context of 32"),
        (
            lambda m, t: m.generate(t, 2, 26),
            "a prompt of 7 tokens and max_new_tokens = 26 exceed the context of 32",
        ),
        (lambda m, t: m.generate(t, 2, 0), "max_new_tokens must be an int of at least 1, got 0"),
        (lambda m, t: m(t + 13, 2), "tokens must lie in 0..12, got the unknown token"),
        (lambda m, t: m(t - 13, 2), "tokens must lie in 0..12, got the unknown token -"),
        (lambda m, t: m(t[0], 2), r"tokens must be an integer tensor \(B, n\)"),
        (lambda m, t: m(t.float(), 2), r"tokens must be an integer tensor \(B, n\)"),
        (lambda m, t: m(t, 0), "steps must be an int of at least 1, got 0"),
        (lambda m, t: m.generate(t, -1, 3), "steps must be an int of at least 1, got -1"),
        (lambda m, t: m(t, 2.0), "steps must be an int of at least 1, got 2.0"),
        (
            lambda m, t: m(t, 2, start=torch.zeros(2, 7, 3)),
            r"start must have shape \(2, 7, 24\), got \(2, 7, 3\)",
        ),
        (
            lambda m, t: m(t, 2, start="random"),
            "start must be a tensor, a seed of at least 0 or None, got 'random'",
        ),
        (
            lambda m, t: m.generate(t, 2, 3, lengths=torch.tensor([0, 7])),
            r"lengths must be 2 numbers from 1 to 7, got \[0, 7\]",
        ),
        (lambda m, t: m.early_exit(t, 2, tol=0.0), "tol must be positive, got 0.0"),
    ],
    ids=[
        "empty",
        "long",
        "long-generation",
        "nothing-new",
        "unknown",
        "negative",
        "one-dimension",
        "floats",
        "no-steps",
        "negative-steps",
        "half-steps",
        "start-shape",
        "start-word",
        "lengths",
        "tol",
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(model_of(SMALL), tokens_of(SMALL))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"heads": 5}, "heads must divide width = 24 into even parts, got 5"),
        ({"heads": 8}, "heads must divide width"),
        ({"core": 0}, "core must be an int of at least 1, got 0"),
        ({"prelude": -1}, "prelude must be an int of at least 0, got -1"),
        ({"positions": "learned"}, "positions must be one of .*, got 'learned'"),
        ({"injection": "none"}, "injection must be one of"),
        ({"norms": "post"}, "norms must be one of"),
        ({"epsilon": 0.0}, "epsilon must be positive, got 0.0"),
        ({"width": 2.5}, "width must be an int"),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else "",
)
def test_bad_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SMALL, **change)
