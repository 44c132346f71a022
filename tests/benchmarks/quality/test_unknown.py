"""Users whose past is hidden: what strangers are shown, and newcomers who viewed the product that they met last."""

import numpy as np
import pytest
from finished_run import finished_run

from benchmarks.quality.lists import FUSED
from benchmarks.quality.measure import Finished, judged
from benchmarks.quality.unknown import hide_pasts
from benchmarks.quality.viewed import NOTHING_VIEWED, hiding
from components.common.prepared import Prepared
from serving.engine import Engine
from serving.queries import NEXT_BASKET


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    return finished_run(tmp_path_factory.mktemp("finished"))


def test_a_hidden_past_makes_a_stranger_and_its_last_product_tells_the_group(finished: Finished) -> None:
    shop, engine = Prepared.load(finished.prepared), Engine.load(finished.release)
    lists, states, _ = judged(shop, engine, finished, NEXT_BASKET, 1)
    both = hide_pasts(engine, lists, states, NEXT_BASKET, 0, 1)
    assert both is not None
    unknown, seen = both
    assert (unknown.sizes.max(), set(seen.sizes.tolist())) == (0, {1})
    assert len(np.unique(unknown.named[FUSED], axis=0)) < len(np.unique(lists.named[FUSED], axis=0))
    last = states.items[states.indptr[1:] - 1]
    assert (states.last_at[states.indptr[1:] - 1] == np.maximum.reduceat(states.last_at, states.indptr[:-1])).all()
    assert not any((items == last[:, None]).any() for items in seen.named.values())
    assert (seen.named[NOTHING_VIEWED] == hiding(unknown.named[FUSED], last)).all()
    assert seen.values(FUSED).mean() > seen.values(NOTHING_VIEWED).mean()
