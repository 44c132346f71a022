"""The stacker: trees learned by LambdaMART correct the head of the linear blend.

Every list shows the trees the best candidates of a linear blend that has not seen it; they begin from its score, so
that they only learn what it gets wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import numpy.typing as npt

from components.fuse.lists import Lists
from serving.arrays import Floats
from serving.blend import Blend, apply
from serving.trees import Tree, Trees, columns_of, head_columns

FOLDS = 3
FEWEST_LISTS = 150  # with fewer to learn from, trees only learn noise


@dataclass(frozen=True)
class Shape:
    """How many trees are learned, and how freely; the firm shape suits few lists, or one relevant item in each."""

    rounds: int = 100
    leaves: int = 8
    depth: int = 50
    learning_rate: float = 0.05
    fewest_rows: int = 50
    l2: float = 10.0


SHAPES = {"stacker": Shape(), "stacker_firm": Shape(rounds=40, leaves=4, fewest_rows=200, l2=30.0)}


def stacker(lists: Lists, linear: Callable[[Lists], Blend], kind: str, shape: Shape, seeds: int, seed: int) -> Blend:
    """*linear* fitted on all lists, and trees over it.

    Args:
        lists: with the context of the moment.
        linear: the method to start from.
        kind: the method's name.
        shape: of the trees.
        seeds: ensembles averaged.
        seed: of the folds and of the trees' samples.
    """
    base = linear(lists)
    if len(lists) < FEWEST_LISTS:
        return base.model_copy(update={"kind": kind})
    heads = _heads(lists, linear, shape, seed)
    trees = [tree for number in range(seeds) for tree in _learn(heads, shape, seeds, seed + number)]
    ensemble = Trees(members=lists.members, depth=shape.depth, trees=tuple(trees))
    return base.model_copy(update={"kind": kind, "trees": ensemble})


@dataclass(frozen=True)
class _Heads:
    """Of n lists: columns (n, depth, columns) of their best candidates, gain (n, depth), linear (n, depth) to begin."""

    columns: Floats
    gain: npt.NDArray[np.int32]
    linear: Floats


def _heads(lists: Lists, linear: Callable[[Lists], Blend], shape: Shape, seed: int) -> _Heads:
    depth = min(shape.depth, lists.valid.shape[1])
    fold = np.random.default_rng(seed).permutation(len(lists)) % FOLDS
    found = []
    for number in range(FOLDS):
        blend = linear(lists.take(fold != number))
        evidence = lists.take(fold == number).evidence()
        total = np.where(evidence.valid, apply(blend, evidence).sum(axis=2), np.float32(-np.inf))
        order = np.argsort(-total, axis=1, kind="stable")[:, :depth]
        columns = head_columns(evidence, total, order)
        gain = np.take_along_axis(lists.gain[fold == number], order, axis=1)
        start = np.take_along_axis(total, order, axis=1)
        found.append((columns, np.log2(1 + gain).round().astype(np.int32), np.maximum(start, np.float32(-1e6))))
    columns, grades, start = (np.concatenate(parts) for parts in zip(*found, strict=True))
    teaches = (grades > 0).any(axis=1)
    return _Heads(columns[teaches], grades[teaches], start[teaches])


def _learn(heads: _Heads, shape: Shape, seeds: int, seed: int) -> list[Tree]:
    return [_tree(part["tree_structure"], seeds) for part in _model(heads, shape, seed).dump_model()["tree_info"]]


def _model(heads: _Heads, shape: Shape, seed: int) -> lightgbm.Booster:
    n, depth, width = heads.columns.shape
    options = {
        "objective": "lambdarank",
        "lambdarank_truncation_level": 20,
        "learning_rate": shape.learning_rate,
        "num_leaves": shape.leaves,
        "min_data_in_leaf": shape.fewest_rows,
        "lambda_l2": shape.l2,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
        "seed": seed,
    }
    data = lightgbm.Dataset(
        heads.columns.reshape(n * depth, width).astype(np.float64),
        heads.gain.ravel(),
        group=np.full(n, depth),
        init_score=heads.linear.ravel().astype(np.float64),
    )
    return lightgbm.train(options, data, shape.rounds)


def _tree(root: dict[str, Any], share: int) -> Tree:
    """One tree of LightGBM's own dump, its values divided by the *share* of ensembles that are averaged."""
    nodes: list[dict[str, Any]] = []
    leaves: list[float] = []

    def number(part: dict[str, Any]) -> int:
        if "leaf_value" in part:
            leaves.append(part["leaf_value"] / share)
            return -len(leaves)
        place = len(nodes)
        node = {
            "feature": part["split_feature"],
            "threshold": part["threshold"],
            "value": part["internal_value"] / share,
        }
        nodes.append(node)
        node["left"], node["right"] = number(part["left_child"]), number(part["right_child"])
        return place

    number(root)
    return Tree(
        feature=tuple(node["feature"] for node in nodes),
        threshold=tuple(float(np.clip(node["threshold"], -1e37, 1e37)) for node in nodes),
        left=tuple(node["left"] for node in nodes),
        right=tuple(node["right"] for node in nodes),
        values=tuple(node["value"] for node in nodes),
        leaves=tuple(leaves),
    )


def columns_used(trees: Trees) -> dict[str, int]:
    """How often each column is split on, most first: what the correction is about."""
    names = columns_of(trees.members)
    counts = np.bincount([f for tree in trees.trees for f in tree.feature], minlength=len(names))
    return {names[place]: int(counts[place]) for place in np.argsort(-counts, kind="stable") if counts[place]}
