"""The protocol of contrast pairs: a closed form, a stop and its continuation, a checkpoint."""

import json
import statistics
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from equilibria.checkpoints import CheckpointError
from equilibria.files import DataError
from equilibria.operators.decoding import Generation
from equilibria.operators.looped_transformer import Architecture, LoopedTransformer
from equilibria.problems.contrast_prompts import SENSES, ContrastPrompts, contrast_prompts
from equilibria.studies.language import huginn_pairs
from equilibria.studies.language.huginn_pairs import (
    answers_along_t,
    ask_huginn,
    ratios_along_t,
    report,
)

tokenizers = pytest.importorskip("tokenizers")

PAIRS = [
    ContrastPrompts("charge", "charge in physics", "charge in law"),
    ContrastPrompts("bond", "bond in chemistry", "bond in high finance"),
    ContrastPrompts("cell", "cell in biology", "cell in prison"),
]
ARCHITECTURE = {"width": 16, "heads": 2, "hidden": 16, "context": 160}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "huginn_pairs"


def tokenizer_of(pairs):
    words = ["<|begin_text|>", "<|end_text|>", "?"]
    for pair in pairs:
        words += f"{pair.first} {pair.second}".split()
    ids = {word: i for i, word in enumerate(dict.fromkeys(words))}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(ids, unk_token="?"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    made.add_special_tokens(["<|begin_text|>", "<|end_text|>"])
    return made


def model_of(tokenizer):
    torch.manual_seed(0)
    size = tokenizer.get_vocab_size()
    return LoopedTransformer(Architecture(vocabulary=size, **ARCHITECTURE)).eval()


@pytest.fixture
def small():
    tokenizer = tokenizer_of(PAIRS)
    return model_of(tokenizer), tokenizer


@pytest.fixture
def asked(monkeypatch):
    """The prompts that the model really answered, one per call of `generate`."""
    calls = []

    def counted(model, tokens, *args, **kwargs):
        calls.append(tokens)
        return generate(model, tokens, *args, **kwargs)

    generate = huginn_pairs.generate
    monkeypatch.setattr(huginn_pairs, "generate", counted)
    return calls


def test_known_answers_give_known_ratios(small, monkeypatch):
    """At t the answer is the prompt's last word, t times, and then the end."""
    model, tokenizer = small

    def echo(model, tokens, steps, max_new_tokens, *, start_seed, end):
        assert tokens.shape[1] + max_new_tokens == 20 and start_seed == 3
        made = torch.full((1, max_new_tokens), end)
        made[:, :steps] = tokens[:, -1]
        return Generation(made, torch.full_like(made, steps))

    monkeypatch.setattr(huginn_pairs, "generate", echo)
    found = ratios_along_t(
        model, tokenizer, PAIRS, [1, 5], max_length=20, start_seed=3, progress=False
    )
    # The prompts of the pairs are 1, 2 and 1 words apart, the answers t.
    answers = [[1, 1 / 2, 1], [5, 5 / 2, 5]]
    released = [[2, 3 / 2, 2], [6, 7 / 2, 6]]
    assert found.pairs == 3 and found.times == [1, 5]
    assert found.answers == pytest.approx([statistics.mean(row) for row in answers])
    assert found.answers_spread == pytest.approx([statistics.stdev(row) for row in answers])
    assert found.released == pytest.approx([statistics.mean(row) for row in released])
    assert found.released_spread == pytest.approx([statistics.stdev(row) for row in released])


def test_prompt_and_answer_fill_the_length_unless_the_end_comes(small):
    model, tokenizer = small
    texts = answers_along_t(model, tokenizer, PAIRS, [1, 3], max_length=10, progress=False)
    for pair, text in zip(PAIRS, texts, strict=True):
        for key in ("first", "second"):
            for whole, answer in text[key]:
                assert whole.split() == getattr(pair, key).split() + answer.split()
                assert len(whole.split()) <= 9  # and the begin token


def test_a_stopped_run_continues_with_the_same_numbers(small, asked, folder, capsys):
    options = {"max_length": 12, "progress": False}
    at_once = ratios_along_t(*small, PAIRS, [1, 2], **options)
    assert len(asked) == 12
    again = ratios_along_t(*small, PAIRS, [1, 2], **options)
    assert again == at_once and len(asked) == 12, "what is done is not asked again"

    (record,) = folder.glob("*.json")
    record.unlink()
    asked.clear()
    part = ratios_along_t(*small, PAIRS, [1, 2], minutes=0, **options)
    assert part.pairs == 1 and part.released_spread == [0, 0]
    assert "continues" in capsys.readouterr().out
    assert len(json.loads(record.read_text())["texts"]) == 1
    assert ratios_along_t(*small, PAIRS, [1, 2], **options) == at_once
    assert len(asked) == 12


def test_a_record_belongs_to_its_weights_and_settings(small, folder):
    model, tokenizer = small
    for seed in (0, 1):
        answers_along_t(model, tokenizer, PAIRS[:1], [1], start_seed=seed, progress=False)
    with torch.no_grad():
        model.transformer.ln_f.weight.mul_(2)
    answers_along_t(model.bfloat16(), tokenizer, PAIRS[:1], [1], progress=False)
    assert len(list(folder.glob("*.json"))) == 3


def test_what_cannot_be_done_is_said(small, folder):
    with pytest.raises(ValueError, match="pairs must be at least one pair"):
        answers_along_t(*small, [], [1])
    with pytest.raises(ValueError, match="times must be at least one t"):
        answers_along_t(*small, PAIRS, [])
    with pytest.raises(ValueError, match="above the 4 tokens of 'charge in physics', got 4"):
        answers_along_t(*small, PAIRS, [1], max_length=4, progress=False)
    answers_along_t(*small, PAIRS[:1], [1], progress=False)
    (record,) = folder.glob("*.json")
    record.write_text("[]")
    with pytest.raises(DataError, match="not a record of pairs"):
        answers_along_t(*small, PAIRS[:1], [1], progress=False)


def write_checkpoint(folder: Path, pairs):
    from safetensors.torch import save_file

    tokenizer = tokenizer_of(pairs)
    model = model_of(tokenizer)
    sizes = asdict(model.architecture)
    config = {
        "n_embd": sizes["width"],
        "n_heads": sizes["heads"],
        "block_size": sizes["context"],
        "vocab_size": sizes["vocabulary"],
        "intermediate_size": sizes["hidden"],
        "norm_eps": 1e-6,
        "n_layers_in_recurrent_block": 4,
        "n_layers_in_prelude": 2,
        "n_layers_in_coda": 2,
        "rope_base": 50000,
    }
    (folder / "config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "model.safetensors")
    tokenizer.save(str(folder / "tokenizer.json"))


def test_a_checkpoint_gets_the_figures_and_the_table(tmp_path, monkeypatch):
    write_checkpoint(tmp_path, contrast_prompts()[:2])
    monkeypatch.setattr(huginn_pairs, "TIMES", (1, 2))
    text = report(str(tmp_path), minutes=0)
    lines = text.splitlines()
    assert lines[0].startswith("1 of 200 pairs")
    assert lines[1].startswith("t =  1: as released ") and len(lines) == 3 + 2 * 7
    assert all(f"charge means in {field}." in text for field in SENSES["charge"])
    with pytest.raises(CheckpointError, match="there is no folder"):
        report("nothing")
    asked = ask_huginn("charge means in law.", 2, checkpoint=str(tmp_path), minutes=0)
    assert asked.startswith("charge means in law.\nt =  2: ")
    assert "\n\n2 of 200 pairs" in asked, "the pair that was done is kept"


@pytest.mark.parametrize(
    ("checkpoint", "question", "reason"),
    [
        ("", "charge", "Not run: the weights of Huginn-0125 are missing"),
        ("nothing", "charge", "Not run: there is no folder"),
    ],
)
def test_a_missing_answer_gets_one_line(checkpoint, question, reason):
    text = ask_huginn(question, 4, checkpoint=checkpoint)
    assert text.startswith(reason) and "\n" not in text
