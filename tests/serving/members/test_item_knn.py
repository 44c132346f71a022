from pathlib import Path

from member_contract import MemberContract

from components.common.prepared import Cut, Prepared
from components.train_cf.histories import clock_of, training_states
from components.train_cf.item_knn import ItemKnnConfig, ItemKnnTrainer
from serving.members.history import HistoryWeights
from serving.members.item_knn import ItemKnn


class TestItemKnn(MemberContract):
    member = ItemKnn
    config = ItemKnnConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        trainer = ItemKnnTrainer(ItemKnnConfig(), HistoryWeights(clock=clock_of(prepared)))
        trainer.write(trainer.train(training_states(prepared, cut), len(prepared.items)), folder)


class TestItemKnnOrdered(TestItemKnn):
    protocol = "leave-one-out"
