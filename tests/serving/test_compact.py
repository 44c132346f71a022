"""Numbers kept in fewer bytes come back within the error that is promised."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from serving.arrays import MAPPED_BYTES, stored
from serving.compact import MOST_CODE, coded, rows_of_bytes, widened

NUMBERS = st.floats(-1e4, 1e4, width=32)


def test_a_row_worked_by_hand() -> None:
    kept = coded(np.array([[1.27, -0.635, 0.0], [0.0, 0.0, 0.0]], np.float32))
    assert kept["codes"].tolist() == [[127, -64, 0], [0, 0, 0]]  # -63.5 rounds to the even
    np.testing.assert_allclose(kept["scale"], [0.01, 0.0], rtol=1e-6)
    np.testing.assert_allclose(widened(kept), [[1.27, -0.64, 0.0], [0.0, 0.0, 0.0]], rtol=1e-6)


@given(arrays(np.float32, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9), elements=NUMBERS))
def test_a_byte_is_off_by_half_a_step_at_most(values: np.ndarray) -> None:
    step = np.abs(values).max(axis=1, keepdims=True).astype(np.float64) / MOST_CODE
    back = widened(coded(values))
    assert back.dtype == np.float32
    assert (np.abs(back - values.astype(np.float64)) <= 0.5001 * step + 1e-38).all()


@pytest.mark.parametrize("rows", [3, MAPPED_BYTES])
@pytest.mark.parametrize("kind", ["int8", "float16", "uint16"])
def test_a_file_says_itself_how_it_is_kept(tmp_path: Path, rows: int, kind: str) -> None:
    values = np.random.default_rng(0).integers(-100, 100, (rows, 4)).astype(np.float32)
    kept = {"int8": coded(values), "float16": values.astype(np.float16), "uint16": np.abs(values).astype(np.uint16)}
    np.save(tmp_path / "a.npy", kept[kind])
    found = stored(tmp_path / "a.npy")
    if kind == "int8":
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, values, atol=0.5 * 100 / MOST_CODE)
    else:
        assert found.dtype == (np.int32 if kind == "uint16" else np.float32)
        np.testing.assert_array_equal(found, np.abs(values) if kind == "uint16" else values)


@pytest.mark.parametrize("dtype", [np.float32, np.int32, np.int64, bool, np.uint8])
def test_what_is_not_kept_small_is_not_touched(dtype: type) -> None:
    values: npt.NDArray[Any] = np.zeros((2, 3), dtype)
    assert widened(values) is values


def test_a_row_of_bytes_is_a_quarter_of_a_row_of_floats_and_its_scale() -> None:
    assert rows_of_bytes(64).itemsize == 64 + 4
