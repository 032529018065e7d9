"""The case study's own measurements, on models whose answers are known, and a few steps of its trainings."""

import math

import pytest
import torch
from equilibria import checkpoints, training
from equilibria.operators.looped_transformer import LoopedTransformer, Settings
from equilibria.problems import word_senses
from equilibria.problems.reasoning import running_sums
from equilibria.problems.word_senses import Vocabulary
from equilibria.studies import language
from torch import nn
from torch.nn import functional

N = 6
TINY = Settings(
    vocabulary=3,
    width=16,
    heads=2,
    hidden=16,
    prelude=0,
    core=1,
    coda=0,
    injection="add",
    positions="distance",
    norms="pre",
    state_norm=True,
    tied=False,
)


class Wave(nn.Module):
    """z_i <- (z_{i-1} + x_i) mod 2: after t loops, the parity of the last t symbols. Right at position i from t = i on."""

    def __init__(self):
        super().__init__()
        self.unused = nn.Parameter(torch.zeros(1))

    def embed(self, tokens):
        return torch.where(tokens < 2, tokens, 0)[..., None].double()

    def step(self, z, x):
        return (functional.pad(z, (0, 0, 1, 0))[:, :-1] + x) % 2

    def decode(self, z):
        return torch.cat([1 - z, z, z - 9], -1)


class Linear(nn.Module):
    """G(z, x) = a z + b x, logits 3 z: every constant is known."""

    def __init__(self, a=0.5, b=2.0):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.tensor(a, dtype=torch.float64)), b

    def embed(self, tokens):
        return torch.stack([tokens.double(), tokens.double() ** 2], -1)

    def step(self, z, x):
        return self.a * z + self.b * x

    def decode(self, z, where):
        return 3 * z[where]


# ----------------------------------------------------------------------------------------------------------- measuring
def test_accuracy_is_right_when_the_wave_has_arrived():
    asked = running_sums(300, N, generator=1)
    found = language.accuracy_along_t(Wave(), "parity", N, range(1, 10), count=300)
    for t in range(1, 10):
        partial = torch.stack(
            [asked.tokens[:, max(1, i - t + 1) : i + 1].sum(1) % 2 for i in range(1, N + 1)], 1
        )
        right = (partial == asked.answers[:, 1:]).double()
        assert found["last"][t - 1] == pytest.approx(right[:, -1].mean().item()) and found["all"][
            t - 1
        ] == pytest.approx(right.mean().item())
    assert found["last"][N - 1 :] == [1.0] * 4 and 0.3 < found["last"][0] < 0.7
    assert language.accuracy_along_t(Wave(), "parity", N, [2, 5], count=300)["last"] == [
        found["last"][1],
        found["last"][4],
    ]


def test_loops_to_is_the_first_of_a_lasting_answer():
    assert [language.loops_to(Wave(), "parity", n, limit=20) for n in (3, 6, 9)] == [3, 6, 9]
    assert language.loops_to(Wave(), "parity", 9, limit=8) is None

    class Leaving(Wave):  # right at t = 6 alone
        def decode(self, z):
            self.t = getattr(self, "t", 0) + 1
            return super().decode(z if self.t == 6 else 1 - z)

    assert language.loops_to(Leaving(), "parity", 6, limit=8) is None


def test_flips_are_counted_exactly():
    """A changed symbol at p changes the wave's answers at p, ..., p + t - 1."""
    found = language.flips_along_t(Wave(), "parity", N, [1, 3, 8], count=5)
    for t, mean, worst in zip((1, 3, 8), found["mean"], found["worst"]):
        assert mean == pytest.approx(
            sum(min(t, N - p + 1) for p in range(1, N + 1)) / N
        ) and worst == min(t, N)
    assert found["target_mean"] == (N + 1) / 2 and found["target_worst"] == N
    modulo_five = language.flips_along_t(
        LoopedTransformer(Settings(**{**vars(TINY), "vocabulary": 6})), "sums", N, [1], count=3
    )
    assert modulo_five["target_worst"] == N


