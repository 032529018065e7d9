"""The word senses: answers in order, scores of known answers, losses and depths of training."""

import math

import pytest
import torch
from equilibria.operators.decoding import generate
from equilibria.operators.looped_transformer import Architecture, LoopedTransformer
from equilibria.problems.reasoning import running_sums
from equilibria.problems.word_senses import Vocabulary, contrast_pairs, levenshtein, words
from equilibria.studies import language
from equilibria.studies.language import senses
from known_loops import TINY


@pytest.fixture(scope="module")
def pairs():
    """Contrast pairs of held-out questions."""
    return contrast_pairs(senses.split().phrasing)[:5]


@pytest.fixture(scope="module")
def model():
    """An untrained model of the senses."""
    torch.manual_seed(0)
    architecture = Architecture(
        vocabulary=len(senses.vocabulary()),
        width=16,
        heads=2,
        hidden=16,
        prelude=1,
        core=1,
        coda=1,
        context=128,
    )
    return LoopedTransformer(architecture).eval()


def test_answers_keep_their_order_and_count_their_loops(model, pairs):
    prompts = [prompt for pair in pairs for prompt in pair]
    texts, loops = senses.answers_with_loops(model, prompts, 3, new_tokens=5, tol=1e-300)
    assert loops == [3.0] * len(prompts)
    assert texts == senses.answers(model, prompts, 3, new_tokens=5)
    for prompt, text in zip(prompts, texts, strict=True):
        ids = torch.tensor([senses.vocabulary().question(prompt.text)])
        alone = generate(model, ids, 3, 5, start_seed=0, end=Vocabulary.END).tokens[0].tolist()
        assert text == senses.vocabulary().decode(alone)
        assert text == senses.answer_question(model, prompt.text, 3, new_tokens=5)


def test_early_exit_saves_loops(model, pairs):
    early, late = senses.exits(model, pairs[0], [0.9, 1e-300], limit=4)
    assert early["loops"] < late["loops"] == 4


def test_answer_scores_of_known_answers(pairs):
    prompts = list(dict.fromkeys(prompt for pair in pairs for prompt in pair))
    right = [prompt.sense.definition for prompt in prompts]
    assert senses.answer_scores(prompts, right) == {"f1": 1.0, "exact": 1.0, "distance": 0.0}
    scores = senses.answer_scores(prompts, ["zzz " + right[0], *right[1:]])
    share = 1 / len(prompts)
    assert scores["exact"] == pytest.approx(1 - share)
    assert scores["distance"] == share
    assert 1 - share < scores["f1"] < 1


def test_pair_scores_of_known_answers(pairs):
    right = {prompt: prompt.sense.definition for pair in pairs for prompt in pair}
    found = senses.pair_scores(pairs, right)
    assert found["ratio"] == pytest.approx(found["right_ratio"])
    assert found["distance"] == 0
    assert found["same"] == 0
    assert found["ratio"] > 1
    expected = []
    for a, b in pairs:
        between_answers = levenshtein(words(a.sense.definition), words(b.sense.definition))
        expected.append(between_answers / levenshtein(words(a.text), words(b.text)))
    assert found["ratio"] == pytest.approx(sum(expected) / 5)
    assert found["spread"] == pytest.approx(torch.tensor(expected).std().item(), rel=1e-5)
    dull = senses.pair_scores(pairs, dict.fromkeys(right, "no idea"))
    assert dull["ratio"] == 0
    assert dull["same"] == 1
    assert dull["distance"] > 10


def test_the_same_answer_from_every_start():
    assert senses.same_answer_share([["a", "b"], ["a", "c"], ["a", "b"]]) == 0.5


def test_prompts_of_one_length_only(pairs):
    prompt = pairs[0][0]
    assert senses.prompt_tokens([prompt] * 2).shape[0] == 2
    alike = senses.prompts_of_one_length(senses.split().phrasing, 3)
    assert senses.prompt_tokens(alike).shape[0] == 3
    with pytest.raises(ValueError, match="prompts must be of one length"):
        senses.prompt_tokens([prompt, senses.split().train[20]])


# --------------------------------------------------------------------------------------- training
def test_the_loss_counts_the_tokens_of_the_answers():
    torch.manual_seed(0)
    model = LoopedTransformer(TINY).double()
    tokens = running_sums(4, 8, generator=1).tokens
    start = torch.randn(4, 8, 16, dtype=torch.float64)
    is_answer = torch.zeros(4, 9, dtype=torch.bool)
    is_answer[:2, 5:] = True
    is_answer[2:, 6:8] = True
    value = senses.senses_loss(model, tokens, is_answer, start, free=1, graded=2)
    chances = model.run(tokens[:, :-1], 3, start=start).log_softmax(-1)
    losses = [-chances[i, j - 1, tokens[i, j]] for i, j in is_answer.nonzero().tolist()]
    torch.testing.assert_close(value, torch.stack(losses).mean())


def test_training_depths_are_huginns():
    generator = torch.Generator().manual_seed(0)
    drawn = [senses.lognormal_poisson(8, generator) for _ in range(4000)]
    depths = torch.tensor(drawn, dtype=torch.float64)
    variance = 7 + 49 * (math.exp(0.25) - 1)  # Poisson's, and that of its lognormal mean
    assert depths.min() >= 1
    assert depths.mean().item() == pytest.approx(8, abs=0.25)
    assert depths.var().item() == pytest.approx(variance, rel=0.15)


# ---------------------------------------------------------------------------------------- shipped
def test_shipped_senses_answer_new_questions():
    model, _ = language.load("senses", seed=language.seeds("senses")[0])
    prompts = senses.split().phrasing[:12]
    one = senses.answer_scores(prompts, senses.answers(model, prompts, 1))
    many = senses.answer_scores(prompts, senses.answers(model, prompts, 16))
    assert many["f1"] >= 0.9 > one["f1"]
