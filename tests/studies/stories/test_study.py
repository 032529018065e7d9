"""The study of stories: its measurements on a model whose answers are known, and a few steps."""

import json

import pytest
import torch
from equilibria import checkpoints
from equilibria.problems.edit_distance import levenshtein
from equilibria.problems.stories import draw
from equilibria.problems.story_language import language
from equilibria.splits import SplitError
from equilibria.studies import stories
from equilibria.studies.stories import recipe
from torch import nn
from torch.nn import functional

N = 6


def edit_distance(a, b):
    """The usual table, one entry at a time."""
    row = list(range(len(b) + 1))
    for i, one in enumerate(a, start=1):
        before, row = row, [i]
        for j, other in enumerate(b, start=1):
            row.append(min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (one != other)))
    return row[-1]


class Wave(nn.Module):
    """Each sentence moves on what the one before it knew: after t loops, t sentences back.

    The state is the answer, one entry per word: nothing known is all zero. x says which sentence
    it is, one entry per sentence of the language, and in the same way which question.
    """

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))
        self.spoken = language()

    def encode(self, tokens):
        known = (tokens[:, None] == self.spoken.tokens).all(2).double()  # (sentences, T)
        return functional.pad(known[:, None], (0, 0, 0, tokens.shape[1] - 1))

    def start(self, x):
        return torch.zeros_like(x)

    def forward(self, z, x):
        known = z.new_zeros(*x.shape[:2], len(self.spoken.words))
        question = x[:, 0].argmax(-1)
        before = functional.pad(z, (0, 0, 1, 0))[:, :-1]
        for i in range(1, x.shape[1]):
            for b in range(len(x)):
                others = x[b, i].clone()
                others[question[b]] = 0
                index = int(others.argmax())
                sentence = self.spoken.sentences[index]
                asked = self.spoken.sentences[int(question[b])].thing
                if sentence.kind == "start" and sentence.thing == asked:
                    known[b, i, self.spoken.names[sentence.people[0]]] = 1
                else:
                    names = self.spoken.names
                    known[b, i, names[self.spoken.after[index]]] = before[b, i, names]
        return functional.pad(known, (0, x.shape[-1] - known.shape[-1]))

    def decode(self, z):
        return z[..., : len(self.spoken.words)]


def distance_of_start(drawn):
    """Sentences from the start of the object asked for to the last one, (B,)."""
    spoken, distances = drawn.language, []
    for row in drawn.sentences.tolist():
        asked = spoken.sentences[row[0]].thing
        for i, index in enumerate(row):
            sentence = spoken.sentences[index]
            if sentence.kind == "start" and sentence.thing == asked:
                distances.append(len(row) - 1 - i)
    return torch.tensor(distances)


def test_the_last_answer_is_right_when_the_wave_has_arrived():
    drawn = draw("validation", 40, N, generator=1)
    times = [1, N - 1, N, N + 1, N + 2, N + 3, 4 * N]
    right = stories.right_along_t(Wave(), drawn, times)
    for t, share in zip(times, right["last"], strict=True):
        assert share == pytest.approx((distance_of_start(drawn) < t).double().mean().item())
    assert right["last"][0] == 0
    assert right["last"][-2:] == [1.0] * 2
    assert right["all"][-1] == 1.0


def test_what_rests_with_the_right_answers_has_their_ratio_and_distance_zero():
    pairs = stories.contrast_pairs("validation", 12, N, seed=2)
    scores = stories.pair_scores(Wave(), pairs, [1, 3 * N])
    for key in ("changed", "worst", "ratio", "spread", "released"):
        assert scores[key][1] == scores[f"right_{key}"]
    assert scores["distance"][1] == 0
    assert scores["last"] == [0.0, 1.0]
    assert scores["released_spread"][1] == scores["right_released_spread"]
    assert scores["right_ratio"] > 1
    truths = pairs.first.answers[:, -N:] != pairs.second.answers[:, -N:]
    assert scores["right_changed"] == pytest.approx(truths.sum(1).double().mean().item())


