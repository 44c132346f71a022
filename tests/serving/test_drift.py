"""Which bins a question falls into, and what is remembered of the users."""

from typing import Any

import numpy as np
import pytest

from components.common.moments import DAY
from serving.drift import BINS, Known, Noting, bins
from serving.instances import parse
from serving.states import UserStates

NOW = 1_000 * DAY


class Port:
    """Two users: one met items 40 and 2 days ago, of the other nothing is known."""

    def states(self, user_ids: Any, as_of: Any) -> UserStates:
        times = np.array([NOW - 40 * DAY, NOW - 2 * DAY])
        return UserStates(
            tuple(user_ids), np.array([0, 2, 2]), np.array([3, 4], np.int32), times, times,
            np.ones(2, np.float32), np.array([NOW, NOW]),
        )  # fmt: skip


def test_what_was_said_of_users_is_remembered_and_passed_on() -> None:
    noting = Noting(Port(), ordinal=False)
    assert noting.states(["a", "b"], NOW).items.tolist() == [3, 4]
    assert noting.said == {"a": Known(2, 2.0), "b": Known(0, None)}
    ordinal = Noting(Port(), ordinal=True)
    ordinal.states(["a", "b"], NOW)
    assert ordinal.said["a"] == Known(2, None)


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (None, []),
        (Known(0, None), ["nothing"]),
        (Known(1, -0.5), ["1-4 items", "under 1 day"]),
        (Known(4, 1.0), ["1-4 items", "1-6 days"]),
        (Known(5, 6.9), ["5-19 items", "1-6 days"]),
        (Known(19, 27.9), ["5-19 items", "7-27 days"]),
        (Known(99, 28.0), ["20-99 items", "28-90 days"]),
        (Known(100, 91.0), ["100 items and more", "91 days and more"]),
    ],
)
def test_a_user_falls_into_one_bin_of_each(known: Known | None, expected: list[str]) -> None:
    asked = parse({"scenario": "recommend", "user_id": "a", "k": 2})
    found = bins(asked, {"items": [{}], "degraded": []}, {} if known is None else {"a": known})
    assert found[:2] == [("scenario", "recommend"), ("found", "some")]
    assert [which for _, which in found[2:]] == expected
    assert all(which in BINS[what] for what, which in found)


def test_anonymous_users_and_items_have_bins_of_their_own() -> None:
    stranger = bins(parse({"scenario": "search", "query": "tea", "k": 1}), {"items": [{}], "degraded": []}, {})
    assert stranger == [("scenario", "search"), ("found", "all asked for"), ("history", "anonymous")]
    lost = bins(parse({"scenario": "similar", "item_id": "x"}), {"items": [], "degraded": ["unknown_item"]}, {})
    assert lost == [("scenario", "similar"), ("found", "nothing"), ("item", "unknown")]
