"""The gate: weights by hand, both activations, padding, speed of one request, what is refused."""

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from serving.calibration import FEATURES, RRF, VALUE
from serving.context import CONTEXT
from serving.gate import Gate

F = len(FEATURES)


def out(members: int, **places: float) -> tuple[float, ...]:
    """K x F numbers, zero but at the places `m<member>_<feature>`."""
    table = np.zeros((members, F))
    for place, value in places.items():
        member, feature = place[1:].split("_")
        table[int(member), FEATURES.index(feature)] = value
    return tuple(table.ravel().tolist())


def context(n: int = 1, c: int = 1, **values: float | list[float]) -> np.ndarray:
    table = np.zeros((n, c, len(CONTEXT)), dtype=np.float32)
    for name, value in values.items():
        table[..., CONTEXT.index(name)] = value
    return table


def gate(**changes: object) -> Gate:
    given_ = {
        "inputs": ("price", "history"),
        "center": (1.0, 2.0),
        "scale": (2.0, 0.5),
        "hidden": ((1.0, 0.0, 0.0), (0.5, 1.0, -1.0)),
        "activation": "tanh",
        "out": (out(2, m0_value=1.0), out(2, m1_rrf=-3.0)),
    }
    return Gate(**(given_ | changes))


def test_two_smooth_units_by_hand() -> None:
    found = gate().extra(context(price=5.0, history=3.0))  # z = (2, 2)
    assert found.shape == (1, 1, 2, F)
    assert found[0, 0, 0, VALUE] == pytest.approx(np.tanh(2.0))
    assert found[0, 0, 1, RRF] == pytest.approx(-3 * np.tanh(0.5 * 2 + 2 - 1))
    assert np.count_nonzero(found) == 2


def test_a_step_is_off_below_its_threshold_and_on_from_it() -> None:
    segments = gate(inputs=("history",), center=(2.0,), scale=(1.0,), hidden=((1.0, 0.0),), activation="step",
                    out=(out(1, m0_value=0.25),))  # fmt: skip
    below, at, above = segments.extra(context(c=3, history=[1.9999, 2.0, 7.0]))[0, :, 0, VALUE]
    assert (below, at, above) == (0.0, 0.25, 0.25)


def test_the_center_of_the_inputs_with_no_bias_adds_nothing() -> None:
    silent = gate(hidden=((1.0, 0.0, 0.0), (0.5, 1.0, 0.0)))
    assert not silent.extra(context(price=1.0, history=2.0)).any()


@given(st.integers(1, 3), st.integers(0, 5), st.integers(0, 99))
def test_each_candidate_is_weighed_by_its_own_context_whatever_stands_beside_it(n: int, c: int, seed: int) -> None:
    some = np.random.default_rng(seed).normal(size=(n, c, len(CONTEXT))).astype(np.float32)
    found = gate().extra(some)
    assert found.shape == (n, c, 2, F)
    for row, column in np.ndindex(n, c):
        alone = gate().extra(some[row : row + 1, column : column + 1])[0, 0]
        np.testing.assert_allclose(found[row, column], alone, rtol=1e-5, atol=1e-6)


def test_a_gate_of_zeros_adds_nothing() -> None:
    some = np.random.default_rng(0).normal(size=(2, 7, len(CONTEXT))).astype(np.float32)
    assert not gate(out=(out(3), out(3))).extra(some).any()


def test_json_both_ways_gives_the_same_numbers() -> None:
    again = Gate.model_validate_json(gate().model_dump_json())
    some = context(c=4, price=[-1.0, 0.0, 1.0, 9.0])
    np.testing.assert_array_equal(again.extra(some), gate().extra(some))
    assert again == gate()


def test_used_or_not_two_equal_gates_are_equal() -> None:
    used = gate()
    used.extra(context())
    assert used == gate()


def test_the_arrays_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        gate()._arrays[2][0] = 1.0


def test_one_request_takes_well_under_a_millisecond() -> None:
    random = np.random.default_rng(0)
    hidden, wide = random.normal(size=(8, len(CONTEXT) + 1)), random.normal(size=(8, 12 * F))
    large = Gate(
        inputs=CONTEXT,
        center=(0.0,) * len(CONTEXT),
        scale=(1.0,) * len(CONTEXT),
        hidden=tuple(map(tuple, hidden.tolist())),
        activation="tanh",
        out=tuple(map(tuple, wide.tolist())),
    )
    some = random.normal(size=(1, 500, len(CONTEXT))).astype(np.float32)
    took = []
    for _ in range(30):
        started = time.perf_counter()
        large.extra(some)
        took.append(time.perf_counter() - started)
    assert min(took) < 1e-3


@pytest.mark.parametrize(
    "changes",
    [
        {"inputs": ("price", "weather")},
        {"inputs": ("price", "price")},
        {"inputs": ()},
        {"center": (1.0,)},
        {"scale": (1.0, 0.0)},
        {"scale": (1.0,)},
        {"hidden": ((1.0, 0.0, 0.0),)},
        {"hidden": ((1.0, 0.0), (1.0, 0.0))},
        {"hidden": (), "out": ()},
        {"out": (out(2), out(1))},
        {"out": ((1.0,), (2.0,))},
        {"out": ((), ())},
        {"out": (out(2, m0_value=float("inf")), out(2))},
        {"activation": "relu"},
        {"typo": 1},
    ],
)
def test_a_gate_that_does_not_fit_together_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        gate(**changes)
