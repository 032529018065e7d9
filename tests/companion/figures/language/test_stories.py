"""Tables and answers of the stories, as a reader sees them."""

import pytest
from equilibria.companion.figures import language as draw
from equilibria.studies import stories

STORY = "Who has the hat? Ann has the hat. Ann and Bob swap. Bob trades with Eve."


@pytest.fixture
def answers(monkeypatch):
    """Answers of a model that says Bob at one loop, and what is right with more."""

    def answer_story(text, steps):
        if "Zoe" in text:
            raise ValueError("unknown word 'zoe'")
        second = "Bob" if steps == 1 else "Eve"
        return [("Ann and Bob swap.", "Bob", "Bob"), ("Bob trades with Eve.", second, "Eve")]

    monkeypatch.setattr(stories, "answer_story", answer_story)


@pytest.fixture
def shown(monkeypatch):
    """What is displayed."""
    found = []
    monkeypatch.setattr("IPython.display.display", lambda what, **options: found.append(what))
    return found


def _cells(line):
    """The cells of one row of a Markdown table, without the spaces around them."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_marks_the_word_that_differs_and_strikes_out_what_is_wrong():
    table = {
        "stories": ["Who? Ann swaps. Bob rests.", "Who? Eve swaps. Bob rests."],
        "t": [1, 32],
        "answers": [
            {"first": ["Ann", "*"], "second": ["Eve*", "Dee"]},
            {"first": ["Ann", "Bob"], "second": ["Dee", "Dee"]},
        ],
        "right": {"first": ["Ann", "Bob"], "second": ["Dee", "Dee"]},
    }
    first, second, rows = draw.pair_table(table).split("\n\n")
    assert first == "Who? **Ann** swaps. Bob rests."
    assert second == "Who? **Eve** swaps. Bob rests."
    header, _, *rows = (_cells(line) for line in rows.splitlines())
    assert header == ["t", "answers to the story with **Ann**", "answers to the story with **Eve**"]
    assert rows == [
        ["1", "Ann ~~-~~", "~~Eve~~ Dee"],
        ["32", "Ann Bob", "Dee Dee"],
        ["right", "Ann Bob", "Dee Dee"],
    ]


def test_the_ratios_stand_beside_those_of_the_right_answers():
    row = {"t": [1, 3, 4, 6], "right": {"ratio": 12.41, "released": 13.41}}
    for key in ("ratio", "released", "distance"):
        row[key] = [[1.0, 1.5], [2.0, 2.0], [12.0, 12.0], [12.4, 12.44]]
    row["last"] = [[0.2, 0.25], [0.5, 0.5], [0.9, 0.9], [1.0, 1.0]]
    first = row | {"ratio": [[2.0], [2.5], [20.0], [25.3]], "right": {"ratio": 25.36}}
    data = {"stories": {"contrast": [row, first]}}
    _, _, *rows = (_cells(line) for line in draw.ratio_table(data).splitlines())
    assert rows[0] == ["1", *["1.0 to 1.5"] * 3, "20 to 25 %", "2.0"]
    assert [cells[0] for cells in rows] == ["1", "4", "6", "right"]
    assert rows[2] == ["6", *["12.4"] * 3, "100 %", "25.3"]
    assert rows[3] == ["right", "12.4", "13.4", "0", "100 %", "25.4"]


def test_wrong_answers_are_struck_out_and_the_right_ones_stand_beside(answers):
    header, _, *rows = (_cells(line) for line in draw.answered(STORY, [1, 8]).splitlines())
    assert header == ["after", "t = 1", "t = 8", "right"]
    assert rows[0] == ["Ann and Bob swap.", "Bob", "Bob", "Bob"]
    assert rows[1] == ["Bob trades with Eve.", "~~Bob~~", "Eve", "Eve"]


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        (STORY.replace("Ann", "Zoe"), "unknown word 'zoe'"),
        ("Ann has the hat.", "a story begins with one question"),
        ("", "a story begins with one question"),
    ],
)
def test_what_cannot_be_read_gets_one_line(story, reason):
    text = draw.answered(story, [4])
    assert text.startswith("No answer: ")
    assert reason in text
    assert "\n" not in text


def test_elsewhere_the_answers_stand_alone(monkeypatch, answers, shown):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    draw.show_story(STORY, 8)
    (table,) = shown
    assert table.data == draw.answered(STORY, [1, 2, 4, 8])


def test_in_jupyterlab_there_is_a_box_that_works_at_once_and_leaves_the_answers(
    monkeypatch, answers, shown
):
    import ipywidgets

    made = []
    interactive = ipywidgets.interactive
    monkeypatch.setattr(
        ipywidgets,
        "interactive",
        lambda show, **controls: made.append(interactive(show, **controls)) or made[0],
    )
    monkeypatch.setenv("JPY_SESSION_NAME", "a notebook")
    draw.show_story(STORY, 8)
    first, bundle = shown
    assert first.data == draw.answered(STORY, [8]), "answered before anything is touched"
    assert bundle["text/markdown"] == bundle["text/plain"] == draw.answered(STORY, [1, 2, 4, 8])
    assert "application/vnd.jupyter.widget-view+json" in bundle
    box, slider, _ = made[0].children
    assert (box.value, slider.value) == (STORY, 8)
    slider.value = 1
    assert shown[-1].data == draw.answered(STORY, [1])
    box.value = STORY.replace("Ann", "Zoe")
    assert "unknown word 'zoe'" in shown[-1].data
