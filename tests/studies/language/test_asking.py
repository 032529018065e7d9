"""Questions in one's own words to a checkpoint of Huginn's kind."""

import json

import pytest
import torch
from equilibria import checkpoints
from equilibria.operators.decoding import generate
from equilibria.operators.looped_transformer import Architecture, LoopedTransformer
from equilibria.studies.language.asking import ask


def test_a_model_that_is_not_there_is_named():
    with pytest.raises(checkpoints.CheckpointError, match="there is no folder"):
        ask("charge", 2, checkpoint="nothing")


def test_a_checkpoint_of_huginns_kind_answers(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = LoopedTransformer(Architecture(vocabulary=5, width=16, heads=2, hidden=16, context=32))
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    config = {
        "n_embd": 16,
        "n_heads": 2,
        "block_size": 32,
        "vocab_size": 5,
        "intermediate_size": 16,
        "norm_eps": 1e-6,
        "n_layers_in_recurrent_block": 4,
        "n_layers_in_prelude": 2,
        "n_layers_in_coda": 2,
        "rope_base": 50000,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    words = ["<|begin_text|>", "<|end_text|>", "charge", "court", "meter"]
    ids = {word: i for i, word in enumerate(words)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(ids, unk_token="meter"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))

    made = generate(model, torch.tensor([[0, 3, 2]]), 4, 6, start_seed=0, end=1)
    expected = tokenizer.decode(made.tokens[0].tolist())
    assert ask("court charge", 4, checkpoint=str(tmp_path), new_tokens=6) == expected
    with pytest.raises(ValueError, match="the prompt is empty"):
        ask("", 4, checkpoint=str(tmp_path))
    with pytest.raises(ValueError, match="steps must be at least 1, got 0"):
        ask("court", 0, checkpoint=str(tmp_path))
