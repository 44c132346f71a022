"""Contacts that a shop left in its tables are taken out at the door: no feature, release or log can then hold them.

User ids are replaced by pseudonyms elsewhere; this is about names, addresses and numbers by which somebody is reached.
"""

import re

import pandas as pd

from components.common import columns as c
from components.ingest.shop import Ledger

MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
MASK = "[e-mail]"
NAMING = frozenset(
    (
        "name", "firstname", "lastname", "fullname", "surname", "givenname", "username",
        "displayname", "nickname", "email", "mail", "emailaddress", "phone", "phonenumber",
        "telephone", "mobilephone", "mobilenumber", "address", "street", "streetaddress",
        "passport", "ssn", "iban", "ip", "ipaddress", "姓名", "名字", "昵称", "邮箱", "电子邮箱", "邮件", "电话",
        "手机", "手机号", "手机号码", "联系电话", "地址", "住址", "收货地址", "身份证", "身份证号",
    )
)  # fmt: skip
TEXTS = (c.QUERY, c.TEXT)


def without_contacts(tables: dict[str, pd.DataFrame], ledger: Ledger) -> dict[str, pd.DataFrame]:
    """The same tables without columns of users that name somebody, and without e-mail addresses in what users wrote.

    A profile's column goes by what it is called, or because any of its values is an e-mail address. In queries and
    texts of events an address becomes MASK. Each is counted in *ledger*.
    """
    found = dict(tables)
    if "users" in found:
        found["users"] = _without_columns(found["users"], ledger)
    if "events" in found:
        found["events"] = _masked(found["events"], ledger)
    return found


def _without_columns(users: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    named = [column for column in users.columns if column != c.USER_ID and _names_somebody(str(column), users[column])]
    if named:
        why = f"They say who a user is, or how to reach her: {', '.join(map(str, named))} left out."
        ledger.note("contact_columns", "users", why, len(users), len(named))
    return users.drop(columns=named)


def _names_somebody(column: str, values: pd.Series) -> bool:
    if re.sub(r"[\W_]+", "", column).lower() in NAMING:
        return True
    return any(isinstance(text, str) and "@" in text and MAIL.fullmatch(text.strip()) for text in values)


def _masked(events: pd.DataFrame, ledger: Ledger) -> pd.DataFrame:
    for column in (column for column in TEXTS if column in events):
        holds = events[column].map(lambda text: isinstance(text, str) and "@" in text and bool(MAIL.search(text)))
        if holds.any():
            masked = events.loc[holds, column].map(lambda text: MAIL.sub(MASK, text))
            events = events.assign(**{column: events[column].mask(holds, masked)})
            why = f"An e-mail address in '{column}' became {MASK}."
            ledger.note("contacts_written", "events", why, len(events), int(holds.sum()))
    return events