def test_as_released_the_words_between_white_space_are_compared():
    pairs = stories.contrast_pairs("validation", 12, N, seed=2)
    scores = stories.pair_scores(Wave(), pairs, [3 * N])
    released = []
    for row in range(12):
        first, second = (
            (part.text(row) + " " + " ".join(part.answer_words(row))).split()
            for part in (pairs.first, pairs.second)
        )
        released.append(edit_distance(first, second))
    assert scores["released"][0] == pytest.approx(sum(released) / 12)


def test_distances_are_those_of_the_usual_table():
    stream = torch.Generator().manual_seed(0)
    first, second = (
        [
            torch.randint(3, (int(torch.randint(9, (), generator=stream)),), generator=stream)
            for _ in range(60)
        ]
        for _ in range(2)
    )
    expected = [edit_distance(a.tolist(), b.tolist()) for a, b in zip(first, second, strict=True)]
    assert levenshtein(first, second).tolist() == expected
    assert levenshtein([], []).tolist() == []
    with pytest.raises(ValueError, match="as many"):
        levenshtein(first, second[:-1])


def test_texts_of_a_pair_mark_what_is_wrong():
    pairs = stories.contrast_pairs("validation", 3, N, seed=2)
    table = stories.pair_texts(Wave(), pairs, 1, [1, 3 * N])
    right = {"first": pairs.first.answer_words(1), "second": pairs.second.answer_words(1)}
    assert table[1] == table[2] == right
    assert table[0]["first"] == ["*"] * N  # the first word of the language is empty


@pytest.mark.parametrize("name", ["stories", "stories-once", "stories-stack"])
def test_models_are_small_and_read_sentences_one_by_one(name):
    model = stories.new(name)
    assert sum(p.numel() for p in model.parameters()) <= 1_000_000
    drawn = draw("train", 4, N, generator=0)
    x = stories.read(model, drawn)
    assert x.shape == (4, 4 + N, 64)
    # what one sentence is read as depends on no other sentence but the question
    alone = drawn.sentences[:, [0, 5]]
    part = stories.read(model, type(drawn)(drawn.language, alone, alone, 1))
    torch.testing.assert_close(part[:, 1], x[:, 5])


def test_names_that_are_not_known_are_refused():
    with pytest.raises(ValueError, match="name must be one of"):
        stories.new("stories-twice")
    with pytest.raises(ValueError, match="times must be rising"):
        stories.right_along_t(Wave(), draw("train", 1, 2, generator=0), [2, 1])


# ------------------------------------------------------------------------------------ training
@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["stories", "stories-once", "stories-stack"])
def test_every_model_trains_and_is_evaluated(name, data, monkeypatch):
    monkeypatch.setattr(recipe, "_VALIDATION_LENGTHS", (2, 14))
    monkeypatch.setattr(recipe, "_VALIDATION_COUNT", 4)
    outcome = stories.train(name, profile="quick", seed=1)
    assert outcome.finished
    assert stories.seeds(name, profile="quick") == [1]
    _, card = stories.load(name, seed=1, profile="quick")
    assert set(card["metrics"]) == {"trained_length", "wrong_at_2", "wrong_at_14", "selection"}
    monkeypatch.setattr(stories.evaluation, "LENGTHS", (2, 3))
    monkeypatch.setattr(stories.evaluation, "_LONG", (3, 5))
    monkeypatch.setattr(stories.evaluation, "_PART_LENGTH", 3)
    monkeypatch.setattr(stories.evaluation, "_REST_LENGTH", 3)
    monkeypatch.setattr(stories.evaluation, "_COUNT", 3)
    report = stories.evaluate(name, seed=1, profile="quick", count=3)
    assert json.loads(json.dumps(report)) == report
    assert report["sha256"] == stories.load(name, seed=1, profile="quick")[1]["sha256"]
    expected = [1] if name != "stories" else [1, 2, 3, 4, 8, 16]
    assert report["along_t"][0]["t"] == expected
    assert [row["part"] for row in report["parts"]] == list(stories.evaluation.PARTS)
    assert ("at_rest" in report) == (name == "stories")
    assert stories.evaluate_all(profile="quick", minutes=0) is False


