"""Chat templates: the real one, what templates use, and what hostile ones try."""

from __future__ import annotations

import time

import pytest

from netwright.errors import FormatError, JobError
from netwright.frontends.gguf_file import read_gguf
from netwright.frontends.packages import package_file
from netwright.run.generate.chat import MOST_TEMPLATE_BYTES, ChatTemplate, Message
from netwright.run.generate.load import gguf_chat_template

USER = Message("user", "Hi")
TURNS = (Message("system", "Be brief."), USER, Message("assistant", "Yes?"), Message("user", "1+1"))


def render(text: str, **tokens: str) -> str:
    return ChatTemplate(text, tokens, "m.gguf").render([USER])


@pytest.mark.network
def test_smollm2() -> None:
    template = gguf_chat_template(read_gguf(package_file("smollm2")))
    assert template is not None
    assert template.render([USER]) == (
        "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face"
        "<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert template.render(TURNS, continues=False).startswith("<|im_start|>system\nBe brief.")
    assert template.render(TURNS, continues=False).endswith("1+1<|im_end|>\n")


# Shaped as the published templates of llama 3, gemma 2 and qwen 2.5 are.
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + "
    "'<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
)
GEMMA = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
    "{% endif %}{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}{{ m['role'] ~ '|' ~ m.content }}"
    "{% if not loop.last %}\n{% endif %}{% endfor %}"
)
TOOLS = (
    "{%- set ns = namespace(n=0) %}{%- for m in messages[::-1] %}{%- set ns.n = ns.n + 1 %}"
    "{%- endfor %}{%- if tools is defined and tools %}x{%- endif %}{{ ns.n }}"
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}"
    "{{ {'a': messages[0].content} | tojson }}{{ messages[0].content.strip().split('i')[0] }}"
    "{{ ['x', 'y'] | join(', ') }}{{ 'a-b'.replace('-', '+') }}{{ 'ab'.startswith('a') }}"
)


def test_what_templates_use() -> None:
    assert render(LLAMA3, bos_token="<s>") == (
        "<s><|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
    )
    assert render(GEMMA) == "user|Hi"
    assert render(TOOLS) == '11{"a": "Hi"}Hx, ya+bTrue'
    template = ChatTemplate(GEMMA, {}, "m.gguf")
    with pytest.raises(FormatError, match=r"m\.gguf.*System role not supported"):
        template.render(TURNS)
    with pytest.raises(JobError, match="no message"):
        template.render([])


HOSTILE = {
    "nested loops": "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}",
    "calls": "{% macro m(n) %}{% if n %}{{ m(n-1) }}{{ m(n-1) }}{% endif %}{% endmacro %}"
    "{{ m(60) }}",
    "recursion": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "doubling ~": "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}"
    "{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    "doubling +": "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(60) %}"
    "{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "doubling set": "{% set s0 %}xxxxxxxx{% endset %}"
    + "".join(f"{{% set s{i + 1} %}}{{{{ s{i} }}}}{{{{ s{i} }}}}{{% endset %}}" for i in range(50)),
    "product": "{{ 'x' * 10**12 }}",
    "list product": "{{ [0] * 10**12 }}",
    "power": "{{ 10 ** 9999999999 }}",
    "format": "{{ '%99999999999d' % 1 }}",
    "format method": "{{ '{:>99999999999}'.format(1) }}",
    "format filter": "{{ '%99999999999d' | format(1) }}",
    "center": "{{ 'x' | center(99999999999) }}",
    "ljust": "{{ 'x'.ljust(99999999999) }}",
    "indent": "{{ ('x\n' * 99999) | indent(99999) }}",
    "replace": "{{ ('x' * 99999).replace('x', 'y' * 99999) }}",
    "replace filter": "{{ ('x' * 99999) | replace('x', 'y' * 99999) }}",
    "join": "{{ ('x' * 99999).join(range(99999)) }}",
    "attributes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals": "{{ raise_exception.__globals__['json'] }}",
    "self": "{{ self._TemplateReference__context.environment.budget }}",
    "mutation": "{{ messages.append(1) }}",
    "include": "{% include '/etc/passwd' %}",
    "import": "{% import 'os' as os %}",
    "syntax": "{% for %}",
    "slow work": "{% for i in range(50000) %}{% set x = ('x' * 999999) | upper %}{% endfor %}",
    "deep": "{{ " + "(" * 9000 + "1" + ")" * 9000 + " }}",
    "unknown filter": "{{ 1 | nothing }}",
    "divide": "{{ 1 / 0 }}",
    "too large": "x" * (MOST_TEMPLATE_BYTES + 1),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_templates_end_soon(name: str) -> None:
    start = time.process_time()
    with pytest.raises(FormatError, match=r"m\.gguf: tokenizer\.chat_template"):
        assert render(HOSTILE[name]) is None
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    "piece", ["b|upper", "b[1:]", "b.title()", "b ~ i", "b + 'x'", "'ab' * 1000000"]
)
def test_texts_kept_together_are_bounded(piece: str) -> None:
    keep = (
        "{% set ns = namespace(x=[]) %}{% set b = 'ab' * 1000000 %}"
        "{% for i in range(9999) %}{% set ns.x = ns.x + [" + piece + "] %}{% endfor %}"
    )
    with pytest.raises(FormatError, match="together"):
        render(keep)


def test_blocks_kept_together_are_bounded() -> None:
    keep = (
        "{% set ns = namespace(x=[]) %}{% set b = 'ab' * 1000000 %}{% for i in range(9999) %}"
        "{% set y %}{{ b }}{% endset %}{% set ns.x = ns.x + [y] %}{% endfor %}"
    )
    with pytest.raises(FormatError, match="together"):
        render(keep)


def test_slices_are_still_slices() -> None:
    assert render("{{ messages[0].content[1:] }}{{ 'abcdef'[::2] }}{{ messages[:1]|length }}") == (
        "iace1"
    )
