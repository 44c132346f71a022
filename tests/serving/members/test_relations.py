from pathlib import Path

import numpy as np
import pytest
from member_contract import COLD, MemberContract, group_of, planted_shop
from scipy import sparse
from text_parts import vectors_of

from components.common.errors import ReleaseError
from components.common.prepared import Cut, Prepared
from components.train_rules.complements import ComplementsConfig, complements
from components.train_rules.pruned import write
from components.train_rules.run import similar_kind, together
from components.train_rules.substitutes import SubstitutesConfig
from serving.arrays import Bools, Ints
from serving.catalogue import Catalogue
from serving.members.relations import Complements, Substitutes
from serving.queries import BUNDLE, SIMILAR, Queries
from serving.states import UserStates


class TestComplements(MemberContract):
    member = Complements
    config = ComplementsConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        write(complements(together(prepared, cut), ComplementsConfig()), "complements", {}, folder)

    def queries(self, states: UserStates) -> Queries:
        return Queries(BUNDLE, states)


class TestSubstitutes(MemberContract):
    member = Substitutes
    config = SubstitutesConfig

    def train(self, prepared: Prepared, cut: Cut, folder: Path, seed: int) -> None:
        related = similar_kind(prepared, cut, vectors_of(prepared.items), together(prepared, cut))
        write(related, "substitutes", {}, folder)

    def queries(self, states: UserStates) -> Queries:
        return Queries(SIMILAR, states)

    def right_answers(self, prepared: Prepared, cut: Cut, users: Ints) -> Bools:
        right: Bools = group_of(users)[:, None] == group_of(np.arange(COLD + 1))[None, :]
        return right


def test_evidence_of_a_basket_adds_up() -> None:
    related = sparse.csr_matrix(np.array([[0, 0.5, 0.25], [0, 0, 0.5], [0, 0, 0]], dtype=np.float32))
    scores = Complements(related).score_all(Queries(BUNDLE, UserStates.from_items([[0, 1], [2], []], 0)))
    np.testing.assert_array_equal(scores, [[np.nan, 0.5, 0.75], [np.nan] * 3, [np.nan] * 3])


def test_another_catalogue_is_refused(tmp_path: Path) -> None:
    shop = planted_shop()
    write(sparse.csr_matrix((3, 3), dtype=np.float32), "complements", {}, tmp_path)
    with pytest.raises(ReleaseError, match="3 items, the catalogue has 16"):
        Complements.load(tmp_path, Catalogue(shop.items))
