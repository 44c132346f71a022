"""The stacker: trees learned by LambdaMART correct the head of the linear blend."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np

from components.fuse.lists import Lists
from components.fuse.second_level import DEPTH, FEWEST_LISTS, SecondLevel, Start
from serving.attention import Attention
from serving.blend import Blend
from serving.trees import Tree, Trees, columns_of


@dataclass(frozen=True)
class Shape:
    """How many trees are learned, and how freely; the firm shape suits few lists, or one relevant item in each."""

    rounds: int = 100
    leaves: int = 8
    learning_rate: float = 0.05
    fewest_rows: int = 50
    l2: float = 10.0


SHAPES = {"stacker": Shape(), "stacker_firm": Shape(rounds=40, leaves=4, fewest_rows=200, l2=30.0)}


def stacker(lists: Lists, start: Start, kind: str, shape: Shape, seeds: int, seed: int) -> Blend:
    """The linear blend of *start* fitted on all lists, and trees over it.

    Args:
        lists: with the context of the moment.
        start: the method to start from.
        kind: the method's name.
        shape: of the trees.
        seeds: ensembles averaged.
        seed: of the trees' samples.
    """
    if len(lists) < FEWEST_LISTS:
        return start.linear(lists).model_copy(update={"kind": kind})
    base, second = start.of(lists)
    trees = [tree for number in range(seeds) for tree in _learn(second, shape, seeds, seed + number)]
    ensemble = Trees(members=lists.members, depth=DEPTH, trees=tuple(trees))
    return base.model_copy(update={"kind": kind, "trees": ensemble})


def ensemble(
    lists: Lists, start: Start, shape: Shape, networks: Callable[[Lists], Blend], seeds: int, seed: int
) -> Blend:
    """The mean of trees and of networks over the same linear blend: they err in different places.

    Args:
        lists: with the context and the traces of the moment.
        start: the method that both start from.
        shape: of the trees.
        networks: the method `attention` over *start*.
        seeds: ensembles of trees averaged.
        seed: of the trees' samples.
    """
    looked = networks(lists).model_copy(update={"kind": "ensemble"})
    if looked.attention is None:
        return looked
    _, second = start.of(lists)
    trees = [tree for number in range(seeds) for tree in _learn(second, shape, 2 * seeds, seed + number)]
    update = {
        "trees": Trees(members=lists.members, depth=DEPTH, trees=tuple(trees)),
        "attention": _times(looked.attention, 0.5),
    }
    return looked.model_copy(update=update)


def at_full_strength(blend: Blend) -> Attention | None:
    """The networks of *blend* as they were before trees took half of what they say."""
    if blend.attention is None:
        return None
    return blend.attention if blend.trees is None else _times(blend.attention, 2.0)


def _times(networks: Attention, factor: float) -> Attention:
    nets = (net.model_copy(update={"out": tuple(weight * factor for weight in net.out)}) for net in networks.nets)
    return Attention(
        members=networks.members,
        depth=networks.depth,
        center=networks.center,
        scale=networks.scale,
        nets=tuple(nets),
    )


def _learn(second: SecondLevel, shape: Shape, seeds: int, seed: int) -> list[Tree]:
    return [_tree(part["tree_structure"], seeds) for part in _model(second, shape, seed).dump_model()["tree_info"]]


def _model(second: SecondLevel, shape: Shape, seed: int) -> lightgbm.Booster:
    n, depth, width = second.columns.shape
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
        second.columns.reshape(n * depth, width).astype(np.float64),
        second.grades.ravel(),
        group=np.full(n, depth),
        init_score=second.linear.ravel().astype(np.float64),
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
