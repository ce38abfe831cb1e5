"""Edits of a machine file's tree, so that most cases get past the YAML parser to the schema."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from functools import lru_cache
from random import Random
from typing import Any

import yaml

from .mutate import mutate
from .mutate_json import edit_tree

_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 2, 7, 1 << 20, 1 << 40, 2**53 + 1, 2**63, 2**64, 10**300, 10**400,
    -(10**400),
    0.5, -0.0, 5e-324, 1e-30, 1e30, 1e300, math.inf, -math.inf, math.nan, "", "a", "x" * 5000,
    "\u202e",
    "1e3", "fp32", "int8", "q4_1", "sram", "dram", "h100-sxm", "here", "../../etc/passwd",
    [], {}, [[]], [0], [{}], {"": None}, {"name": "x"}, [1.0] * 300,
)  # fmt: skip
_PARENTS = ("h100-sxm", "cortex-m4", "frontier", "case.yaml", "./case.yaml", "..", "nothing", 7)
_BOMBS = (
    "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
    "? " * 200 + "\n",
    "- " * 200 + "\n",
    "k: !!python/object/apply:os.system [true]\n",
    "".join(f"k{i}: {i}\n" for i in range(20000)),
    "k: " + "9" * 5000 + "\n",
    "k: 1" + ":59" * 1300 + "\n",
    "k: 0b" + "1" * 4000 + "\n",
    "<<: {a: 1}\n" * 3,
    "k: |\n  " + "x" * 5000 + "\n",
    "%YAML 1.2\n---\n",
    "--- {}\n--- {}\n",
    "{[a]: b}\n",
)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


@lru_cache(maxsize=256)
def _tree(seed: bytes) -> Any:
    return yaml.safe_load(seed)


def mutate_yaml(seed: bytes, donors: Sequence[bytes], random: Random) -> bytes:
    """A quarter of the cases edits bytes; some others extend a file, or hold a bomb."""
    kind = random.random()
    if kind < 0.25:
        return mutate(seed, donors, random)
    if kind < 0.3:
        where = random.choice((0, len(seed)))
        return seed[:where] + random.choice(_BOMBS).encode() + seed[where:]
    tree = deepcopy(_tree(seed))
    if random.random() < 0.3 and isinstance(tree, dict):
        tree["extends"] = random.choice(_PARENTS)
    tree = edit_tree(tree, random, _VALUES)
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True).encode()
