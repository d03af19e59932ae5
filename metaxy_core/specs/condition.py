"""The tokens of a filter text are read one by one into a tree; what is not expected is refused.

sqlglot splits the text; the grammar stands here, so that only what it names can ever be meant, and
every refusal knows its place.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, Literal

from sqlglot import Tokenizer, TokenType
from sqlglot.errors import SqlglotError
from sqlglot.parser import Parser

from metaxy_core.errors import InvalidFilter
from metaxy_core.specs.filter import (
    Binary,
    Column,
    Constant,
    IsNull,
    Junction,
    Member,
    Membership,
    Negation,
    Operator,
    Predicate,
)

# How strongly operators bind, weakest first.
_OR, _AND, _EQUALITY, _ORDER, _SUFFIX, _SUM, _PRODUCT = range(1, 8)

_BINARY: Final[dict[TokenType, tuple[int, Operator | Literal["and", "or"]]]] = {
    TokenType.OR: (_OR, "or"),
    TokenType.AND: (_AND, "and"),
    TokenType.EQ: (_EQUALITY, "="),
    TokenType.NEQ: (_EQUALITY, "<>"),
    TokenType.LT: (_ORDER, "<"),
    TokenType.LTE: (_ORDER, "<="),
    TokenType.GT: (_ORDER, ">"),
    TokenType.GTE: (_ORDER, ">="),
    TokenType.PLUS: (_SUM, "+"),
    TokenType.DASH: (_SUM, "-"),
    TokenType.STAR: (_PRODUCT, "*"),
    TokenType.SLASH: (_PRODUCT, "/"),
    TokenType.MOD: (_PRODUCT, "%"),
}
_TESTS: Final = frozenset({TokenType.IN, TokenType.LIKE, TokenType.BETWEEN})
_CONSTANTS: Final = {TokenType.NULL: None, TokenType.TRUE: True, TokenType.FALSE: False}
_FIRST_OF_NUMBER: Final = (TokenType.NUMBER, TokenType.DOT, TokenType.DASH)
_QUOTES: Final = ("'", '"', "/*")
_NO_NAMES: Final = {TokenType.CASE, TokenType.INTERVAL, *Parser.NO_PAREN_FUNCTIONS}
_NAMES: Final = (
    frozenset(Parser.ID_VAR_TOKENS) | {TokenType.VAR, TokenType.IDENTIFIER}
) - _NO_NAMES
_DEEPEST: Final = 60
_LONGEST: Final = 250
_INT64_LIMIT: Final = 2**63
_LARGEST_EXPONENT: Final = 300
_ATTEMPTS: Final = 20


class Condition:
    """One reading of a text, from its first token to its last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _split(text)
        self._next = 0
        self._depth = 0
        self._operations = 0

    def predicate(self) -> Predicate:
        """The tree of the text.

        Raises:
            InvalidFilter: it is no condition of allowed operations.
        """
        found = self._expression(_OR)
        while self._is(TokenType.SEMICOLON):
            self._next += 1
        if self._token is not None:
            raise self._unexpected("the end of the condition")
        if not _is_condition(found):
            raise self._refusal("is a value, not a condition", self._tokens[0], self._tokens[-1])
        return found

    # ------------------------------------------------------------------ the grammar

    def _expression(self, level: int) -> Predicate:
        """Operands and the operators between them that bind at least as strongly as ``level``."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._refusal("is nested too deeply")
        found, strongest = self._operand(), _PRODUCT
        while self._token is not None:
            strength, name = _BINARY.get(self._token.token_type, (_SUFFIX, None))
            if not level <= strength <= strongest or (name is None and not self._is_test()):
                break
            self._count()
            if name is None:
                found, strongest = self._tested(found), _SUFFIX
                continue
            self._next += 1
            right = self._expression(strength + 1)
            if name == "and" or name == "or":  # noqa: PLR1714 - narrows the type
                found = Junction(name, found, right)
            else:
                found = Binary(name, found, right)
        self._depth -= 1
        return found

    def _operand(self) -> Predicate:
        token = self._token
        match None if token is None else token.token_type:
            case TokenType.NOT:
                self._next += 1
                return Negation(self._expression(_EQUALITY))
            case TokenType.L_PAREN:
                self._next += 1
                inner = self._expression(_OR)
                self._take(TokenType.R_PAREN, "')'")
                return inner
            case TokenType.PLUS:
                self._next += 1
                return self._expression(_PRODUCT + 1)
        if self._is_constant():
            return self._constant()
        return self._column()

    def _tested(self, operand: Predicate) -> Predicate:
        """What a test that follows its operand says of it."""
        if self._skip(TokenType.ISNULL):
            return IsNull(operand)
        if self._skip(TokenType.NOTNULL):
            return Negation(IsNull(operand))
        if self._skip(TokenType.IS):
            negated = self._skip(TokenType.NOT)
            found = self._identity(operand)
        else:
            negated = self._skip(TokenType.NOT)
            found = self._compared(operand)
        return Negation(found) if negated else found

    def _identity(self, operand: Predicate) -> Predicate:
        if self._token is None or self._token.token_type not in _CONSTANTS:
            raise self._unexpected("NULL, TRUE or FALSE")
        right = self._constant()
        if right.value is None:
            return IsNull(operand)
        return Junction("and", Negation(IsNull(operand)), Binary("=", operand, right))

    def _compared(self, operand: Predicate) -> Predicate:
        if self._skip(TokenType.LIKE):
            if not self._is(TokenType.STRING):
                raise self._unexpected("a pattern in quotes")
            return Binary("like", operand, self._constant())
        if self._skip(TokenType.BETWEEN):
            low = self._expression(_SUM)
            self._take(TokenType.AND, "AND")
            high = self._expression(_SUM)
            return Junction("and", Binary(">=", operand, low), Binary("<=", operand, high))
        self._take(TokenType.IN, "IN, LIKE or BETWEEN")
        self._take(TokenType.L_PAREN, "a list of values in brackets")
        values = [self._constant()]
        while self._skip(TokenType.COMMA):
            values.append(self._constant())
        self._take(TokenType.R_PAREN, "',' or ')'")
        return Membership(operand, tuple(values))

    def _constant(self) -> Constant:
        negative = False
        while self._is(TokenType.DASH):
            negative = not negative
            self._next += 1
        token = self._token
        if self._is(TokenType.DOT) or self._is(TokenType.NUMBER):
            value = self._number()
            return Constant(-value if negative else value)
        if token is None or negative or not self._is_constant():
            raise self._unexpected("a number" if negative else "a value")
        self._next += 1
        is_text = token.token_type is TokenType.STRING
        return Constant(str(token.text) if is_text else _CONSTANTS[token.token_type])

    def _number(self) -> int | Decimal:
        first = self._token
        written = "0." if self._skip(TokenType.DOT) else ""
        if not self._is(TokenType.NUMBER):
            raise self._unexpected("a number")
        last = self._token
        self._next += 1
        try:
            return _to_number(written + last.text)
        except ArithmeticError as error:
            raise self._refusal("has a number that cannot be read", first, last) from error

    def _column(self) -> Column | Member:
        found: Column | Member = Column(self._name())
        while self._skip(TokenType.DOT):
            self._count()
            found = Member(found, self._name(after_dot=True))
        if self._is(TokenType.L_PAREN):
            before = self._tokens[self._next - 1]
            raise self._refusal(f"{before.text!r} is a function, which is not allowed", before)
        return found

    def _name(self, *, after_dot: bool = False) -> str:
        token = self._token
        allowed = token is not None and (
            token.token_type in _NAMES or (after_dot and token.text.isidentifier())
        )
        if token is None or not allowed:
            raise self._unexpected("a column or a value")
        self._next += 1
        return str(token.text)

    # ------------------------------------------------------------------ tokens

    @property
    def _token(self) -> Any:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _is(self, kind: TokenType) -> bool:
        return self._token is not None and self._token.token_type is kind

    def _skip(self, kind: TokenType) -> bool:
        found = self._is(kind)
        self._next += found
        return found

    def _take(self, kind: TokenType, expected: str) -> None:
        if not self._skip(kind):
            raise self._unexpected(expected)

    def _is_constant(self) -> bool:
        kinds = (*_FIRST_OF_NUMBER, TokenType.STRING, *_CONSTANTS)
        return self._token is not None and self._token.token_type in kinds

    def _is_test(self) -> bool:
        if self._is(TokenType.NOT):
            after = self._tokens[self._next + 1 : self._next + 2]
            return bool(after) and after[0].token_type in _TESTS
        kinds = (TokenType.IS, TokenType.ISNULL, TokenType.NOTNULL, *_TESTS)
        return self._token is not None and self._token.token_type in kinds

    # ------------------------------------------------------------------ refusals

    def _count(self) -> None:
        self._operations += 1
        if self._operations > _LONGEST:
            raise self._refusal(
                f"has more than {_LONGEST} operations; IN takes any number of values"
            )

    def _unexpected(self, expected: str) -> InvalidFilter:
        token = self._token
        if token is None:
            end = len(self._text.rstrip())
            return InvalidFilter.from_text(
                self._text, f"ends where {expected} is expected", end, end
            )
        written = self._text[token.start : token.end + 1]
        return self._refusal(f"{_cut(written)!r} stands where {expected} is expected", token)

    def _refusal(self, reason: str, first: Any = None, last: Any = None) -> InvalidFilter:
        first = first or self._token or self._tokens[-1]
        return InvalidFilter.from_text(self._text, reason, first.start, (last or first).end)


def _split(text: str) -> list[Any]:
    try:
        return list(Tokenizer().tokenize(text))
    except SqlglotError as error:
        start = _opening(text)
        reason = f"{text[start : start + 1]!r} is not closed"
        raise InvalidFilter.from_text(text, reason, start, len(text) - 1) from error


def _opening(text: str) -> int:
    """Where the quote or comment that a text does not close begins."""
    quotes = [i for i in range(len(text)) if text.startswith(_QUOTES, i)]
    for start in quotes[: -_ATTEMPTS - 1 : -1]:
        try:
            Tokenizer().tokenize(text[:start])
        except SqlglotError:
            continue
        return start
    return 0


def _to_number(text: str) -> int | Decimal:
    value = Decimal(text)
    if value and abs(value.adjusted()) > _LARGEST_EXPONENT:
        raise OverflowError(text)
    whole = text.isdigit() and value < _INT64_LIMIT
    return int(text) if whole else value


def _is_condition(predicate: Predicate) -> bool:
    match predicate:
        case Constant(value):
            return isinstance(value, bool)
        case Binary(operator):
            return operator not in ("+", "-", "*", "/", "%")
        case _:
            return True


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"  # noqa: PLR2004 - what fits a line
