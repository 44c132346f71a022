from pathlib import Path

import numpy as np
import pytest
from member_contract import MemberContract, planted_shop

from components.common.errors import ReleaseError
from components.common.prepared import Cut, Prepared
from components.train_cf.als import AlsConfig, AlsTrainer
from components.train_cf.histories import clock_of, training_states
from serving.arrays import Longs
from serving.catalogue import Catalogue
from serving.members.als import Als, length_groups
from serving.members.history import HistoryWeights

CONFIG = AlsConfig(embedding_size=8, reg=0.1, alpha=5.0)


class TestAls(MemberContract):
    member = Als
    config = AlsConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        trainer = AlsTrainer(CONFIG.model_copy(update={"seed": seed}), HistoryWeights(clock=clock_of(prepared)))
        trainer.write(trainer.train(training_states(prepared, cut), len(prepared.items)), folder)


class TestAlsOrdered(TestAls):
    protocol = "leave-one-out"


@pytest.mark.parametrize("sizes", [[0, 1, 2, 3, 0, 5, 8, 9], [], [0], [1]])
def test_length_groups_visit_every_entry_once(sizes: list[int]) -> None:
    indptr: Longs = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    seen = [
        (int(row), int(entry))
        for rows, entries, real in length_groups(indptr, 4)
        for row, of_row, mask in zip(rows, entries, real, strict=True)
        for entry in of_row[mask]
    ]
    rows = np.repeat(np.arange(len(sizes)), sizes)
    assert sorted(seen) == list(zip(rows.tolist(), range(len(rows)), strict=True))


def test_factors_of_another_catalogue_are_refused(tmp_path: Path) -> None:
    prepared = planted_shop()
    trainer = AlsTrainer(CONFIG, HistoryWeights())
    trainer.write(trainer.train(training_states(prepared, prepared.split.test), 20), tmp_path)
    with pytest.raises(ReleaseError, match="20 items found, 16 expected"):
        Als.load(tmp_path, Catalogue(prepared.items))
