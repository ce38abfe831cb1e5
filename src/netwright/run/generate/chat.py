"""Chat templates from model files: rendered in a sandbox with caps on size and work."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from itertools import islice
from typing import Any, Final, NoReturn, TypeVar, cast, final

from jinja2 import TemplateError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from netwright.errors import FormatError, JobError

_T = TypeVar("_T")

MOST_TEMPLATE_BYTES: Final = (
    1 << 16
)  # the largest known have 30 KiB; one of this size compiles in 2 s
MOST_TEXT: Final = 1 << 22  # characters of the output, and of any string built on the way
MOST_BUILT: Final = 1 << 26  # characters of all strings built in one rendering, items counted too
MOST_STEPS: Final = 200_000  # loop rounds and calls together
MOST_SECONDS: Final = 2.0

# Methods and filters whose result can be far larger than what they are given.
_GROWING_METHODS: Final = frozenset(
    {"center", "expandtabs", "format", "format_map", "ljust", "rjust", "zfill", "translate"}
)
_GROWING_FILTERS: Final = (
    *("batch", "center", "filesizeformat", "format", "groupby", "pprint", "slice", "sum"),
    *("urlize", "wordwrap", "xmlattr"),
)


@final
@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `role` is what the template knows (system, user, assistant)."""

    role: str
    content: str


@final
class _Refused(TemplateError):
    """The template asked for more than the caps allow, or raised on purpose."""


