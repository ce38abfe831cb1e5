"""A whole network on an array: one plan, one program, one timeline."""

from pathlib import Path

import pytest

from netwright.errors import MachineError, UnsupportedError
from netwright.graph.zoo.resnet import ResnetSizes, resnet
from netwright.job.job import Goal, Infer, Limits
from netwright.machine.build import build, dump
from netwright.machine.load import machine
from netwright.path.prepare import Request, make
from netwright.plan.make import make_plan
from netwright.plan.plan import Plan

ATTENTION = Path(__file__).parents[3] / "examples" / "attention.py"
SMALL = resnet(ResnetSizes(layers=(1, 1), width=16, image=32, classes=10), seed=None)


@pytest.fixture(scope="module")
def small() -> Plan:
    return make_plan(SMALL, machine("edge-tpu-like"), Infer())


def test_the_timeline_is_what_was_predicted(small: Plan) -> None:
    timeline = small.lower().simulate()
    (prediction,) = small.predictions
    assert timeline.seconds == pytest.approx(prediction.seconds)
    assert timeline.joules == pytest.approx(prediction.joules)
    assert prediction.certificate.bound is not None
    assert prediction.certificate.bound <= prediction.seconds
    assert len(timeline.spans) == len(small.program.entries[0].tasks)


def test_every_sum_of_products_is_explained(small: Plan) -> None:
    text = small.explain()
    assert text.count("mapping of ") == 6
    for word in ("weight-register", "dram", "side by side", "multiply-accumulates for each"):
        assert word in text


def test_the_same_question_has_the_same_answer(small: Plan) -> None:
    again = make_plan(SMALL, machine("edge-tpu-like"), Infer())
    assert again.decisions == small.decisions


def test_less_energy_when_that_is_the_goal(small: Plan) -> None:
    frugal = make_plan(SMALL, machine("edge-tpu-like"), Infer(goal=Goal.JOULES))
    (ours,), (other,) = frugal.predictions, small.predictions
    assert ours.joules is not None
    assert other.joules is not None
    assert ours.joules <= other.joules


def test_a_limit_that_does_not_hold_is_said() -> None:
    job = Infer(limits=Limits(memory_bytes=1000))
    made = make_plan(SMALL, machine("edge-tpu-like"), job)
    assert made.infeasible is not None
    assert made.infeasible.demand > 1000


def test_no_kernel_runs_it_here(small: Plan) -> None:
    with pytest.raises(UnsupportedError, match="array of edge-tpu-like"):
        small.program.run({})


def test_attention_is_planned_from_python_with_its_passes() -> None:
    """FuseMax (arXiv 2406.10491): three passes as defined, two, or one."""
    made = make(Request(str(ATTENTION), "spatial-256x256", Infer()))
    (passes,) = (d for d in made.decisions if d.subject.startswith("passes"))
    said = [passes.chosen, *(a.name for a in passes.alternatives)]
    assert sum("passes 3 over s" in text for text in said) == 1
    assert sum("passes 2 over s" in text for text in said) == 1
    assert sum("nothing is kept" in text for text in said) == 1
    assert "keeps 4.1 kB" in passes.chosen


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("axes", [{"name": "d1", "size": 8, "dims": ["rows"]}], "got 'rows'"),
        (
            "levels",
            [{"memory": "dram", "operands": ["inputs"], "serves": ["d1", "d2", "d3", "d4"]}],
            "no level",
        ),
        ("levels", [{"memory": "flash", "operands": ["inputs"], "serves": []}], "got 'flash'"),
    ],
)
def test_an_array_that_is_not_whole_is_refused(field: str, value: object, problem: str) -> None:
    document = dump(machine("edge-tpu-like"))
    document["units"][0]["array"][field] = value
    with pytest.raises(MachineError, match=problem):
        build(document, "here.yaml")
