"""Tables and answers of the stories, as a reader sees them."""

import pytest
from equilibria.companion.figures import language as draw
from equilibria.studies import stories

STORY = "Who has the hat? Ann has the hat. Ann and Bob swap. Bob trades with Eve."


@pytest.fixture
def answers(monkeypatch):
    """Answers of a model that says Bob whatever it is asked."""

    def answer_story(text, steps, *, seed):
        return [("Ann and Bob swap.", "Bob", "Bob"), ("Bob trades with Eve.", "Bob", "Eve")]

    monkeypatch.setattr(stories, "answer_story", answer_story)


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
    header, _, *rows = (_cells(line) for line in draw.pair_table(table).splitlines())
    assert header == ["t", "Who? **Ann** swaps. Bob rests.", "Who? **Eve** swaps. Bob rests."]
    assert rows == [
        ["1", "Ann ~~-~~", "~~Eve~~ Dee"],
        ["32", "Ann Bob", "Dee Dee"],
        ["right", "Ann Bob", "Dee Dee"],
    ]


def _cells(line):
    """The cells of one row of a Markdown table, without the spaces around them."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_wrong_answer_has_the_right_one_beside_it(answers):
    right, wrong = draw.answered(STORY, 1).splitlines()
    assert right == "Ann and Bob swap.     Bob"
    assert wrong == "Bob trades with Eve.  Bob   wrong: it is Eve"


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        (STORY.replace("Ann", "Zoe"), "unknown word 'zoe'"),
        ("Ann has the hat.", "a story begins with one question"),
        ("", "a story begins with one question"),
    ],
)
def test_what_cannot_be_read_gets_one_line(story, reason):
    text = draw.answered(story, 4)
    assert text.startswith("no answer: ")
    assert reason in text
    assert "\n" not in text


def test_there_is_a_box_in_jupyterlab_alone(monkeypatch, answers):
    import ipywidgets

    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert not draw.text_box(STORY, 8)
    assert shown == []
    monkeypatch.setenv("JPY_SESSION_NAME", "a notebook")
    assert draw.text_box(STORY, 8)
    (widget,) = shown
    box, loops, *_ = widget.children
    assert isinstance(box, ipywidgets.Textarea)
    assert (box.value, loops.value) == (STORY, 8)
