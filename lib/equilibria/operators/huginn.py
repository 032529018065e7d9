"""Loading checkpoints in Huginn-0125's format into a `LoopedTransformer`.

A checkpoint is a folder with ``config.json``, ``tokenizer.json`` and safetensors (one file, or
shards with their index), or a repository of the Hugging Face Hub at a pinned revision. No code
from the Hub runs, and no pickle is read.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from equilibria.checkpoints import CheckpointError
from equilibria.checks import is_int
from equilibria.operators.looped_transformer import Architecture, LoopedTransformer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["HUGINN", "HUGINN_REVISION", "load_huginn", "load_tokenizer"]

HUGINN = "tomg-group-umd/huginn-0125"
HUGINN_REVISION = "bb6621b65e90b6a4b9b29ef88dc83866d450470c"

# What a config.json may say about the parts that are built in one way only.
_ONLY = {
    "injection_type": "linear",
    "qk_bias": True,
    "block_class_name": "SandwichBlock",
    "mlp_class_name": "GatedMLP",
    "nonlin_name": "SiLU",
    "bias": False,
}
# The largest sizes that are built; Huginn-0125 has at most a hundredth of each.
_MOST = {
    "padded_vocab_size": 10**7,
    "vocab_size": 10**7,
    "padding_multiple": 10**6,
    "n_embd": 10**6,
    "n_heads": 10**4,
    "intermediate_size": 10**7,
    "n_layers_in_prelude": 1000,
    "n_layers_in_recurrent_block": 1000,
    "n_layers_in_coda": 1000,
    "block_size": 10**7,
}
_EMBEDDING = "transformer.wte.weight"
_HEAD = "lm_head.weight"


def load_huginn(
    path_or_repo: str | Path,
    *,
    revision: str | None = None,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
) -> LoopedTransformer:
    """The model of a checkpoint, in evaluation mode.

    path_or_repo  a folder, or a Hub repository such as "tomg-group-umd/huginn-0125"
    revision      a commit of the repository; needed for all but Huginn, whose commit is pinned
    dtype         of the weights; None for the file's own
    device        where tensors go one by one, so that nothing is held twice

    Raises CheckpointError, in one line, when a file is missing or damaged, when a tensor's name or
    shape does not fit, or when the configuration asks for what is not built here; ValueError for a
    repository without a revision.
    """
    folder = _folder(path_or_repo, revision, ("*.json", "*.safetensors"))
    architecture = _architecture(folder)
    with torch.device("meta"):
        model = LoopedTransformer(architecture)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    tensors: dict[str, Tensor] = {}
    for file in _shards(folder):
        tensors |= _read_shard(file, shapes, dtype, device)
    if architecture.tied:
        _resolve_tied_head(tensors, folder)
    missing = sorted(set(shapes) - set(tensors))
    if missing:
        raise CheckpointError(f"{folder} lacks {len(missing)} tensors, the first is {missing[0]}")
    model.load_state_dict(tensors, assign=True)
    return model.eval()


def load_tokenizer(path_or_repo: str | Path, *, revision: str | None = None) -> Tokenizer:
    """The tokenizer of a checkpoint's ``tokenizer.json``; arguments and errors as `load_huginn`."""
    from tokenizers import Tokenizer

    path = _folder(path_or_repo, revision, ("tokenizer.json",)) / "tokenizer.json"
    if not path.is_file():
        raise CheckpointError(f"there is no tokenizer {path}")
    try:
        return Tokenizer.from_file(str(path))
    # The library raises Exception itself, whatever is wrong.
    except Exception as error:
        raise CheckpointError(f"{path} is damaged or not a tokenizer ({error})") from error


def _read_shard(
    file: Path,
    shapes: dict[str, tuple[int, ...]],
    dtype: torch.dtype | None,
    device: str | torch.device,
) -> dict[str, Tensor]:
    """The tensors of one file, with a tied head if it is stored."""
    from safetensors import SafetensorError, safe_open

    tensors: dict[str, Tensor] = {}
    try:
        with safe_open(file, "pt", device=str(device)) as opened:
            for name in opened.keys():  # noqa: SIM118 - the opened file is not a dict
                if name.endswith("freqs_cis"):  # the table of rotations is computed here
                    continue
                shape = tuple(opened.get_slice(name).get_shape())
                _require_shape(file, name, shape, shapes)
                tensors[name] = _weight(file, name, opened.get_tensor(name)).to(dtype)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{file} is damaged or not a safetensors file ({error})") from error
    return tensors


