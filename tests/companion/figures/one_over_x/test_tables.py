"""Rows as Markdown."""

from equilibria.companion.figures.one_over_x import markdown


def test_rows_become_a_markdown_table_with_four_digits():
    text = markdown([{"what": "a", "here": 1 / 3}, {"what": "b", "here": 2}])
    assert text.splitlines() == [
        "| what   | here   |",
        "|--------|--------|",
        "| a      | 0.3333 |",
        "| b      | 2      |",
    ]


def test_a_bar_in_a_cell_starts_no_column():
    row = markdown([{"what": "|y|"}]).splitlines()[-1]
    assert row == r"| \|y\|  |"
