"""The Levenshtein distance between sequences, and between texts word by word."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

__all__ = ["levenshtein", "word_distances"]


def levenshtein(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """The edit distances, (B,) int64, of B pairs of sequences: a[i] and b[i] are 1-D and integer.

    Own code: it handles all pairs of a batch at once.

    It computes the usual table, row by row. Within a row, with the insertions still to be made,
    row[j] = min over k <= j of (row[k] + j - k), which is a running minimum.

    >>> levenshtein([torch.tensor([1, 2, 3])], [torch.tensor([2, 3, 4, 5])]).tolist()
    [3]
    """
    if len(a) != len(b):
        raise ValueError(f"a and b must hold as many sequences, got {len(a)} and {len(b)}")
    if not a:
        return torch.zeros(0, dtype=torch.int64)
    a_lengths = torch.tensor([len(row) for row in a])
    b_lengths = torch.tensor([len(row) for row in b])
    rows = pad_sequence(list(a), batch_first=True, padding_value=-1)
    columns = pad_sequence(list(b), batch_first=True, padding_value=-1)
    place = torch.arange(columns.shape[1] + 1)
    row = place.expand(len(a), -1)
    distance = b_lengths.clone()
    for i in range(rows.shape[1]):
        replaced = row[:, :-1] + (rows[:, i : i + 1] != columns).long()
        deleted = row + 1
        best = torch.cat([deleted[:, :1], torch.minimum(deleted[:, 1:], replaced)], 1)
        row = (best - place).cummin(1).values + place
        ends_here = a_lengths == i + 1
        distance = torch.where(ends_here, row.gather(1, b_lengths[:, None])[:, 0], distance)
    return distance


def word_distances(first: Sequence[str], second: Sequence[str]) -> Tensor:
    """The edit distances, (B,) int64, of B pairs of texts, in words split at white space.

    >>> word_distances(["what is a charge"], ["what was charge"]).tolist()
    [2]
    """
    numbers: dict[str, int] = {}
    sequences: list[Tensor] = []
    for text in [*first, *second]:
        ids = [numbers.setdefault(word, len(numbers)) for word in text.split()]
        sequences.append(torch.tensor(ids, dtype=torch.int64))
    return levenshtein(sequences[: len(first)], sequences[len(first) :])
