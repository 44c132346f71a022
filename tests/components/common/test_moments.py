"""One clock, whatever the resolution and the zone."""

from typing import Literal

import pandas as pd
import pytest

from components.common.moments import DAY, microseconds, moment


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_every_resolution_and_zone_gives_microseconds(unit: Literal["s", "ms", "us", "ns"]) -> None:
    naive = pd.Series(pd.to_datetime(["1970-01-02", "1969-12-31"]).as_unit(unit))
    assert microseconds(naive).tolist() == [DAY, -DAY]
    assert microseconds(naive.dt.tz_localize("UTC").dt.tz_convert("Asia/Shanghai")).tolist() == [DAY, -DAY]


def test_no_times_give_no_numbers() -> None:
    assert microseconds(pd.Series([], dtype="datetime64[us, UTC]")).tolist() == []


def test_a_moment_keeps_its_last_microsecond() -> None:
    assert moment(DAY + 1).isoformat() == "1970-01-02T00:00:00.000001+00:00"