def test_exits_agree_with_the_full_loop():
    torch.manual_seed(0)
    model = LoopedTransformer(TINY).double()
    full = language.accuracy_along_t(model, "parity", N, [12], count=50)["last"][0]
    rows = language.exits(model, "parity", N, [0.5, 1e-300], limit=12, count=50)
    assert (
        rows[1] == {"tol": 1e-300, "loops": 12.0, "right": pytest.approx(full)}
        and rows[0]["loops"] < 12
    )


def test_times_must_rise():
    for times in ([], [0, 1], [2, 1], [1, 1]):
        with pytest.raises(ValueError, match="times must be rising numbers of loops from 1 on"):
            language.accuracy_along_t(Wave(), "parity", N, times)


def test_steepness_and_contraction_of_a_linear_loop():
    model, tokens = Linear(), torch.tensor([[1, 2, 3], [3, 1, 1]])
    found = language.steepness(model, tokens, [1, 2, 5])
    for t, latent, logits in zip((1, 2, 5), found["latent"], found["logits"]):
        expected = 2 * (1 - 0.5**t) / 0.5
        assert latent == pytest.approx([expected] * 2, rel=1e-6) and logits == pytest.approx(
            [3 * expected] * 2, rel=1e-6
        )
    measured = language.contraction(model, tokens)
    assert measured["modulus"] == pytest.approx([0.5, 0.5]) and measured["rate"] == pytest.approx(
        [0.5, 0.5], rel=1e-6
    )
    assert max(measured["residual"]) < 1e-14


def test_paths_are_the_two_largest_principal_components():
    torch.manual_seed(0)
    model = LoopedTransformer(TINY).double()
    tokens = running_sums(3, N, generator=0).tokens
    points, share = language.paths(model, tokens, 7, start=1)
    _, states = model(tokens, 7, start=1, latents=True)
    last = states[:, :, -1].transpose(0, 1)
    spread = (last - last.mean((0, 1))).square().sum()
    assert (
        points.shape == (3, 7, 2)
        and share[0] >= share[1]
        and points.mean((0, 1)).abs().max() < 1e-12
    )
    torch.testing.assert_close(points.square().sum((0, 1)), share * spread)
    variances = torch.linalg.eigvalsh(
        (last - last.mean((0, 1))).flatten(0, 1).T @ (last - last.mean((0, 1))).flatten(0, 1)
    )
    torch.testing.assert_close(share * spread, variances.flip(0)[:2])


@pytest.fixture(scope="module")
def small_senses():
    """An untrained model of the senses, and held-out questions in pairs."""
    torch.manual_seed(0)
    split, vocabulary = language.senses()
    model = LoopedTransformer(
        Settings(
            vocabulary=len(vocabulary),
            width=16,
            heads=2,
            hidden=16,
            prelude=1,
            core=1,
            coda=1,
            context=128,
        )
    ).eval()
    return model, word_senses.contrast_pairs(split.phrasing)[:5]


def test_answers_keep_their_order_and_count_their_loops(small_senses):
    model, pairs = small_senses
    prompts, loops = [p for pair in pairs for p in pair], []
    texts = language.answers(model, prompts, 3, new_tokens=5, tol=1e-300, loops=loops)
    assert loops == [3.0] * len(prompts)
    for prompt, text in zip(prompts, texts):
        ids = torch.tensor([language.senses()[1].question(prompt.text)])
        alone = model.generate(ids, 3, 5, start=0, end=Vocabulary.END).tokens[0].tolist()
        assert text == language.senses()[1].decode(alone)
    rows = language.sense_exits(model, prompts[:2], [0.9, 1e-300], limit=4)
    assert rows[0]["loops"] < rows[1]["loops"] == 4


