"""A bad machine file is refused with its file, its field and a remedy; nothing hangs or crashes."""

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from netwright.errors import MachineError
from netwright.machine.build import build
from netwright.machine.document import MOST_BYTES, parse
from netwright.machine.load import LIBRARY, load_file, machine

GOOD = (LIBRARY / "raspberry-pi-5.yaml").read_text()


def changed(tmp_path: Path, old: str, new: str) -> Path:
    assert old in GOOD
    path = tmp_path / "bad.yaml"
    path.write_text(GOOD.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("kind: cpu", "kind: toaster", "kind"),
        ("capacity_bytes: 65536", "capacity_bytes: -1", "memories.0.capacity_bytes"),
        ("capacity_bytes: 65536", "capacity: 65536", "memories.0.capacity"),
        ("read_bytes_per_second: 1.71e+10", "read_bytes_per_second: .nan", "memories.3.read_bytes"),
        ("cost_model: roofline", "cost_model: guess", "units.core.cost_model"),
        ("cost_model: roofline", "cost_model: table", "units.core.tables"),
        ("memories: [l1, l2, l3, dram]", "memories: [l1, l9]", "units.core.memories"),
        ("memories: [l1, l2, l3, dram]", "memories: [l1]", "memories.l1.read_bytes_per_second"),
        ("rates: {fp32:", "rates: {fp33:", "units.core.rates"),
        ("source: core", "source: nobody", "units.core.source"),
        ("launch_seconds: 2.0e-07", "launch_seconds: -1", "launch_seconds"),
        ("count: 1}", "count: 0}", "axes.0.count"),
        ("name: l2", "name: l1", "memories"),
    ],
)
def test_the_message_names_file_and_field(tmp_path: Path, old: str, new: str, field: str) -> None:
    path = changed(tmp_path, old, new)
    with pytest.raises(MachineError) as caught:
        load_file(path)
    assert str(path) in str(caught.value)
    assert field in str(caught.value)


def test_an_alias_is_refused() -> None:
    with pytest.raises(MachineError, match="alias"):
        parse("a: &x [1]\nb: *x\n", "bomb.yaml")


def test_a_tag_is_refused() -> None:
    with pytest.raises(MachineError, match="not a readable YAML"):
        parse("a: !!python/object/apply:os.system [ls]\n", "evil.yaml")


def test_a_mapping_of_thousands_of_keys_is_read() -> None:
    # Once in time quadratic in their number.
    text = "".join(f"k{i}: 0\n" for i in range(5000))
    assert len(parse(text, "m.yaml")) == 5000
    with pytest.raises(MachineError, match="'k7' stands twice"):
        parse(text + "k7: 1\n", "m.yaml")


def test_a_key_twice_is_refused() -> None:
    with pytest.raises(MachineError, match="twice"):
        parse("a: 1\na: 2\n", "twice.yaml")


@pytest.mark.parametrize("text", ["[" * 5000, "a: " + "{b: " * 300, "- " * 400 + "x"])
def test_deep_nesting_is_refused(text: str) -> None:
    with pytest.raises(MachineError, match=r"deeper|readable"):
        parse(text, "deep.yaml")


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_text("#" * (MOST_BYTES + 1))
    with pytest.raises(MachineError, match="larger than"):
        load_file(path)


def test_a_circle_of_extends_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "circle.yaml"
    path.write_text("extends: circle.yaml\nname: circle\n")
    with pytest.raises(MachineError, match="circular"):
        load_file(path)


def test_an_unknown_base_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "orphan.yaml"
    path.write_text("extends: nothing\nname: orphan\n")
    with pytest.raises(MachineError, match="neither a machine of the library nor a file"):
        load_file(path)


def test_a_near_name_is_offered() -> None:
    with pytest.raises(MachineError, match="h100-sxm"):
        machine("h100-smx")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"gone\.yaml: cannot be read"):
        machine(tmp_path / "gone.yaml")


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_wrong_value_is_a_machine_error(data: st.DataObject) -> None:
    document = yaml.safe_load(GOOD)
    node = document
    while True:
        keys = list(node) if isinstance(node, dict) else list(range(len(node)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(node[key], (dict, list)) and node[key] and data.draw(st.booleans()):
            node = node[key]
            continue
        node[key] = data.draw(VALUES)
        break
    with contextlib.suppress(MachineError):
        build(document, "mutated.yaml")


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.text(min_size=1, max_size=4))
def test_any_wrong_text_is_a_machine_error(position: int, text: str) -> None:
    mutated = GOOD[:position] + text + GOOD[position + 1 :]
    with contextlib.suppress(MachineError):
        build(parse(mutated, "mutated.yaml"), "mutated.yaml")
