"""The table of formats in docs/formats.md: `python -m netwright.graph.format` prints it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from netwright.graph.format.base import Format
from netwright.graph.format.block_float import BlockFloat, Microscaling
from netwright.graph.format.float import BFloat16, Float
from netwright.graph.format.group import AffineGroup, SymmetricGroup
from netwright.graph.format.integer import Boolean, Integer
from netwright.graph.format.minifloat import MiniFloat, Special, minifloat_values
from netwright.graph.format.normal_float import NF4
from netwright.graph.format.power_of_two import PowerOfTwo
from netwright.graph.format.registry import FORMATS
from netwright.graph.format.spike import Spike
from netwright.graph.format.ternary import Ternary

_GGML = "ggml-quants.c of ggml"
_OCP = "OCP Microscaling Formats (MX) v1.0"
# What an element is, and the source, of the formats that GGUF files hold.
_GGUF: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "q4_0": ("d · (-8…7), d fp16", _GGML),
        "q4_1": ("d · (0…15) + m, d and m fp16", _GGML),
        "q5_0": ("d · (-16…15), d fp16", _GGML),
        "q5_1": ("d · (0…31) + m, d and m fp16", _GGML),
        "q8_0": ("d · (-127…127), d fp16", _GGML),
        "q2_k": ("d · (0…15) · (0…3) - m · (0…15), groups of 16", _GGML),
        "q3_k": ("d · (-32…31) · (-4…3), groups of 16", _GGML),
        "q4_k": ("d · (0…63) · (0…15) - m · (0…63), groups of 32", _GGML),
        "q5_k": ("d · (0…63) · (0…31) - m · (0…63), groups of 32", _GGML),
        "q6_k": ("d · (-128…127) · (-32…31), groups of 16", _GGML),
        "tq1_0": ("d · {-1, 0, 1}, five digits a byte, d fp16", _GGML + " (pull request 8151)"),
        "tq2_0": ("d · {-1, 0, 1}, four digits a byte, d fp16", _GGML + " (pull request 8151)"),
    }
)


def table() -> str:
    """The Markdown table: one row a format, in the order of FORMATS."""
    rows = [
        "| name | bits an element | block | bytes | an element | error | source |",
        "|---|---:|---:|---:|---|---:|---|",
    ]
    for form in FORMATS:
        meaning, source = facts(form)
        error = normal_error(form)
        shown = "" if error is None else f"{error:.2g}"
        rows.append(
            f"| `{form.name}` | {form.bits_per_element:.6g} | {form.block_elements} | "
            f"{form.block_bytes} | {meaning} | {shown} | {source} |"
        )
    return "\n".join(rows) + "\n"


def facts(form: Format) -> tuple[str, str]:
    """What an element can be, and the paper or specification of the format."""
    if form.name in _GGUF:
        return _GGUF[form.name]
    match form:
        case Float(bits):
            limits = np.finfo(f"f{bits // 8}")
            return _float_range(float(limits.smallest_subnormal), float(limits.max)), "IEEE 754"
        case BFloat16():
            largest = float(np.uint32(0x7F7F0000).view(np.float32))
            return _float_range(2.0**-133, largest), "arXiv 1905.12322"
        case MiniFloat():
            return _minifloat_facts(form)
        case Integer(bits, signed):
            limits = np.iinfo(f"{'i' if signed else 'u'}{bits // 8}")
            return f"{limits.min}…{limits.max}", "two's complement"
        case Boolean():
            return "false, true", ""
        case _:
            return _scaled_facts(form)


def _float_range(least: float, largest: float) -> str:
    return f"±{least:.4g}…{largest:.6g}, infinity, NaN"


def _minifloat_facts(form: MiniFloat) -> tuple[str, str]:
    values = minifloat_values(form)
    special = {Special.IEEE: ", infinity, NaN", Special.NAN_ONLY: ", NaN", Special.NONE: ""}
    reach = f"±{values[1]:.4g}…{values[form.largest_code]:.6g}{special[form.special]}"
    return reach, "arXiv 2209.05433" if form.bits == 8 else _OCP


def _scaled_facts(form: Format) -> tuple[str, str]:
    match form:
        case SymmetricGroup(bits, _, scale):
            top = (1 << (bits - 1)) - 1
            return f"s · (-{top}…{top}), s {scale.name}", "arXiv 2210.17323"
        case AffineGroup(bits, _, scale):
            reach = f"s · ((0…{(1 << bits) - 1}) - z), s {scale.name}, z uint8"
            return reach, "arXiv 1712.05877, 2210.17323"
        case NF4():
            return "s · one of 16 normal quantiles in -1…1, s fp32", "arXiv 2305.14314"
        case Microscaling(element):
            return f"2^e · {element.name}, e -127…127", f"{_OCP}, arXiv 2310.10537"
        case BlockFloat(bits):
            top = (1 << (bits - 1)) - 1
            return f"2^(e - {bits - 2}) · (-{top}…{top}), e -127…127", "arXiv 1804.01526"
        case PowerOfTwo():
            reach = f"0 or ±2^(e - {form.levels - 1}…e), e -127…127"
            return reach, "arXiv 1702.03044, 1603.01025"
        case Ternary():
            return "s · {-1, 0, 1}, s fp16", "arXiv 1605.04711"
        case Spike():
            return "0 or 1", ""
        case _:
            raise TypeError(f"{form.name} has no facts: add them to this file")


def normal_error(form: Format) -> float | None:
    """Relative RMS error on 2^15 numbers of N(0, 1); None where real numbers are not its matter."""
    if isinstance(form, Integer | Boolean | Spike):
        return None
    values = np.random.default_rng(0).standard_normal((8, 4096))
    error = form.decode(form.encode(values)) - values
    return float(np.sqrt(np.vdot(error, error) / np.vdot(values, values)))