def test_scores_of_known_answers(small_senses):
    _, pairs = small_senses
    right = {p: p.sense.definition for pair in pairs for p in pair}
    prompts = list(right)
    assert language.answer_scores(prompts, list(right.values())) == {
        "f1": 1.0,
        "exact": 1.0,
        "distance": 0.0,
    }
    one_wrong = [("zzz " + text if i == 0 else text) for i, text in enumerate(right.values())]
    scores = language.answer_scores(prompts, one_wrong)
    share = 1 / len(prompts)
    assert (
        scores["exact"] == pytest.approx(1 - share)
        and scores["distance"] == share
        and 1 - share < scores["f1"] < 1
    )
    found = language.pair_scores(pairs, right)
    assert (
        found["ratio"] == pytest.approx(found["right_ratio"])
        and found["distance"] == 0
        and found["same"] == 0
        and found["ratio"] > 1
    )
    words = word_senses.words
    expected = [
        word_senses.levenshtein(words(a.sense.definition), words(b.sense.definition))
        / word_senses.levenshtein(words(a.text), words(b.text))
        for a, b in pairs
    ]
    assert found["ratio"] == pytest.approx(sum(expected) / 5) and found["spread"] == pytest.approx(
        torch.tensor(expected).std().item(), rel=1e-5
    )
    dull = language.pair_scores(pairs, dict.fromkeys(prompts, "no idea"))
    assert dull["ratio"] == 0 and dull["same"] == 1 and dull["distance"] > 10


def test_prompts_of_one_length_only(small_senses):
    _, pairs = small_senses
    assert language.prompt_tokens([pairs[0][0]] * 2).shape[0] == 2
    with pytest.raises(ValueError, match="prompts must be of one length"):
        language.prompt_tokens([pairs[0][0], language.senses()[0].train[20]])


# ------------------------------------------------------------------------------------------------------------ training
def test_the_losses_are_what_they_say():
    torch.manual_seed(0)
    model, asked = LoopedTransformer(TINY).double(), running_sums(8, N, generator=0)
    value, right = language.reasoning_loss(model, asked, free=3, graded=2)
    logits = model(asked.tokens, 5)[:, 1:]
    picked = logits.log_softmax(-1).gather(-1, asked.answers[:, 1:, None])
    torch.testing.assert_close(value, -picked.mean())
    assert right == (logits[:, -1].argmax(-1) == asked.answers[:, -1]).double().mean()
    x = model.embed(asked.tokens)  # the gradient is that of the last two loops
    z = torch.zeros_like(x)
    for t in range(5):
        z = model.step(z.detach() if t <= 3 else z, x)
    expected = torch.autograd.grad(
        -model.decode(z)[:, 1:].log_softmax(-1).gather(-1, asked.answers[:, 1:, None]).mean(),
        list(model.parameters()),
    )
    for ours, theirs in zip(torch.autograd.grad(value, list(model.parameters())), expected):
        torch.testing.assert_close(ours, theirs)

    tokens, start = (
        running_sums(4, 8, generator=1).tokens,
        torch.randn(4, 8, 16, dtype=torch.float64),
    )
    answer = torch.zeros(4, 9, dtype=torch.bool)
    answer[:2, 5:], answer[2:, 6:8] = True, True
    value = language.senses_loss(model, tokens, answer, start, free=1, graded=2)
    chances = model(tokens[:, :-1], 3, start=start).log_softmax(-1)
    told = [-chances[i, j - 1, tokens[i, j]] for i in range(4) for j in range(9) if answer[i, j]]
    torch.testing.assert_close(value, torch.stack(told).mean())


