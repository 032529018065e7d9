"""The cache of generated data: made once per recipe, and made again when it cannot be used."""

import pytest
import torch
from equilibria.files import DataError
from equilibria.problems import cache


@pytest.fixture
def make():
    """A function that makes data; ``make.calls`` counts how often."""

    def make():
        make.calls += 1
        return {"x": torch.arange(3)}

    make.calls = 0
    return make


def test_data_are_made_once(tmp_path, make):
    path = tmp_path / "data.safetensors"
    for _ in range(2):
        tensors = cache.read_or_make(path, {"count": 3}, make)
        assert torch.equal(tensors["x"], torch.arange(3))
    assert make.calls == 1


def test_another_recipe_or_a_damaged_file_is_made_again(tmp_path, make):
    path = tmp_path / "data.safetensors"
    cache.read_or_make(path, {"count": 3}, make)
    with pytest.warns(UserWarning, match="was made by another recipe: .* it is made again"):
        cache.read_or_make(path, {"count": 4}, make)
    path.write_bytes(b"no")
    with pytest.warns(UserWarning, match="is not a readable data file .* it is made again"):
        cache.read_or_make(path, {"count": 4}, make)
    assert make.calls == 3
    assert torch.equal(cache.read_tensors(path, {"count": 4})["x"], torch.arange(3))


def test_changed_content_is_refused(tmp_path):
    path = tmp_path / "data.safetensors"
    cache.write_tensors(path, {"x": torch.arange(3)}, {"count": 3})
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="its checksum does not match its content"):
        cache.read_tensors(path, {"count": 3})


def test_keys_and_seeds_depend_on_every_word():
    assert cache.recipe_key({"a": 1, "b": 2}) == cache.recipe_key({"b": 2, "a": 1})
    assert cache.recipe_key({"a": 1}) != cache.recipe_key({"a": 2})
    assert len(cache.recipe_key({})) == 12
    assert cache.seed_of("flows", 1) == cache.seed_of("flows", 1)
    assert cache.seed_of("flows", 1) != cache.seed_of("flows", 2)
