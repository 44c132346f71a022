from pathlib import Path

import pytest
from member_contract import MemberContract, planted_shop

from components.common.errors import ReleaseError
from components.common.prepared import Cut, Prepared
from components.train_cf.histories import clock_of, training_states
from components.train_cf.pca import PcaConfig, PcaTrainer
from serving.catalogue import Catalogue
from serving.members.history import HistoryWeights
from serving.members.pca import Pca


class TestPca(MemberContract):
    member = Pca
    config = PcaConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        config = PcaConfig(embedding_size=3, reg=0.1, seed=seed)
        trainer = PcaTrainer(config, HistoryWeights(clock=clock_of(prepared)))
        trainer.write(trainer.train(training_states(prepared, cut), len(prepared.items)), folder)


class TestPcaOrdered(TestPca):
    protocol = "leave-one-out"


def test_components_of_another_catalogue_are_refused(tmp_path: Path) -> None:
    prepared = planted_shop()
    trainer = PcaTrainer(PcaConfig(), HistoryWeights())
    trainer.write(trainer.train(training_states(prepared, prepared.split.test), 20), tmp_path)
    with pytest.raises(ReleaseError, match="components of 20 items found, 16 expected"):
        Pca.load(tmp_path, Catalogue(prepared.items))