def test_the_curriculum_goes_on_when_the_answers_are_right():
    loss, memory, _ = language._reasoning("parity", "", 10_000, "cpu")
    needed = (
        math.ceil(math.log(0.03 / 0.5) / math.log(0.9)) + 1
    )  # from 0.5 to 0.97 by tenths of the distance to 1
    model, lengths = Wave(), []
    for step in range(4 * needed):
        loss(model, step, torch.Generator().manual_seed(step))
        lengths.append(int(memory["length"]))
    assert lengths == sorted(lengths) and 4 <= lengths[-1] <= 6
    slow, memory, _ = language._reasoning(
        "parity", "once", 320, "cpu"
    )  # the explicit ones go on anyhow, after 320 / 32 steps
    for step in range(25):
        slow(model, step, torch.Generator().manual_seed(step))
    assert memory["length"] == 4


def test_training_depths_are_huginns():
    generator = torch.Generator().manual_seed(0)
    depths = torch.tensor(
        [language.lognormal_poisson(8, generator) for _ in range(4000)], dtype=torch.float64
    )
    variance = 7 + 49 * (math.exp(0.25) - 1)  # Poisson's, and that of its lognormal mean
    assert (
        depths.min() >= 1
        and depths.mean().item() == pytest.approx(8, abs=0.25)
        and depths.var().item() == pytest.approx(variance, rel=0.15)
    )


@pytest.fixture
def quick(tmp_path, monkeypatch):
    monkeypatch.setenv("EQUILIBRIA_DATA", str(tmp_path))
    monkeypatch.setattr(
        language, "_STEPS", {"quick": dict.fromkeys(("parity", "sums", "senses"), 4)}
    )
    monkeypatch.setattr(language, "_BATCH", {"reasoning": 4, "senses": 2})
    monkeypatch.setattr(language, "_VALIDATED", 2)
    return tmp_path


@pytest.mark.parametrize("name", language.names("quick")[:-1])
def test_a_few_steps_write_a_checkpoint_that_loads(quick, name):
    outcome = language.train(name, profile="quick", seed=2, device="cpu")
    assert outcome.finished and outcome.step == 4
    model, card = language.load(name, seed=2, profile="quick")
    assert (
        card["name"] == name
        and card["parameters"] == sum(p.numel() for p in model.parameters()) < 5e6
    )
    assert language.seeds(name, profile="quick") == [2] and language.seeds(name) == []
    if not name.startswith("senses"):
        kind = "-" in name
        again = language.accuracy_along_t(
            model, name.partition("-")[0], 16, [1 if kind else 32], count=64
        )["last"][0]
        assert again == pytest.approx(card["metrics"]["right_at_16"])
    with pytest.raises(checkpoints.CheckpointError, match=f"{name}-seed5.json"):
        language.load(name, seed=5, profile="quick")


