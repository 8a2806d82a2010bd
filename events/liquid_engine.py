"""Parse and run Liquid within bounds, so that no template can hold up or blow up a worker.

Three things differ from plain python-liquid. A missing variable and nil count as *blank*, which is what the usual
``{% if customer.first_name != blank %}`` relies on. Every look-up, filter, loop and written character is paid from a
budget. Variables that were written although they are missing are collected, so that a preview can name them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from io import StringIO
from typing import Any, TextIO

from liquid import Environment, RenderContext
from liquid.ast import BlockNode, Node
from liquid.builtin.expressions import FilteredExpression
from liquid.builtin.expressions.logical import EqExpression, NeExpression
from liquid.builtin.expressions.primitive import Blank, RangeLiteral
from liquid.builtin.tags.case_tag import MultiExpressionBlockNode
from liquid.exceptions import LiquidError, ResourceLimitError
from liquid.expression import Expression
from liquid.template import BoundTemplate
from liquid.token import Token
from liquid.undefined import UNDEFINED, Undefined

from events import liquid_filters, liquid_local

MAX_SOURCE = 250_000
MAX_OUTPUT = 1_000_000
MAX_NESTING = 20
MAX_RANGE = 10_000
# What one rendering may spend: each tag, expression, look-up and filter that is run costs 1, and so do each 50
# characters or items that a filter or a loop touches. It is about a second's work.
MAX_WORK = 200_000
# An opening that is never closed makes the lexer look through the rest of the source, once for each blank after it.
MAX_UNCLOSED = 5
MANY_BLANKS = re.compile(r"(\{\{|\{%)-?\s{60}")


class Fault(Exception):
    """What is wrong with a template and in which line (0: unknown)."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Missing(Undefined):
    """A variable that is not there. Writes nothing, and remembers that something wanted to write it."""

    __slots__ = ("path", "record")

    def __init__(self, name: str, *, token: Token | None = None, obj: object = UNDEFINED, hint: str | None = None):
        super().__init__(name, token=token, obj=obj, hint=hint)
        self.path = name
        self.record: dict[str, None] = {}

    def __str__(self) -> str:
        self.record[self.path] = None
        return ""

    def __len__(self) -> int:
        # What a loop asks for first.
        self.record[self.path] = None
        return 0


