"""Every way to weigh the members, simplest first: from lists to a blend."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from components.fuse import voting
from components.fuse.alpha import best_alpha
from components.fuse.attention import attention
from components.fuse.greedy import greedy
from components.fuse.heads import head_weights, softmax_head
from components.fuse.least_squares import Constraint, Moments, solve
from components.fuse.lists import USED, Lists, table
from components.fuse.meta import meta
from components.fuse.network import network
from components.fuse.second_level import Start, once
from components.fuse.softmax import Listwise, fit_free, fit_simplex
from components.fuse.stacker import SHAPES, Shape, ensemble, stacker
from serving.blend import Blend
from serving.calibration import RRF, TOP, VALUE

Method = Callable[[Lists], Blend]
SINGLE = "single:"
RIDGE = 1e-6  # keeps twin members from taking huge opposite weights
FREE = {"softmax_firm": 1e-2, "softmax_free": 1e-3, "softmax_loose": 1e-4}  # l2, chosen among by cross-fitting
BASE = "softmax_head"  # the linear blend that the second level corrects
STEADY = ("prior", "softmax", *FREE, "least_squares_non_negative", "least_squares")  # which to take of equals


def single(name: str, members: tuple[str, ...]) -> Blend:
    """One member alone."""
    rows = np.array([[float(name == member)] for member in members])
    return Blend(kind=f"{SINGLE}{name}", members=members, weights=table(rows, (VALUE,)))


def prior(kind: str, members: tuple[str, ...], weights: Mapping[str, float]) -> Blend:
    """Documented weights: a member's weight goes half to its value and half to its reciprocal rank."""
    rows = np.array([[weights.get(member, 0.0)] * 2 for member in members]) / 2
    if not rows.any():
        rows = np.full((len(members), 2), 0.5 / max(len(members), 1))
    return Blend(kind=kind, members=members, weights=table(rows / rows.sum(), (VALUE, RRF)))


def least_squares(lists: Lists, constraint: Constraint, kind: str) -> Blend:
    """min over w of 1/N sum (y - sum_k w_k M_k)^2 over all candidates of all lists."""
    weights = solve(Moments.of(*lists.flat()), constraint, l2=RIDGE)
    return Blend(kind=kind, members=lists.members, weights=table(weights[:, None], (VALUE,)))


def alpha(lists: Lists, deep: str, cf: str) -> Blend:
    """alpha of the deep member and 1 - alpha of the collaborative one, by the closed form."""
    columns = [lists.members.index(name) for name in (deep, cf)]
    values, gain = (part.astype(np.float64) for part in lists.flat(columns))
    share = best_alpha(gain, values[:, 0], values[:, 1])
    rows = np.zeros((len(lists.members), 1))
    rows[columns, 0] = share, 1.0 - share
    return Blend(kind="alpha", members=lists.members, weights=table(rows, (VALUE,)))


def softmax(lists: Lists) -> Blend:
    """Simplex weights over every member's value, reciprocal rank and top, by listwise loss."""
    used = (VALUE, RRF, TOP)
    weights, _ = fit_simplex(_listwise(lists, len(used)))
    return Blend(kind="softmax", members=lists.members, weights=table(weights.reshape(-1, len(used)), used))


def softmax_free(lists: Lists, kind: str) -> Blend:
    """Listwise weights of any sign, with a learned term for what a member did not score; held back as FREE says."""
    weights = fit_free(_listwise(lists, len(USED)), FREE[kind])
    return Blend(kind=kind, members=lists.members, weights=table(weights.reshape(-1, len(USED)), USED))


def methods(
    members: tuple[str, ...],
    pair: tuple[str, str] | None,
    seeds: Mapping[str, int],
    seed: int,
    moments: bool,
    shapes: Mapping[str, Shape] = SHAPES,
    begin: Blend | None = None,
) -> dict[str, Method]:
    """The methods that need no prior knowledge, simplest first.

    Args:
        members: what is blended.
        pair: the (deep, cf) members of `alpha`; None: no alpha.
        seeds: by method of the second level, models that are averaged; 1 of what it does not name.
        seed: every random choice follows from it.
        moments: do the lists know the context; without it no method that reads it.
        shapes: of the stackers' trees, by method.
        begin: a blend over the same members. The second level then corrects its gated weights as they are, networks
            beginning where its own ended.
    """
    found: dict[str, Method] = {
        "voting": lambda lists: voting.reciprocal_rank(lists.members),
        "voting_borda": lambda lists: voting.borda(lists.members),
        "voting_majority": lambda lists: voting.majority(lists.members),
    }
    if pair is not None:
        found["alpha"] = partial(alpha, deep=pair[0], cf=pair[1])
    found["least_squares_simplex"] = partial(least_squares, constraint="simplex", kind="least_squares_simplex")
    found["least_squares_non_negative"] = partial(
        least_squares, constraint="non_negative", kind="least_squares_non_negative"
    )
    found["least_squares"] = partial(least_squares, constraint="free", kind="least_squares")
    found["softmax"] = softmax
    found |= {kind: partial(softmax_free, kind=kind) for kind in FREE}
    learn = once(head_weights)  # what softmax_head, the gate and meta begin from
    found |= {"softmax_head": once(partial(softmax_head, learn=learn)), "greedy": greedy}
    if moments:
        gate = once(partial(network, seed=seed, learn=learn)) if begin is None else _as_it_is(begin)
        found |= {"network": gate, "meta": partial(meta, seed=seed, learn=learn)}
        gated = Start(gate, seed)
        static = gated
        if begin is None:
            static, gated = Start.both(found[BASE], gate, seed)
        found |= {
            kind: partial(stacker, start=static, kind=kind, shape=shape, seeds=seeds.get(kind, 1), seed=seed)
            for kind, shape in shapes.items()
        }
        nets, ended = seeds.get("attention", 1), None if begin is None else begin.attention
        found["attention"] = once(partial(attention, start=gated, seeds=nets, seed=seed, begin=ended))
        if "stacker" in shapes:
            shape, trees, looks = shapes["stacker"], seeds.get("ensemble", 1), found["attention"]
            found["ensemble"] = partial(ensemble, start=gated, shape=shape, networks=looks, seeds=trees, seed=seed)
    return found if len(members) > 1 else {"voting": found["voting"]}


def _as_it_is(blend: Blend) -> Method:
    """A method that gives the gated weights of *blend*, whatever the lists."""
    gated = blend.model_copy(update={"kind": "network", "trees": None, "attention": None})
    return lambda _: gated


def _listwise(lists: Lists, used: int) -> Listwise:
    n, c, k, _ = lists.x.shape
    return Listwise.of(lists.x[..., :used].reshape(n, c, k * used), lists.gain, lists.valid)
