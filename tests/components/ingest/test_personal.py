"""Contacts are taken out of users' columns and of what users wrote; all else stays as it was."""

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.common import columns as c
from components.ingest.personal import MASK, without_contacts
from components.ingest.run import ingest
from components.ingest.shop import Ledger


def users(**columns: list[object]) -> dict[str, pd.DataFrame]:
    return {"users": pd.DataFrame({c.USER_ID: ["a", "b"], **columns})}


@pytest.mark.parametrize("column", ["name", "First Name", "e-mail", "phone_number", "姓名", "手机号"])
def test_columns_that_name_somebody_are_left_out_and_counted(column: str) -> None:
    ledger = Ledger()
    given: dict[str, list[object]] = {column: ["x", "y"], "plan": ["gold", None]}
    found = without_contacts(users(**given), ledger)
    assert list(found["users"]) == [c.USER_ID, "plan"]
    (note,) = ledger
    assert column in note.why


def test_a_column_of_addresses_is_left_out_whatever_it_is_called() -> None:
    found = without_contacts(users(login=[None, " jane@example.org "], age=[31, 44], team=["a@b", ["x"]]), Ledger())
    assert list(found["users"]) == [c.USER_ID, "age", "team"]  # a@b is no address


def test_addresses_that_users_wrote_become_a_mask() -> None:
    events = pd.DataFrame(
        {c.QUERY: ["lamp", None, "to j.d+x@mail.example.org, lamp"], c.TEXT: [None, "a@b", "ab@cd.ef and gh@ij.kl"]}
    )
    ledger = Ledger()
    found = without_contacts({"events": events}, ledger)["events"]
    assert found[c.QUERY].tolist() == ["lamp", None, f"to {MASK}, lamp"]
    assert found[c.TEXT].tolist() == [None, "a@b", f"{MASK} and {MASK}"]
    assert [note.correction for note in ledger] == ["contacts_written"] * 2


def test_tables_without_contacts_are_the_same_objects() -> None:
    tables = users(plan=["gold", "basic"]) | {"events": pd.DataFrame({c.QUERY: ["lamp", None]})}
    ledger = Ledger()
    found = without_contacts(tables, ledger)
    pd.testing.assert_frame_equal(found["users"], tables["users"])
    assert found["events"] is tables["events"]
    assert not ledger


@given(st.lists(st.text(alphabet="ab@. -", max_size=30), min_size=1, max_size=5))
def test_no_address_is_left(texts: list[str]) -> None:
    found = without_contacts({"events": pd.DataFrame({c.TEXT: texts})}, Ledger())["events"]
    again = Ledger()
    without_contacts({"events": found}, again)
    assert not again


def test_none_reaches_the_disk(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    pd.DataFrame({c.ITEM_ID: ["i"], c.TITLE: ["lamp"]}).to_csv(shop / "items.csv", index=False)
    pd.DataFrame({c.USER_ID: ["jane@example.org"], "contact": ["jane@example.org"], "plan": ["gold"]}).to_csv(
        shop / "users.csv", index=False
    )
    ingest(str(shop), None, str(tmp_path / "store"), tmp_path / "out")
    written = [path for path in sorted((tmp_path / "out").iterdir()) if path.suffix != ".json"]
    assert written
    for path in written:
        assert b"jane@" not in path.read_bytes()
    report = json.loads((tmp_path / "out" / "ingest_report.json").read_text())
    assert [one["correction"] for one in report["corrections"]] == ["contact_columns"]