class Run(RenderContext):
    """One rendering with its budget and the variables it missed."""

    def __init__(self, template: BoundTemplate, variables: Mapping[str, object]) -> None:
        super().__init__(template, globals=variables)
        self.missing: dict[str, None] = {}
        self.work_left = MAX_WORK
        self.output_left = MAX_OUTPUT

    def spend(self, work: int) -> None:
        self.work_left -= work
        if self.work_left < 0:
            raise ResourceLimitError("the template does too much", token=None)

    def get(self, path: list[object], *, token: Token | None, default: object = UNDEFINED) -> object:
        self.spend(1)
        value = super().get(path, token=token, default=default)
        if isinstance(value, Missing):
            value.path = ".".join(str(part) for part in path)
            value.record = self.missing
        return value

    def assign(self, key: str, val: Any) -> None:
        self.spend(1)
        self.locals[key] = val

    def raise_for_loop_limit(self, length: int = 1) -> None:
        self.spend(1 + length // 50)

    def get_buffer(self, buf: TextIO | None = None) -> StringIO:
        return Output(self)


class Output(StringIO):
    """A text stream that writes no more than its run has left, captured text included."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run = run

    def write(self, text: str) -> int:
        self.run.output_left -= len(text)
        if self.run.output_left < 0:
            raise ResourceLimitError("the template writes too much text", token=None)
        return super().write(text)


class _TextIfMissing(Expression):
    """Stand in for an operand that is compared with ``blank``: missing and nil are the empty text there."""

    def __init__(self, inner: Expression) -> None:
        super().__init__(inner.token)
        self.inner = inner

    def evaluate(self, context: RenderContext) -> object:
        value = self.inner.evaluate(context)
        return "" if value is None or isinstance(value, Undefined) else value

    def children(self) -> list[Expression]:
        return [self.inner]


class _BoundedStop(Expression):
    """Stand in for the end of a range, which must not be far away."""

    def __init__(self, start: Expression, stop: Expression) -> None:
        super().__init__(stop.token)
        self.start = start
        self.stop = stop

    def evaluate(self, context: RenderContext) -> object:
        start, stop = self.start.evaluate(context), self.stop.evaluate(context)
        if _whole(stop) - _whole(start) > MAX_RANGE:
            raise ResourceLimitError(f"a range may hold at most {MAX_RANGE} numbers", token=self.token)
        return stop

    def children(self) -> list[Expression]:
        return [self.start, self.stop]


class _Toll(Node):
    """The first node of a block: pays for each run of it, also where nothing is written."""

    __slots__ = ("cost",)

    def __init__(self, token: Token, cost: int) -> None:
        super().__init__(token)
        self.cost = cost

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        assert isinstance(context, Run)
        context.spend(self.cost)
        return 0


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0


class _Bounded(Environment):
    block_nesting_limit = MAX_NESTING

    def error(self, exc: type[LiquidError] | LiquidError, msg: str | None = None, token: Token | None = None) -> None:
        # An error at the end of a tag knows no place: that of the tag is good enough.
        if isinstance(exc, LiquidError) and exc.token and exc.token.start_index < 0:
            exc.token = token
        super().error(exc, msg, token)


def _environment(*, escape: bool) -> Environment:
    environment = _Bounded(undefined=Missing, autoescape=escape)
    # There are no partials: without their tags the error says so where it is made.
    for tag in ("include", "render"):
        del environment.tags[tag]
    liquid_filters.install(environment, liquid_local.LOCAL)
    return environment


_environments = {escape: _environment(escape=escape) for escape in (False, True)}


def filter_names() -> list[str]:
    """Return the names of all filters, for whoever completes them."""
    return sorted(_environments[True].filters)


def tag_names() -> list[str]:
    """Return the names of all tags that begin something."""
    return sorted(name for name in _environments[True].tags if name.isalpha())


def run(source: str, variables: Mapping[str, object], missing: dict[str, None], *, escape: bool) -> str:
    """Render ``source``; names of missing variables are added to ``missing``. Raises Fault."""
    template = parse(source, escape)
    context = Run(template, variables)
    context.missing = missing
    output = Output(context)
    try:
        template.render_with_context(context, output)
    except LiquidError as error:
        raise _fault(error) from error
    except RecursionError as error:
        raise Fault(0, "the template is nested too deeply") from error
    return output.getvalue()


@lru_cache(maxsize=500)
def parse(source: str, escape: bool) -> BoundTemplate:
    """Parse ``source`` once; the same text later costs a look-up. Raises Fault."""
    _check_source(source)
    environment = _environments[escape]
    try:
        template = environment.from_string(source)
        context = RenderContext(template)
        for node in template.nodes:
            _prepare(node, context)
    except LiquidError as error:
        raise _fault(error, at_end=source.count("\n") + 1) from error
    except RecursionError as error:
        raise Fault(0, "the template is nested too deeply") from error
    return template


def _check_source(source: str) -> None:
    if len(source) > MAX_SOURCE:
        raise Fault(0, f"the template is longer than {MAX_SOURCE} characters")
    if found := MANY_BLANKS.search(source):
        raise Fault(source.count("\n", 0, found.start()) + 1, "too many blanks at the beginning of a tag")
    for opening, closing in (("{{", "}}"), ("{%", "%}"), ("raw", "endraw"), ("doc", "enddoc")):
        rest = source[source.rfind(closing) + 1 :] if closing in source else source
        tags = rest.count(opening) if opening in ("{{", "{%") else _count_tags(rest, opening)
        if tags > MAX_UNCLOSED:
            raise Fault(0, f"'{opening}' is opened again and again without '{closing}'")


def _count_tags(source: str, name: str) -> int:
    return sum(part.lstrip("- \t\r\n").startswith(name) for part in source.split("{%")[1:])


def _fault(error: LiquidError, at_end: int = 0) -> Fault:
    token, message = error.token, str(error.message or "the template is not valid Liquid")
    message = message.replace("end of expression", "the end")
    cause: BaseException | None = error.__cause__
    if isinstance(cause, RecursionError):
        message = "the template is nested too deeply"
    line = token.source.count("\n", 0, token.start_index) + 1 if token and token.start_index >= 0 else at_end
    return Fault(line, message)


def _prepare(node: Node, context: RenderContext) -> int:
    """Put our stand-ins and a toll into the tree below ``node``; return what one run of the node itself costs."""
    cost = 1
    if isinstance(node, MultiExpressionBlockNode) and any(isinstance(e, Blank) for e in node.expression.expressions):
        node.expression.left = _TextIfMissing(node.expression.left)
    for expression in node.expressions():
        cost += _prepare_expression(expression, context.env)
    for child in node.children(context):
        if isinstance(child, BlockNode):
            costs = [_prepare(grandchild, context) for grandchild in child.nodes]
            child.nodes.insert(0, _Toll(child.token, 1 + sum(costs)))
        else:
            cost += _prepare(child, context)
    return cost


def _prepare_expression(expression: Expression, environment: Environment) -> int:
    if isinstance(expression, RangeLiteral):
        expression.stop = _BoundedStop(expression.start, expression.stop)
        return 3
    if isinstance(expression, EqExpression | NeExpression):
        _compare_with_blank(expression)
    elif isinstance(expression, FilteredExpression):
        for filter_ in expression.filters or ():
            filter_.validate_filter_arguments(environment)
    return 1 + sum(_prepare_expression(child, environment) for child in expression.children())


def _compare_with_blank(expression: EqExpression | NeExpression) -> None:
    if isinstance(expression.right, Blank):
        expression.left = _TextIfMissing(expression.left)
    elif isinstance(expression.left, Blank):
        expression.right = _TextIfMissing(expression.right)