def _weight(file: Path, name: str, tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
        raise CheckpointError(f"{file}: {name} has whole numbers, NaN or infinity for weights")
    return tensor


def _require_shape(
    file: Path, name: str, shape: tuple[int, ...], shapes: dict[str, tuple[int, ...]]
) -> None:
    # A tied head is no parameter of its own, but a file may hold it: a copy of the embedding.
    tied_head = name == _HEAD and _HEAD not in shapes
    expected = shapes.get(_EMBEDDING if tied_head else name)
    if shape == expected:
        return
    wanted = "no tensor of this name" if expected is None else f"shape {expected}"
    raise CheckpointError(
        f"{file} does not fit its config.json: {name} has shape {shape}, expected {wanted}"
    )


def _resolve_tied_head(tensors: dict[str, Tensor], folder: Path) -> None:
    """Remove the stored copy of the embedding; it stands in where the embedding is not stored."""
    head = tensors.pop(_HEAD, None)
    if head is None:
        return
    embedding = tensors.setdefault(_EMBEDDING, head)
    if not torch.equal(embedding, head):
        raise CheckpointError(
            f"{folder}: {_HEAD} is not {_EMBEDDING} although config.json ties them"
        )


def _folder(path_or_repo: str | Path, revision: str | None, patterns: tuple[str, ...]) -> Path:
    """A local folder as it is, or the snapshot of a Hub repository."""
    if Path(path_or_repo).is_dir():
        return Path(path_or_repo)
    repo = str(path_or_repo)
    if isinstance(path_or_repo, Path) or repo.count("/") != 1 or repo.startswith(("/", ".", "~")):
        raise CheckpointError(
            f"there is no folder {repo}, and it is not the name of a repository (owner/name)"
        )
    if revision is None and repo == HUGINN:
        revision = HUGINN_REVISION
    if revision is None:
        raise ValueError(
            f"revision must be given for {repo!r}: "
            "a commit of the repository, so that the weights stay the same"
        )
    return _download(repo, revision, patterns)


def _download(repo: str, revision: str, patterns: tuple[str, ...]) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise CheckpointError(
            f"{repo} needs huggingface_hub: pip install 'equilibria[scale]', or give a local folder"
        ) from error
    try:
        return Path(snapshot_download(repo, revision=revision, allow_patterns=list(patterns)))
    # The Hub has an exception of its own for each cause: no network, no such repository or
    # revision, no space on the disk.
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise CheckpointError(
            f"{repo} at {revision} cannot be had from the Hub: {reason}"
        ) from error


def _architecture(folder: Path) -> Architecture:
    path = folder / "config.json"
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        for name, ours in _ONLY.items():
            value = config.get(name, ours)
            if value != ours:
                raise CheckpointError(
                    f"{path}: {name} = {value!r} is not built here, only {ours!r}"
                )
        return _architecture_of(config)
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no {path}") from error
    except KeyError as error:
        raise CheckpointError(f"{path} lacks {error}") from error
    except (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
        raise CheckpointError(
            f"{path} is not a configuration of Huginn's kind ({error})"
        ) from error


def _architecture_of(config: dict[str, Any]) -> Architecture:
    if "padded_vocab_size" in config:
        vocabulary = config["padded_vocab_size"]
    else:
        multiple = config.get("padding_multiple", 1)
        vocabulary = math.ceil(config["vocab_size"] / multiple) * multiple
    _check_sizes(config)
    return Architecture(
        vocabulary=vocabulary,
        width=config["n_embd"],
        heads=config["n_heads"],
        hidden=config["intermediate_size"],
        prelude=config["n_layers_in_prelude"],
        core=config["n_layers_in_recurrent_block"],
        coda=config["n_layers_in_coda"],
        context=config["block_size"],
        tied=config.get("tie_embeddings", True),
        rope_base=float(config["rope_base"]),
        epsilon=config["norm_eps"],
    )


def _check_sizes(config: dict[str, Any]) -> None:
    """Raise ValueError for a size that no model of this kind has, before memory is asked for."""
    for name, most in _MOST.items():
        size = config.get(name, 1)
        if not is_int(size) or not 0 <= size <= most:
            raise ValueError(f"{name} = {shorten(repr(size), 40)} is no size from 0 to {most}")


def _shards(folder: Path) -> list[Path]:
    """The files of the weights, all of which exist."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            weight_map = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            names = sorted(set(weight_map.values()))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{index} is not an index of shards ({error})") from error
    else:
        names = ["model.safetensors"]
    outside = [name for name in names if Path(str(name)).name != name or name in ("", "..")]
    if outside:
        raise CheckpointError(f"{index} names files outside of its folder, such as {outside[0]!r}")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise CheckpointError(f"{folder} lacks the weights {', '.join(missing)}")
    return [folder / name for name in names]