@pytest.mark.parametrize("name", ["stories", "stories-once", "stories-stack"])
def test_models_are_scored_from_the_start_that_they_were_trained_from(name):
    """One pass of training and one of measuring give the same answers: both begin at z_0 = 0."""
    model = stories.new(name, seed=2).eval()
    drawn = draw("train", 8, 3, generator=3)
    starts = []
    step = model.forward

    def watched(z, x):
        starts.append(z)
        return step(z, x)

    model.forward = watched
    with torch.no_grad():
        trained_right = stories.visit(model, drawn, free=0, graded=1).right
    scored_right = stories.right_along_t(model, drawn, [1])["last"][0]
    assert scored_right == pytest.approx(trained_right)
    assert len(starts) == 2
    for start in starts:
        assert not start.any()


def test_training_draws_training_stories_and_validation_draws_validation_stories(monkeypatch):
    splits = []

    def watched(split, *arguments, **options):
        splits.append(split)
        return draw(split, *arguments, **options)

    monkeypatch.setattr(recipe, "draw", watched)
    monkeypatch.setattr(recipe, "_VALIDATION_COUNT", 2)
    model = stories.new("stories-once")
    memory = {"length": torch.tensor(1), "right": torch.tensor(0.0), "spent": torch.tensor(0)}
    loss = recipe._curriculum("once", 20, memory, model)
    loss(model, 0, torch.Generator().manual_seed(0))
    assert splits == ["train"]
    stories.validation_scores(model, "once")
    assert set(splits[1:]) == {"validation"}


@pytest.mark.parametrize("name", ["stories", "stories-once"])
def test_a_training_whose_validation_reads_test_stories_fails(name, data, monkeypatch):
    def from_test(split, *arguments, **options):
        return draw("test" if split == "validation" else split, *arguments, **options)

    monkeypatch.setattr(recipe, "draw", from_test)
    with pytest.raises(SplitError, match=r"train asked for test stories of 12 sentences"):
        stories.train(name, profile="quick")


@pytest.mark.parametrize(("kind", "grows"), [("", False), ("once", True)])
def test_explicit_models_go_on_to_the_next_length_in_any_case(kind, grows):
    model = stories.new("stories-once")
    memory = {"length": torch.tensor(1), "right": torch.tensor(0.0), "spent": torch.tensor(500)}
    recipe._curriculum(kind, 6000, memory, model)(model, 0, torch.Generator().manual_seed(0))
    assert int(memory["length"]) == 1 + grows


def test_a_missing_model_is_reported_in_one_line(data):
    with pytest.raises(checkpoints.CheckpointError):
        stories.answer_story("Who has the ball? Ann has the ball. Ann and Bob swap.", 4)
    with pytest.raises(ValueError, match="ends where it starts"):
        stories.answer_story("Who has the ball? Ann has the ball.", 4)


def test_a_loop_pays_where_states_move_or_stay_apart():
    model = stories.new("stories", seed=2)
    drawn = draw("train", 4, 3, generator=3)
    asked = stories.visit(model, drawn, free=2, graded=2)

    def paid(G):
        return recipe.rest_penalty(G, asked, torch.Generator().manual_seed(0)).item()

    # a step that halves every distance rests after enough loops, one that keeps them never does
    moving = recipe._PENALTY * asked.moved.item()
    assert moving > 0
    assert paid(lambda z, x: 0.5 * z) == pytest.approx(moving)
    kept_apart = moving + recipe._PENALTY * (1 - recipe._SEPARATION)
    assert paid(lambda z, x: z + x) == pytest.approx(kept_apart, rel=1e-3)
