"""Moments are whole microseconds since the epoch, UTC, everywhere."""

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

DAY = 86_400_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def microseconds(times: pd.Series) -> npt.NDArray[np.int64]:
    """(n,) µs of (n,) timestamps of any resolution; naive ones are UTC."""
    return np.asarray(pd.to_datetime(times, utc=True).astype("datetime64[us, UTC]").astype("int64"), dtype=np.int64)


def moment(at: int) -> datetime:
    """The time that is *at* µs."""
    return EPOCH + timedelta(microseconds=at)
