"""The errors Cuvee raises on purpose; each says what was found, what was expected and what to do.

CuveeError                 exit code 1
├── InputError             exit code 2: the caller's data or configuration
│   ├── DataError          a table, its column, how many rows, the first offender
│   └── ConfigError        a settings file or an option
├── GateRefusedError       exit code 3: the candidate is not better than what it would replace
└── ReleaseError           a release that is damaged, incomplete or of another schema
"""


class CuveeError(Exception):
    """Base of all errors raised on purpose."""

    exit_code = 1


class InputError(CuveeError):
    """The caller's input cannot be used."""

    exit_code = 2


class DataError(InputError):
    """A table breaks the data contract."""

    def __init__(self, table: str, column: str, rows: int, offender: object, expected: str, remedy: str) -> None:
        self.table, self.column, self.rows, self.offender = table, column, rows, offender
        where = f"table '{table}'" + (f", column '{column}'" if column else "")
        count = f"{rows} row{'' if rows == 1 else 's'}" if rows else "the whole table"
        super().__init__(f"{where}: {count} — first: {offender!r}. Expected {expected}. {remedy}")


class ConfigError(InputError):
    """A configuration file or option is wrong."""


class GateRefusedError(CuveeError):
    """The candidate release did not pass the gate."""

    exit_code = 3


class ReleaseError(CuveeError):
    """A release cannot be trusted or read."""