def test_finished_models_are_recorded_once(quick, monkeypatch, capsys):
    monkeypatch.setattr(language, "LENGTHS", (2, 5))
    monkeypatch.setattr(language, "TIMES", {"phrasing": (1, 2), "context": (1,)})
    few = language.senses()[0]
    monkeypatch.setattr(language, "senses", lambda: (few_split, vocabulary))
    few_split, vocabulary = (
        word_senses.Split(few.train[:6], few.phrasing[:9], few.context[:2]),
        Vocabulary(text for prompt in few.train for text in (prompt.text, prompt.sense.definition)),
    )
    for name in ("parity", "parity-once", "senses", "senses-stack"):
        language.train(name, profile="quick", seed=1, device="cpu")
    language.train("evaluation", profile="quick", device="cpu")
    assert language.reports("sums", profile="quick") == []
    (row,) = language.reports("parity", profile="quick")
    model, card = language.load("parity", seed=1, profile="quick")
    assert row["sha256"] == card["sha256"] and [r["length"] for r in row["along_t"]] == [2, 5]
    assert row["along_t"][1]["t"] == [*range(1, 11), 20, 40]
    again = language.accuracy_along_t(model, "parity", 5, row["along_t"][1]["t"])
    assert row["along_t"][1]["last"] == pytest.approx(again["last"], abs=1e-5) and row["along_t"][
        1
    ]["all"] == pytest.approx(again["all"], abs=1e-5)
    assert row["along_t"][1]["loops"] == language.lasting(row["along_t"][1]["t"], again["last"])
    assert language.reports("parity-once", profile="quick")[0]["along_t"][0]["t"] == [1]
    (row,) = language.reports("senses", profile="quick")
    model, _ = language.load("senses", seed=1, profile="quick")
    assert [(r["part"], r["t"]) for r in row["answers"]] == [
        ("phrasing", 1),
        ("phrasing", 2),
        ("context", 1),
    ]
    for answered in row["answers"]:
        assert answered["texts"] == language.answers(
            model, getattr(few_split, answered["part"]), answered["t"]
        )
    assert [r["t"] for r in language.reports("senses-stack", profile="quick")[0]["answers"]] == [
        1,
        1,
    ]
    right = language.right_along_t(language.reports("parity", profile="quick") * 2)
    assert (
        right["lengths"] == [2, 5]
        and right["seeds"] == [1, 1]
        and right["t"][5][-1] == 40
        and right["loops"][5] == [language.lasting(right["t"][5], again["last"])] * 2
    )
    assert right["right"][5] == [[pytest.approx(value, abs=1e-5)] * 2 for value in again["last"]]
    found, by_pair = language.scores_along_t(language.reports("senses", profile="quick"))
    assert found["t"] == {"phrasing": [1, 2], "context": [1]} and by_pair["t"] == [1, 2]
    pairs, told = word_senses.contrast_pairs(few_split.phrasing), row["answers"][1]["texts"]
    assert pairs and found["f1"]["phrasing"][1] == [
        language.answer_scores(few_split.phrasing, told)["f1"]
    ]
    expected = language.pair_scores(pairs, dict(zip(few_split.phrasing, told)))
    assert (
        by_pair["distance"][1] == [expected["distance"]]
        and by_pair["right_ratio"] == expected["right_ratio"]
    )
    capsys.readouterr()
    language.train("evaluation", profile="quick", device="cpu")
    assert capsys.readouterr().out == ""  # nothing is evaluated twice
    language.train(
        "parity", profile="quick", seed=1, device="cpu"
    )  # finished already: trained anew, to the same weights
    language.train("evaluation", profile="quick", minutes=1e-9, device="cpu")
    assert "recorded" not in capsys.readouterr().out


def test_lasting_is_the_first_after_the_last_miss():
    assert (
        language.lasting([1, 2, 4], [1.0, 0.99, 1.0]) == 1
        and language.lasting([1, 2, 4], [1.0, 1.0, 0.98]) is None
    )
    assert language.lasting([1, 2, 4], [0.0, 0.9, 1.0], share=0.9) == 2
    with pytest.raises(ValueError):
        language.lasting([1, 2], [1.0])


@pytest.mark.parametrize("name", ["parity", "senses"])
def test_a_stopped_training_ends_in_the_same_weights(quick, monkeypatch, name):
    settings = training.Settings
    monkeypatch.setattr(
        training, "Settings", lambda **given: settings(**{**given, "save_every": 2})
    )
    language.train(name, profile="quick", seed=0, device="cpu")
    whole, _ = language.load(name, seed=0, profile="quick")
    monkeypatch.setenv("EQUILIBRIA_DATA", str(quick / "again"))
    assert not language.train(name, profile="quick", seed=0, minutes=1e-9, device="cpu").finished
    assert language.train(name, profile="quick", seed=0, minutes=1e-9, device="cpu").finished
    part, _ = language.load(name, seed=0, profile="quick")
    assert all(
        torch.equal(a, b) for a, b in zip(whole.state_dict().values(), part.state_dict().values())
    )


def test_the_models_are_of_the_sizes_promised():
    count = lambda name: sum(p.numel() for p in language.new(name).parameters())  # noqa: E731
    assert (
        count("parity") == count("parity-once") < 51_000
        and count("senses") == count("senses-once") < 2.6e6
    )  # 10 MiB
    assert count("parity-stack") > 15 * count("parity") and count("senses-stack") > 3 * count(
        "senses"
    )


