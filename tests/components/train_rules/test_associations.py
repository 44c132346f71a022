"""Mined rules: planted ones are found with their confidence, chance is not, and what is written fires exactly."""

import numpy as np
import pytest
from scipy import sparse

from components.train_rules.associations import Association, AssociationsConfig, as_rules, associations
from serving.rules.reading import read
from serving.rules.schema import Boost

CONFIG = AssociationsConfig(least_support=5)


def baskets(*counted: tuple[int, list[int]], n_items: int = 4) -> sparse.csr_matrix:
    rows = [items for count, items in counted for _ in range(count)]
    table = np.zeros((len(rows), n_items), dtype=np.float32)
    for row, items in enumerate(rows):
        table[row, items] = 1
    return sparse.csr_matrix(table)


def test_a_planted_rule_is_found_with_its_confidence() -> None:
    """Of 40 baskets with item 0, 30 hold item 1, of all 200 30: confidence .75, lift 5. The other way: always."""
    found = associations(baskets((30, [0, 1]), (10, [0]), (160, [2])), CONFIG)
    assert found == [Association(1, 0, 30, 1.0, 5.0), Association(0, 1, 30, 0.75, 5.0)]


def test_chance_and_rare_pairs_are_no_rules() -> None:
    """Items 0 and 1 meet in a quarter of the baskets, each being in half: as chance has it. 2 and 3 meet four times."""
    counted: tuple[tuple[int, list[int]], ...] = ((50, [0, 1]), (50, [0]), (50, [1]), (46, []), (4, [2, 3]))
    assert associations(baskets(*counted), CONFIG) == []
    assert len(associations(baskets(*counted), AssociationsConfig(least_support=4))) == 2


def test_what_is_common_needs_more_to_be_surprising() -> None:
    """Item 1 is in every second basket and in nine of ten with item 0: a lift of 1.8 is not 2."""
    assert associations(baskets((90, [0, 1]), (10, [0]), (10, [1]), (90, [2])), CONFIG) == []


def test_no_baskets_no_rules() -> None:
    assert associations(sparse.csr_matrix((0, 3), dtype=np.float32), CONFIG) == []


@pytest.mark.parametrize("item_id", ["201", 'a"b\\c', "米 1"])
def test_what_is_written_is_what_the_server_reads(item_id: str) -> None:
    found = [Association(0, 1, 30, 0.75, 5.0)]
    text = as_rules(found, ["x", item_id], ["Pasta", "Sauce\n red"])
    assert "# Pasta -> Sauce red: lift 5.0" in text
    (rule,) = read(text.encode(), "mined.yaml").rules
    assert isinstance(rule, Boost)
    assert (rule.by, rule.given, rule.tasks, rule.confidence, rule.support) == (0.75, ("x",), ("bundle",), 0.75, 30)


@pytest.mark.parametrize("title", ["bell \x07", "zero \x00 one", "\ufffe", "next\x85line", "\u2028 x", "# - [", "\x7f"])
def test_no_title_spoils_the_file_it_is_noted_in(title: str) -> None:
    text = as_rules([Association(0, 1, 30, 0.75, 5.0)], ["a", "b"], [title, title])
    assert len(read(text.encode(), "mined.yaml").rules) == 1


def test_nothing_mined_is_a_set_of_no_rules() -> None:
    assert read(as_rules([], [], []).encode(), "mined.yaml").rules == ()
