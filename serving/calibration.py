"""From members' raw scores to numbers that can be added.

Members speak different languages (a cosine, a count, a log-likelihood). Each member's scores of one query are
mapped to [0, 1] by that query's own minimum and maximum over the scored candidates, so a positive scaling or a
shift of a member changes nothing, and nothing has to be fitted or kept fresh. Ranks say the rest.
"""

import numpy as np

from serving import kernels
from serving.arrays import Bools, Floats, Ints

FEATURES = ("value", "rrf", "top", "borda", "vote", "missing")
VALUE, RRF, TOP, BORDA, VOTE, MISSING = range(len(FEATURES))
RRF_OFFSET = 60
VOTES = 10
FLOOR = 0.0  # the calibrated value of what a member did not score

_NOT_SCORED = np.int64(np.iinfo(np.int32).max)


def features(scores: Floats, valid: Bools) -> Floats:
    """(n, c, K, F) the features of `feature_rows` by candidate and member."""
    n, c, k = scores.shape
    return feature_rows(scores, valid).reshape(n, len(FEATURES), k, c).transpose(0, 3, 2, 1)


def feature_rows(scores: Floats, valid: Bools) -> Floats:
    """Calibrated features of every member's scores.

    Args:
        scores: (n, c, K) higher is better; NaN and infinities = not scored.
        valid: (n, c) is this a candidate, not padding.

    Returns:
        (n, F * K, c) in [0, 1], F as in FEATURES, in each the K members; with rank0 = 0 for the member's best scored
        (ties go to the earlier candidate):
        value = (score - min) / (max - min), 1 where all scored candidates tie; rrf = 61 / (61 + rank0);
        top = 1 / (1 + rank0); borda = 1 - rank0 / number of candidates; vote = rank0 < 10; missing = 0.
        Not scored: missing = 1, everything else 0. Padding: all 0.
    """
    by_member = np.ascontiguousarray(scores.transpose(0, 2, 1))  # (n, K, c)
    if kernels.there:
        return kernels.features(by_member, valid, len(FEATURES))
    scored = np.isfinite(by_member) & valid[:, None, :]
    n, k, c = by_member.shape
    kept = np.empty((n, len(FEATURES), k, c), dtype=np.float32)
    out = kept.transpose(1, 0, 2, 3)
    out[VALUE] = _value(by_member, scored)
    order = ranks(by_member, scored)
    tables = _rank_tables(c)
    for feature in (RRF, TOP, VOTE):
        np.take(tables[feature], order, out=out[feature], mode="clip")
    width = np.maximum(valid.sum(axis=1), 1).astype(np.float32)[:, None, None]
    np.multiply(scored, 1 - order / width, out=out[BORDA], casting="unsafe")
    np.greater(valid[:, None, :], scored, out=out[MISSING], casting="unsafe")
    return kept.reshape(n, len(FEATURES) * k, c)


def ranks(scores: Floats, scored: Bools) -> Ints:
    """(..., c) rank0 of each candidate, best 0, ties to the earlier one; c for what is not scored."""
    c = scores.shape[-1]
    bits = (scores + np.float32(0)).astype(np.float32, copy=False).view(np.int32)  # + 0: minus zero ties with zero
    ascending = bits ^ ((bits >> 31) & np.int32(0x7FFFFFFF))
    keys = np.where(scored, ~ascending, _NOT_SCORED)
    keys <<= 32
    keys += np.arange(c)
    keys.sort(axis=-1)
    order = (keys & 0xFFFFFFFF).reshape(int(np.prod(scores.shape[:-1])), c)
    flat = np.empty(order.shape, dtype=np.int32)
    flat[np.arange(len(order))[:, None], order] = np.arange(c, dtype=np.int32)
    found: Ints = flat.reshape(scores.shape)
    found[~scored] = c
    return found


def _value(scores: Floats, scored: Bools) -> Floats:
    """Min-max over the scored candidates of each (query, member); the floor where not scored."""
    low = np.where(scored, scores, np.float32(np.inf)).min(axis=-1, keepdims=True, initial=np.inf)
    high = np.where(scored, scores, np.float32(-np.inf)).max(axis=-1, keepdims=True, initial=-np.inf)
    span = high.astype(np.float64) - low
    spread = np.isfinite(span) & (span > 0)
    with np.errstate(invalid="ignore", over="ignore"):
        value = (scores - np.where(spread, low, 0)) / np.where(spread, span, 1)
    value = np.minimum(value, 1.0)  # a span beyond float32 overflows above the middle
    return np.where(scored, np.where(spread, value, 1.0), FLOOR).astype(np.float32)


def _rank_tables(c: int) -> dict[int, Floats]:
    """Features of rank0 = 0..c-1, then 0 for `not scored`."""
    place = np.arange(c, dtype=np.float64)
    tables = {
        RRF: (RRF_OFFSET + 1) / (RRF_OFFSET + 1 + place),
        TOP: 1 / (1 + place),
        VOTE: (place < VOTES).astype(np.float64),
    }
    return {feature: np.append(table, 0).astype(np.float32) for feature, table in tables.items()}
