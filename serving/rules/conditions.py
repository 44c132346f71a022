"""Conditions of rules: rule-engine's typed language, cut down to what cannot run away, judged once and kept as arrays.

What is unknown satisfies no comparison: an item without a price is neither below 5 nor not below 5. `price == null`
asks for it.
"""

import json
import logging
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from rule_engine import Context, DataType, Rule, resolve_item, type_resolver_from_dict
from rule_engine.errors import EngineError, RuleSyntaxError, SymbolResolutionError
from rule_engine.parser import Parser

from components.common import columns as c
from components.common.moments import DAY
from serving.arrays import Bools
from serving.catalogue import Catalogue
from serving.states import UserStates

log = logging.getLogger(__name__)

MAX_LENGTH = 1000  # characters: also bounds how deep a condition can be nested
HISTORY, IDLE_DAYS = "history", "idle_days"
ITEM_NAMES = {
    c.ITEM_ID: DataType.STRING, c.TITLE: DataType.STRING, c.DESCRIPTION: DataType.STRING, c.CATEGORY: DataType.STRING,
    c.BRAND: DataType.STRING, c.PRICE: DataType.FLOAT, c.AVAILABLE: DataType.BOOLEAN, c.CREATED_AT: DataType.DATETIME,
    c.ATTRIBUTES: DataType.MAPPING(DataType.STRING), c.SENTIMENT: DataType.FLOAT, c.REVIEWS: DataType.FLOAT,
}  # fmt: skip
USER_NAMES = {HISTORY: DataType.FLOAT, IDLE_DAYS: DataType.FLOAT, c.PROFILE: DataType.MAPPING(DataType.STRING)}
TOKENS = frozenset(
    {"SYMBOL", "STRING", "FLOAT", "DATETIME", "TRUE", "FALSE", "NULL", "EQ", "NE", "GT", "GE", "LT", "LE", "IN", "AND",
     "OR", "NOT", "ADD", "SUB", "MUL", "TDIV", "COALESCE", "ATTR", "ATTR_SAFE", "COMMA", "LPAREN", "RPAREN", "LBRACKET",
     "RBRACKET"}
)  # fmt: skip
"""No regular expressions, loops, powers or `$` functions: they are not bounded, or not the same twice."""


class _Bounded(Parser):  # type: ignore[misc]
    """rule-engine's parser, refusing what is not in TOKENS before anything is evaluated."""

    def parse(self, text: str, context: Context, **kwargs: Any) -> Any:
        """As the library's; RuleSyntaxError for a token that conditions may not have."""
        lexer = self._lexer.clone()
        lexer.lineno = 1
        lexer.input(text)
        for token in iter(lexer.token, None):
            if token.type not in TOKENS or (token.type == "SYMBOL" and token.value.startswith("$")):
                raise RuleSyntaxError("conditions have no such operator or function", token)
        return super().parse(text, context, lexer=self._lexer.clone(), **kwargs)


class _Rule(Rule):  # type: ignore[misc]
    parser = _Bounded()


class Condition:
    """One condition over items or users, compiled; `names` are those it reads."""

    def __init__(self, text: str, types: dict[str, Any]) -> None:
        resolver = type_resolver_from_dict(types)
        context = Context(
            type_resolver=resolver, resolver=resolve_item, default_timezone="utc", mapping_attribute_lookup=False
        )
        self.text = text
        self._rule = _compiled(text, context, types)
        self.names = sorted(context.symbols)

    def holds(self, rows: Iterable[dict[str, Any]]) -> Bools:
        """(n,) does it hold for each row; False where it cannot be judged."""
        return np.fromiter((self._holds(row) for row in rows), dtype=bool)

    def _holds(self, row: dict[str, Any]) -> bool:
        try:
            return bool(self._rule.matches(row))
        except (EngineError, ArithmeticError, TypeError):  # a value that is unknown, or of another kind
            return False


@lru_cache(maxsize=1024)
def item_condition(text: str) -> Condition:
    """Compile a condition over an item: ITEM_NAMES.

    Raises:
        ValueError: says what is wrong and where.
    """
    return Condition(text, ITEM_NAMES)


@lru_cache(maxsize=1024)
def user_condition(text: str) -> Condition:
    """Compile a condition over a user: history (distinct items met), idle_days (since the newest), profile.

    Raises:
        ValueError: says what is wrong and where.
    """
    return Condition(text, USER_NAMES)


def items_where(condition: Condition, catalogue: Catalogue) -> Bools:
    """(n_items,) the items that satisfy it, asked once per distinct combination of the values it reads."""
    if not condition.names:
        return np.full(len(catalogue), bool(condition.holds([{}])[0]))
    table = pd.DataFrame({name: _READ[name](catalogue) for name in condition.names})
    codes = table.groupby(condition.names, sort=False, dropna=False).ngroup().to_numpy()
    first = table.iloc[np.unique(codes, return_index=True)[1]]
    columns = [_values(name, first[name]) for name in condition.names]
    rows = (dict(zip(condition.names, row, strict=True)) for row in zip(*columns, strict=True))
    return np.asarray(condition.holds(rows)[codes])


def users_where(condition: Condition, states: UserStates) -> Bools:
    """(n,) the users that satisfy it."""
    return condition.holds(_user(states, row) for row in range(len(states)))


def _user(states: UserStates, row: int) -> dict[str, Any]:
    start, end = states.indptr[row], states.indptr[row + 1]
    idle = None if start == end else float(states.as_of[row] - states.last_at[end - 1]) / DAY
    profile = json.loads(states.profiles[row]) if states.profiles else {}
    return {HISTORY: int(end - start), IDLE_DAYS: idle, c.PROFILE: profile}


def _column(name: str) -> Callable[[Catalogue], "pd.Series[Any]"]:
    return lambda catalogue: catalogue.items[name] if name in catalogue.items else pd.Series([None] * len(catalogue))


_READ = {name: _column(name) for name in ITEM_NAMES}


def _values(name: str, column: "pd.Series[Any]") -> list[Any]:
    """Plain Python values; None for what is unknown."""
    if name == c.ATTRIBUTES:
        return [_object(text) for text in column]
    if name == c.CREATED_AT:
        return [None if pd.isna(at) else at.to_pydatetime() for at in pd.to_datetime(column, utc=True)]
    return [None if pd.isna(value) else value for value in column.astype(object)]


def _object(text: object) -> Any:
    """What a JSON text says; nothing, where it is none."""
    try:
        return json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}


def _compiled(text: str, context: Context, types: dict[str, Any]) -> _Rule:
    if len(text) > MAX_LENGTH:
        raise ValueError(f"a condition of {len(text)} characters; at most {MAX_LENGTH}")
    try:
        rule = _Rule(text, context)
    except SymbolResolutionError as error:
        raise ValueError(f"unknown name '{error.symbol_name}'; known names: {', '.join(types)}") from error
    except RuleSyntaxError as error:
        raise ValueError(_where(error)) from error
    except (EngineError, ArithmeticError, RecursionError, TypeError) as error:
        raise ValueError(f"cannot be judged: {getattr(error, 'message', '') or type(error).__name__}") from error
    if rule.statement.expression.result_type != DataType.BOOLEAN:
        raise ValueError("this is a value, not a condition; compare it with something")
    return rule


def _where(error: RuleSyntaxError) -> str:
    token = error.token
    if token is None:
        return "syntax error: it ends too early"
    kind = "illegal character" if token.type == "error" else "cannot be read"
    told = "not allowed" if "no such" in error.message else kind
    return f"{told} at character {token.lexpos + 1}: {str(token.value)[:40]!r}"