# ----------------------------------------------------------------------------------------------------------------- ask
def test_anything_can_be_asked(quick):
    language.train("senses", profile="quick", seed=0, device="cpu")
    (quick / "checkpoints/language/quick").rename(quick / "checkpoints/language/shipped")
    for file in (quick / "checkpoints/language/shipped").iterdir():
        file.rename(quick / "checkpoints/language" / file.name)
    model, _ = language.load("senses", seed=0)
    ids = torch.tensor([language.senses()[1].question("What does charge mean here?")])
    expected = language.senses()[1].decode(
        model.generate(ids, 2, 6, start=0, end=Vocabulary.END).tokens[0].tolist()
    )
    assert language.ask("What does charge mean here?", 2, new_tokens=6) == expected
    for question, message in (
        ("", "the prompt is empty"),
        ("What does chrage mean?", "unknown token 'chrage', did you mean 'charge'"),
        (
            "charge " * 120,
            "a prompt of 122 tokens and max_new_tokens = 40 exceed the context of 128",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            language.ask(question, 2)
    with pytest.raises(ValueError, match="steps must be an int of at least 1, got 0"):
        language.ask("charge", 0)
    with pytest.raises(checkpoints.CheckpointError, match="there is no folder"):
        language.ask("charge", 2, model="nothing")


def test_a_checkpoint_of_huginns_kind_answers_too(tmp_path):
    tokenizers = pytest.importorskip("tokenizers")
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = LoopedTransformer(Settings(vocabulary=5, width=16, heads=2, hidden=16, context=32))
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(
        '{"n_embd": 16, "n_heads": 2, "block_size": 32, "vocab_size": 5, "intermediate_size": 16, "norm_eps": 1e-6, "n_layers_in_recurrent_block": 4, '
        '"n_layers_in_prelude": 2, "n_layers_in_coda": 2, "rope_base": 50000}'
    )
    words = ["<|begin_text|>", "<|end_text|>", "charge", "court", "meter"]
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="meter")
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    made = model.generate(torch.tensor([[0, 3, 2]]), 4, 6, start=0, end=1).tokens[0].tolist()
    assert language.ask("court charge", 4, model=str(tmp_path), new_tokens=6) == tokenizer.decode(
        made
    )
    with pytest.raises(ValueError, match="the prompt is empty"):
        language.ask("", 4, model=str(tmp_path))


# --------------------------------------------------------------------------------------------------- what is shipped
def test_shipped_parity_is_an_equilibrium_of_many_loops():
    for seed in language.seeds("parity"):
        model, _ = language.load("parity", seed=seed)
        few, enough, many = language.accuracy_along_t(
            model, "parity", 16, [4, 32, 128], count=60, seed=9
        )["last"]
        assert few <= 0.7 and enough >= 0.98 and many >= 0.98
        assert language.flips_along_t(model, "parity", 16, [32], count=2)["worst"] == [16.0]


def test_shipped_senses_answer_new_questions():
    model, _ = language.load("senses", seed=language.seeds("senses")[0])
    prompts = language.senses()[0].phrasing[:12]
    one, many = (
        language.answer_scores(prompts, language.answers(model, prompts, t))["f1"] for t in (1, 16)
    )
    assert many >= 0.9 > one


def test_records_are_of_the_shipped_weights():
    for name in language.names("paper")[:-1]:
        shipped = {
            seed: language.load(name, seed=seed)[1]["sha256"]
            for seed in language.seeds(name)
            if language.RECORDS.stem(name, seed=seed).with_suffix(".safetensors").exists()
        }
        recorded = {row["seed"]: row["sha256"] for row in language.reports(name)}
        assert recorded and shipped.items() <= recorded.items()
        assert all(
            row["metrics"]
            and row["parameters"] == sum(p.numel() for p in language.new(name).parameters())
            for row in language.reports(name)
        )