@final
class _Budget:
    """Counts the work and the texts of one rendering, and watches the clock."""

    __slots__ = ("_built", "_deadline_seconds", "left")

    def __init__(self) -> None:
        self.refill()

    def refill(self) -> None:
        self.left = MOST_STEPS
        self._built = 0
        self._deadline_seconds = time.monotonic() + MOST_SECONDS

    def spend(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise _Refused(f"more than {MOST_STEPS} loop rounds and calls")
        if time.monotonic() > self._deadline_seconds:
            raise _Refused(f"more than {MOST_SECONDS} seconds of work")

    def built(self, value: _T) -> _T:
        """Counts what a filter, a call or a slice has made: many texts may be kept at once."""
        self.spend(1)
        self._built += _size(value)
        if self._built > MOST_BUILT:
            raise _Refused(f"texts of more than {MOST_BUILT} characters together")
        return value


def _check_length(length: int) -> None:
    if length > MOST_TEXT:
        raise _Refused(f"a text of {length} characters, at most {MOST_TEXT} are allowed")


def _size(value: Any) -> int:
    return len(value) if isinstance(value, str | bytes | list | tuple) else 0  # pyright: ignore


def _kept(value: Any) -> Any:
    return value


def _joined(parts: Iterable[Any]) -> str:
    texts = [str(part) for part in parts]
    _check_length(sum(map(len, texts)))
    return "".join(texts)


@final
class _Sandbox(ImmutableSandboxedEnvironment):
    """Jinja's immutable sandbox, with every loop, call, product and joined text counted."""

    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            extensions=["jinja2.ext.loopcontrols"],
        )
        self.budget = _Budget()
        self.concat = self._weighed(_joined)  # what blocks and macros write
        for name in _GROWING_FILTERS:
            self.filters.pop(name, None)
        self.filters |= {
            "tojson": _to_json,
            "_counted": self._counted,
            "_joined": _joined,
            "_kept": _kept,
            "join": _join,
            "replace": _replace,
            "indent": _indent,
        }
        self.filters = {name: self._weighed(found) for name, found in self.filters.items()}
        self.globals = {
            "range": self._range,
            "namespace": self.globals["namespace"],
            "dict": dict,
            "raise_exception": _raise,
            "strftime_now": _strftime_now,
        }

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree = super()._parse(source, name, filename)
        # parents before children: wrapping a node leaves what is inside it to be found
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = _filter(loop.iter, "_counted")
        _join_through_filter(tree)
        return tree

    def call(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        return self.budget.built(self._called(context, function, *args, **kwargs))

    def _called(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        owner = getattr(function, "__self__", None)
        if isinstance(owner, str | bytes):
            name = getattr(function, "__name__", "")
            if name in _GROWING_METHODS:
                raise _Refused(f"the text method {name} is not available")
            if name == "replace" and len(args) >= 2:
                return _replace(str(owner), str(args[0]), str(args[1]), *args[2:3])
            if name == "join" and len(args) == 1:
                return _join(args[0], str(owner))
        return super().call(context, function, *args, **kwargs)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        self.budget.spend(1)
        if operator == "+":
            _check_length(_size(left) + _size(right))
        elif operator == "*":
            for several, times in ((left, right), (right, left)):
                if _size(several) and isinstance(times, int):
                    _check_length(_size(several) * times)
        elif isinstance(left, str | bytes):
            raise _Refused("formatting with % is not available")
        if isinstance(left, int) and isinstance(right, int) and operator in ("*", "**"):
            bits = left.bit_length() * (right if operator == "**" else 1)
            if bits + right.bit_length() > 4096:
                raise _Refused("a number of more than 4096 bits")
        return self.budget.built(super().call_binop(context, operator, left, right))

    def _weighed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A filter whose result is counted; jinja's marks on it stay."""

        @wraps(function)
        def weighed(*args: Any, **kwargs: Any) -> Any:
            return self.budget.built(function(*args, **kwargs))

        return weighed

    def _counted(self, items: Iterable[Any]) -> list[Any]:
        found = list(islice(items, self.budget.left + 1))
        self.budget.spend(len(found))
        return found

    def _range(self, *bounds: int) -> range:
        found = range(*bounds)
        self.budget.spend(len(found))
        return found


def _filter(node: Any, name: str) -> nodes.Filter:
    return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno)


def _join_through_filter(node: nodes.Node) -> None:
    """Replaces every `a ~ b` and `a[b:c]` below this node by filters that count what they make."""
    for child in node.iter_child_nodes():
        _join_through_filter(child)
    for field, value in node.iter_fields():
        if isinstance(value, list):
            items = cast("list[Any]", value)
            items[:] = [_as_filter(item) for item in items]
        elif isinstance(value, nodes.Concat | nodes.Getitem):
            setattr(node, field, _as_filter(value))


def _as_filter(item: Any) -> Any:
    if isinstance(item, nodes.Concat):
        return _filter(nodes.List(item.nodes, lineno=item.lineno), "_joined")
    # jinja compiles a slice to Python's own: it never comes to `getitem`
    if isinstance(item, nodes.Getitem) and isinstance(item.arg, nodes.Slice):
        return _filter(item, "_kept")
    return item


def _join(items: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    if attribute is not None:
        raise _Refused("join by attribute is not available")
    texts = [str(item) for item in islice(items, MOST_STEPS)]
    _check_length(sum(map(len, texts)) + len(separator) * len(texts))
    return separator.join(texts)


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    text = str(text)
    found = text.count(old)
    times = found if count < 0 else min(found, count)
    _check_length(len(text) + max(0, len(new) - len(old)) * times)
    return text.replace(old, new, times)


def _indent(text: str, width: int | str = 4, first: bool = False, blank: bool = False) -> str:
    text = str(text)
    mark = width if isinstance(width, str) else " " * min(width, 256)
    _check_length(len(text) + (text.count("\n") + 1) * len(mark))
    lines = text.split("\n")
    kept = [mark + s if (s or blank) and (i or first) else s for i, s in enumerate(lines)]
    return "\n".join(kept)


def _to_json(value: Any, indent: int | None = None) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=None if indent is None else min(indent, 16))
    _check_length(len(text))
    return text


def _raise(message: str = "") -> NoReturn:
    raise _Refused(message)


def _strftime_now(form: str) -> str:
    return datetime.now(UTC).strftime(form[:64])


@final
class ChatTemplate:
    """A compiled chat template: messages → prompt text."""

    __slots__ = ("_sandbox", "_source", "_template", "_tokens")

    def __init__(self, text: str, tokens: Mapping[str, str], source: str) -> None:
        """`tokens` are texts such as bos_token; `source` names the file for errors.

        Raises:
            FormatError: the template is too large or is not valid Jinja.
        """
        size = len(text.encode(errors="replace"))
        if size > MOST_TEMPLATE_BYTES:
            raise FormatError(
                f"{source}: tokenizer.chat_template has {size} bytes, "
                f"expected at most {MOST_TEMPLATE_BYTES}; give the prompt as plain text"
            )
        self._sandbox = _Sandbox()
        self._tokens = dict(tokens)
        self._source = source
        self._template = self._guard(lambda: self._sandbox.from_string(text))

    def render(self, messages: Sequence[Message], *, continues: bool = True) -> str:
        """The prompt text, ending where the assistant speaks when `continues`.

        Raises:
            FormatError: the template failed, or went beyond the caps.
            JobError: there is no message.
        """
        if not messages:
            raise JobError("chat: got no message, expected at least one")
        self._sandbox.budget.refill()
        turns = [{"role": m.role, "content": m.content} for m in messages]
        values = {**self._tokens, "messages": turns, "add_generation_prompt": continues}
        return self._guard(lambda: self._collect(values))

    def _collect(self, values: Mapping[str, Any]) -> str:
        parts: list[str] = []
        length = 0
        for part in self._template.generate(values):
            length += len(part)
            _check_length(length)
            parts.append(part)
        return "".join(parts)

    def _guard(self, action: Callable[[], _T]) -> _T:
        try:
            return action()
        except (RecursionError, MemoryError) as error:
            reason = f"{type(error).__name__}: it nests or grows without end"
        # a template is code from outside: whatever it raises is a fault of the file
        except Exception as error:
            reason = str(error) or type(error).__name__
        raise FormatError(
            f"{self._source}: tokenizer.chat_template failed: {reason}; "
            "give the prompt as plain text, or mend the template"
        )
