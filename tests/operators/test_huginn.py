"""Loading Huginn's checkpoints: whatever their form, and strictly."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from equilibria.checkpoints import CheckpointError
from equilibria.operators import huginn
from equilibria.operators.decoding import generate
from equilibria.operators.huginn import load_huginn, load_tokenizer
from looped_models import SMALL, model_of, tokens_of
from safetensors.torch import load_file, save_file


def write_huginn(
    folder: Path,
    architecture,
    *,
    shards=1,
    head=False,
    buffer=False,
    dtype=torch.float32,
    change=None,
):
    """A checkpoint in Huginn's format; returns the model it was made of."""
    model = model_of(architecture, dtype=dtype)
    tensors = {k: v.clone() for k, v in model.state_dict().items()}
    if head:
        tensors["lm_head.weight"] = tensors["transformer.wte.weight"].clone()
    if buffer:
        tensors["freqs_cis"] = torch.zeros(1, 8, 1, 4, 2)
    if change is not None:
        change(tensors)
    config = {
        "n_embd": architecture.width,
        "n_heads": architecture.heads,
        "n_layers": 4,
        "block_size": architecture.context,
        "vocab_size": architecture.vocabulary,
        "padding_multiple": 1,
        "tie_embeddings": architecture.tied,
        "intermediate_size": architecture.hidden,
        "norm_eps": architecture.epsilon,
        "injection_type": "linear",
        "n_layers_in_recurrent_block": architecture.core,
        "n_layers_in_prelude": architecture.prelude,
        "n_layers_in_coda": architecture.coda,
        "qk_bias": True,
        "rope_base": architecture.rope_base,
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
    ("architecture", "form"),
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
def test_a_checkpoint_loads_whatever_its_form(tmp_path, architecture, form):
    model = write_huginn(tmp_path, architecture, **form)
    loaded, tokens = load_huginn(tmp_path), tokens_of(architecture)
    assert loaded.architecture == architecture and not loaded.training
    assert torch.equal(loaded.run(tokens, 3, start_seed=1), model.run(tokens, 3, start_seed=1))


def test_the_dtype_is_the_files_unless_another_is_asked_for(tmp_path):
    write_huginn(tmp_path, SMALL, dtype=torch.bfloat16)
    assert {p.dtype for p in load_huginn(tmp_path).parameters()} == {torch.bfloat16}
    loaded = load_huginn(tmp_path, dtype=torch.float32)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    made = generate(load_huginn(tmp_path), tokens_of(SMALL), 3, 4, start_seed=0)
    assert made.tokens.shape == (2, 4)


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
    with pytest.raises(CheckpointError, match=r"no .*config\.json"):
        load_huginn(tmp_path)
    write_huginn(tmp_path, SMALL, shards=2)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(
        CheckpointError, match=r"lacks the weights model-00002-of-00002\.safetensors"
    ):
        load_huginn(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"\x00" * 100)
    with pytest.raises(CheckpointError, match=r"model-00002-of-00002\.safetensors is damaged"):
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
    with pytest.raises(CheckpointError, match=r"config\.json lacks 'rope_base'"):
        load_huginn(tmp_path)


def test_the_hub_is_asked_for_a_pinned_revision_only(tmp_path, monkeypatch):
    hub = pytest.importorskip("huggingface_hub")
    model, asked = write_huginn(tmp_path, SMALL), []

    def snapshot_download(repo, *, revision, allow_patterns):
        asked.append((repo, revision, allow_patterns))
        return str(tmp_path)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    tokens = tokens_of(SMALL)
    loaded = load_huginn("tomg-group-umd/huginn-0125")
    assert torch.equal(loaded.run(tokens, 2), model.run(tokens, 2))
    assert asked == [
        (
            "tomg-group-umd/huginn-0125",
            huginn.HUGINN_REVISION,
            ["*.json", "*.safetensors"],
        )
    ]
    assert len(huginn.HUGINN_REVISION) == 40
    load_huginn("some/model", revision="abc")
    assert asked[-1][:2] == ("some/model", "abc")
    with pytest.raises(ValueError, match="revision must be given for 'some/model'"):
        load_huginn("some/model")

    def refuse(*args, **kwargs):
        raise OSError("no network\nand a long story")

    monkeypatch.setattr(hub, "snapshot_download", refuse)
    with pytest.raises(CheckpointError, match=r"cannot be had from the Hub: no network$"):
        load_huginn("tomg-group-umd/huginn-0125")
    for nothing in ("no_such_folder", "./some/model", tmp_path / "nothing"):
        with pytest.raises(CheckpointError, match="there is no folder"):
            load_huginn(nothing)


def test_the_tokenizer_is_read_from_its_file(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    with pytest.raises(CheckpointError, match=r"no tokenizer .*tokenizer\.json"):
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
    """EQUILIBRIA_HUGINN_TINY names a folder with a tiny checkpoint and `expected.safetensors`.

    The latter was made by the published code.
    """
    folder = os.environ.get("EQUILIBRIA_HUGINN_TINY")
    if not folder:
        pytest.skip("EQUILIBRIA_HUGINN_TINY names no folder with a tiny checkpoint")
    model, expected = load_huginn(folder), load_file(Path(folder) / "expected.safetensors")
    tokens, start = expected["tokens"], expected["start_state"]
    logits = model.run(tokens, steps=t, start=start)
    latent = model.transformer.ln_f(model.states(tokens, steps=t, start=start)[-1])
    torch.testing.assert_close(logits, expected[f"logits_{t}"], rtol=0, atol=1e-4)
    torch.testing.assert_close(latent, expected[f"latents_{t}"], rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["../weights", "/etc/passwd", "a/b.safetensors", "..", "", 3])
def test_an_index_stays_inside_its_folder(tmp_path, name):
    write_huginn(tmp_path, SMALL, shards=2)
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"lm_head.weight": name}}))
    with pytest.raises(CheckpointError, match="outside of its folder"):
        load_huginn(tmp_path)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, 3], ids=str)
def test_weights_that_are_no_numbers_are_refused(tmp_path, value):
    def change(tensors):
        name = "transformer.wte.weight"
        tensors[name] = torch.full_like(tensors[name], value, dtype=torch.tensor(value).dtype)

    write_huginn(tmp_path, SMALL, change=change)
    with pytest.raises(CheckpointError, match="has whole numbers, NaN or infinity for weights"):
        load_huginn(tmp_path)


@pytest.mark.parametrize("size", [10**400, 10**12, -1, 0, 1.5, "64", None, True, [64]])
@pytest.mark.parametrize(
    "name",
    ["n_embd", "n_heads", "vocab_size", "intermediate_size", "block_size", "n_layers_in_coda"],
)
def test_absurd_sizes_are_refused_before_memory_is_asked_for(tmp_path, name, size):
    write_huginn(tmp_path, SMALL)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: size}))
    with pytest.raises(CheckpointError) as refused:
        load_huginn(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_damaged_tokenizer_is_refused(tmp_path):
    (tmp_path / "tokenizer.json").write_text('{"version": 1')
    with pytest.raises(CheckpointError, match=r"tokenizer\.json is damaged"):
        load_tokenizer(tmp_path)
