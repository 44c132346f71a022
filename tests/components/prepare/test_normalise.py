import math
from pathlib import Path

import numpy as np

from components.prepare.normalise import fit_normaliser
from serving.normaliser import Normaliser

E1, E2 = math.exp(1), math.exp(2)


def test_log_prices_get_mean_zero_and_deviation_one() -> None:
    normaliser = fit_normaliser(np.array([1.0, E2, np.nan, 0.0]))
    assert normaliser == Normaliser(1.0, 1.0, 2)
    np.testing.assert_allclose(normaliser.price_norm([1.0, E1, E2]).astype(float), [-1, 0, 1], atol=1e-6)


def test_no_price_is_the_mean() -> None:
    assert fit_normaliser(np.array([1.0, 100.0])).price_norm([np.nan, 0.0, -1.0, np.inf]).tolist() == [0, 0, 0, 0]


def test_one_price_or_none_does_not_divide_by_zero() -> None:
    assert fit_normaliser(np.array([5.0, 5.0])).price_norm([5.0]).tolist() == [0]
    assert fit_normaliser(np.array([])) == Normaliser()


def test_serving_reads_what_training_wrote(tmp_path: Path) -> None:
    normaliser = fit_normaliser(np.array([1.5, 20.0, 3.0]))
    normaliser.save(tmp_path / "normaliser.json")
    assert Normaliser.load(tmp_path / "normaliser.json") == normaliser
    assert normaliser.price_norm([2.0]).dtype == np.float32
