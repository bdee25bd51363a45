"""One canned query: SQL for SQLite and PostgreSQL, its title, and values that its parameters may have."""

from __future__ import annotations

import re
from dataclasses import dataclass

Value = str | int | float


@dataclass(frozen=True, slots=True)
class CannedQuery:
    """SQL with parameters as `:name`, and an example of each parameter's value, in the order in which they are asked.

    `name`: lower case and underscores, for addresses. `title`: what it answers, for people. `note`: how to read the
    answer, where that is not plain.
    """

    name: str
    title: str
    sql: str
    examples: tuple[tuple[str, Value], ...] = ()
    note: str = ""

    def filled(self, **values: Value) -> str:
        """The SQL with literals in the place of parameters: these values, else the examples.

        For SQL that is shown or given to `mvmdb query`, which takes no parameters. Raises KeyError for a value of no
        parameter.
        """
        given = dict(self.examples)
        for name, value in values.items():
            if name not in given:
                raise KeyError(name)
            given[name] = value
        return re.sub(r":([a-z_]+)\b", lambda found: _literal(given[found[1]]), self.sql)


def _literal(value: Value) -> str:
    return repr(value) if not isinstance(value, str) else "'" + value.replace("'", "''") + "'"
