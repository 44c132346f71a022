"""The hot path's loops, compiled: what NumPy says in many calls is said in one, for one question or a batch.

Every function here does what a function of the same room does with NumPy alone, and is asked by it; where no C compiler
was there at the installation, `there` is false and NumPy does the work: the same answers, slower. The sources lie
beside this file and are compiled when the project is installed (build.py). Sizes are checked on this side; the compiled
side trusts them.
"""

from serving.kernels.attention import Nets, attend
from serving.kernels.blend import GateArrays, Head, correct, features, head, held_back, linear, spread, weighted
from serving.kernels.library import library
from serving.kernels.lists import best, contenders, gathered, joined
from serving.kernels.states import Histories, context, newest
from serving.kernels.trees import NOTHING, Forest, trees_owned, trees_summed
from serving.kernels.vectors import SCANS, Items, added_up, coarse, crossed, exact, folded, mixed, refined

__all__ = [
    "NOTHING",
    "Forest",
    "GateArrays",
    "Head",
    "Histories",
    "Items",
    "Nets",
    "added_up",
    "attend",
    "best",
    "coarse",
    "contenders",
    "context",
    "correct",
    "crossed",
    "exact",
    "features",
    "folded",
    "gathered",
    "head",
    "held_back",
    "joined",
    "linear",
    "mixed",
    "newest",
    "refined",
    "spread",
    "trees_owned",
    "trees_summed",
    "weighted",
]

there = library is not None
scans = SCANS
