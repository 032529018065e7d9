"""What the pages of the site tell a reader to do works as it stands."""

import re

import pytest
import torch
from conftest import HOME

PAGES = sorted((HOME / "docs").glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page):
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    torch.manual_seed(0)
    names = {}
    for block in blocks:
        exec(compile(block, page.name, "exec"), names)
