"""Expressions: conditions as people write them, `kind = dark-field and iso in (100, 200)`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from datastore.errors import FilterError
from datastore.selections.conditions import (
    BARE,
    EVERYTHING,
    KEYWORDS,
    Any,
    Condition,
    DefectWithin,
    Known,
    Not,
    OneOf,
    Within,
    everything_of,
)

_TOKEN: Final = re.compile(
    rf"\s*(?:(?P<quoted>'(?:[^']|'')*')|(?P<sign><=|>=|!=|[=<>(),])|(?P<bare>{BARE.pattern}))"
)
_DEEPEST: Final = 100


@dataclass(frozen=True)
class _Token:
    text: str
    column: int
    is_quoted: bool = False

    def is_word(self, word: str) -> bool:
        return not self.is_quoted and self.text == word


def parse(expression: str) -> Condition:
    """Return the condition that an expression stands for.

    Fields are compared with `=`, `!=`, `<`, `<=`, `>`, `>=`, `in (...)`, `between A and B`,
    `is known` and `is unknown`; `defect within rows A to B columns C to D` asks for a region of the
    sensor. `not` binds closest, then `and`, then `or`; parentheses group. Values with other signs
    than letters, digits and `_.:@/+-` stand in single quotes, a quote in them is doubled.

    Raises
    ------
    FilterError
        If it cannot be read, with the column; or if a field or a value is unknown.
    """
    parser = _Parser(_tokens(expression))
    condition = parser.condition()
    parser.require_end()
    return condition


def _tokens(expression: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    end = len(expression.rstrip())
    while position < end:
        match = _TOKEN.match(expression, position)
        if match is None:
            rest = expression[position:].lstrip()
            column = len(expression) - len(rest) + 1
            problem = (
                "a quote is not closed" if rest.startswith("'") else f"{rest[0]!r} needs quotes"
            )
            raise FilterError(f"column {column}: {problem}")
        kind = match.lastgroup
        assert kind is not None
        text = match[kind]
        column = match.start(kind) + 1
        if kind == "quoted":
            tokens.append(_Token(text[1:-1].replace("''", "'"), column, is_quoted=True))
        else:
            tokens.append(_Token(text, column))
        position = match.end()
    tokens.append(_Token("", end + 1))
    return tokens


class _Parser:
    """Reads conditions from tokens, from the loosest to the closest binding."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._depth = 0

    def condition(self) -> Condition:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise FilterError(f"column {self._next.column}: parentheses are nested too deeply")
        found = [self._conjunction()]
        while self._take("or"):
            found.append(self._conjunction())
        self._depth -= 1
        return found[0] if len(found) == 1 else Any(tuple(found))

    def require_end(self) -> None:
        if len(self._tokens) > 1:
            raise self._expected("`and`, `or` or the end")

    @property
    def _next(self) -> _Token:
        return self._tokens[0]

    def _conjunction(self) -> Condition:
        found = [self._negation()]
        while self._take("and"):
            found.append(self._negation())
        return found[0] if len(found) == 1 else everything_of(found)

    def _negation(self) -> Condition:
        negations = 0
        while self._take("not"):
            negations += 1
            if self._depth + negations > _DEEPEST:
                raise _at(self._next.column, "`not` is repeated too often")
        condition = self._single()
        for _ in range(negations):
            condition = Not(condition)
        return condition

    def _single(self) -> Condition:
        if self._take("("):
            condition = self.condition()
            self._require(")")
            return condition
        if self._take("everything"):
            return EVERYTHING
        if self._take("defect"):
            return self._region()
        if len(self._tokens) == 1 or not BARE.fullmatch(self._next.text) or self._next.is_quoted:
            raise self._expected("a field")
        return self._comparison()

    def _comparison(self) -> Condition:
        name = self._tokens.pop(0)
        try:
            if self._take("is"):
                if self._take("known"):
                    return Known(name.text)
                self._require("unknown")
                return Not(Known(name.text))
            if self._take("in"):
                self._require("(")
                values = [self._value()]
                while self._take(","):
                    values.append(self._value())
                self._require(")")
                return OneOf(name.text, tuple(values))
            if self._take("between"):
                lowest = self._value()
                self._require("and")
                return Within(name.text, lowest, self._value())
            return self._signed(name)
        except FilterError as error:
            text = str(error)
            raise error if text.startswith("column ") else _at(name.column, text) from None

    def _signed(self, name: _Token) -> Condition:
        for sign in ("=", "!=", "<=", ">=", "<", ">"):
            if self._take(sign):
                value = self._value()
                if sign == "=":
                    return OneOf(name.text, (value,))
                if sign == "!=":
                    return Not(OneOf(name.text, (value,)))
                if sign[0] == "<":
                    return Within(name.text, None, value, with_highest=sign == "<=")
                return Within(name.text, value, None, with_lowest=sign == ">=")
        raise self._expected("=, !=, <, <=, >, >=, in, between or is")

    def _region(self) -> Condition:
        column = self._next.column
        self._require("within")
        self._require("rows")
        rows = self._span()
        self._require("columns")
        columns = self._span()
        try:
            return DefectWithin(rows, columns)
        except FilterError as error:
            raise _at(column, str(error)) from None

    def _span(self) -> tuple[int, int]:
        first = self._photosite()
        self._require("to")
        return first, self._photosite()

    def _photosite(self) -> int:
        if not self._next.text.isdecimal() or len(self._next.text) > 9:
            raise self._expected("a photosite's number")
        return int(self._tokens.pop(0).text)

    def _value(self) -> str:
        token = self._next
        is_bare = BARE.fullmatch(token.text) is not None and token.text not in KEYWORDS
        if not token.is_quoted and not is_bare:
            raise self._expected("a value")
        return self._tokens.pop(0).text

    def _take(self, word: str) -> bool:
        if not self._next.is_word(word):
            return False
        self._tokens.pop(0)
        return True

    def _require(self, word: str) -> None:
        if not self._take(word):
            raise self._expected(f"`{word}`")

    def _expected(self, what: str) -> FilterError:
        token = self._next
        found = "the end" if len(self._tokens) == 1 else repr(token.text)
        return _at(token.column, f"{what} was expected, not {found}")


def _at(column: int, problem: str) -> FilterError:
    return FilterError(f"column {column}: {problem}")
