"""Questions in one's own words, to the small model and to a checkpoint of Huginn's kind."""

import json

import pytest
import torch
from equilibria import checkpoints
from equilibria.operators.decoding import generate
from equilibria.operators.looped_transformer import Architecture, LoopedTransformer
from equilibria.studies import language
from equilibria.studies.language import senses
from equilibria.studies.language.asking import ask, ask_checkpoint


@pytest.fixture
def shipped_senses(quick):
    """A model of the senses, trained for a few steps, in the place of the shipped one."""
    language.train("senses", profile="quick", seed=0, device="cpu")
    folder = quick / "checkpoints/language"
    for file in (folder / "quick").iterdir():
        file.rename(folder / file.name)
    model, _ = language.load("senses", seed=0)
    return model


def test_the_small_model_answers(shipped_senses):
    question = "What does charge mean here?"
    expected = senses.answer_question(shipped_senses, question, 2, new_tokens=6)
    assert ask(question, 2, new_tokens=6) == expected


@pytest.mark.parametrize(
    ("question", "steps", "message"),
    [
        ("", 2, "the prompt is empty"),
        ("What does chrage mean?", 2, "unknown token 'chrage', did you mean 'charge'"),
        (
            "charge " * 120,
            2,
            "a prompt of 122 tokens and max_new_tokens = 40 exceed the context of 128",
        ),
        ("charge", 0, "steps must be an int of at least 1, got 0"),
    ],
    ids=["empty", "unknown", "long", "no-steps"],
)
def test_questions_that_cannot_be_answered_are_refused(shipped_senses, question, steps, message):
    with pytest.raises(ValueError, match=message):
        ask(question, steps)


def test_a_model_that_is_not_there_is_named():
    with pytest.raises(checkpoints.CheckpointError, match="there is no folder"):
        ask("charge", 2, model="nothing")


def test_a_checkpoint_of_huginns_kind_answers_too(tmp_path):
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
    assert ask("court charge", 4, model=str(tmp_path), new_tokens=6) == expected
    assert ask_checkpoint("court charge", 4, checkpoint=str(tmp_path), new_tokens=6) == expected
    with pytest.raises(ValueError, match="the prompt is empty"):
        ask("", 4, model=str(tmp_path))
