"""Goals become a plan, and a plan picks the front and the best."""

from __future__ import annotations

from typing import Any

import pytest

from nasdsl.language.settings import Entry
from nasdsl.study import choice
from nasdsl.study.plan import Ball, read_plan
from nasdsl.study.records import Measured, Trial
from nasdsl.study.run_settings import settings_of
from tests.study.worked import TEXT, plan_of, space


def names(pairs: Any) -> list[str]:
    return [name for name, *_ in pairs]


def test_the_plan_of_a_file() -> None:
    plan = plan_of(space())
    assert [(a.name, a.maximize) for a in plan.aims] == [
        ("accuracy", True),
        ("flatness.neighborhood", True),
        ("params", False),
    ]
    assert names(plan.measured) == ["accuracy", "params"]
    assert [(a.name, a.source, a.ball) for a in plan.aggregates] == [
        ("flatness.neighborhood", "accuracy", Ball(3))
    ]
    assert plan.whole == {"params"}
    assert plan.best is None


def test_accuracy_is_measured_where_a_neighborhood_needs_it() -> None:
    plan = plan_of(space("objective { maximize flatness.neighborhood }\nsearch random\n"))
    assert names(plan.measured) == ["accuracy"]
    assert [a.name for a in plan.aims] == ["flatness.neighborhood"]
    assert plan.balls == (Ball(0),)


def test_nothing_said_is_accuracy() -> None:
    plan = plan_of(space("search random\n"))
    assert [(a.name, a.maximize) for a in plan.aims] == [("accuracy", True)]


def test_a_radius_is_that_of_the_goal_or_of_the_file() -> None:
    goals = """objective { maximize flatness.neighborhood(samples=2),
      maximize flatness.neighborhood(samples=2, radius=2) }
    search random
    """
    plan = plan_of(space(goals))
    assert plan.balls == (Ball(2, None), Ball(2, 2))
    assert [ball.name for ball in plan.balls] == ["samples=2", "samples=2 radius=2"]


def test_two_goals_of_one_metric_have_names_of_their_own() -> None:
    goals = """objective { minimize flatness.weights(copies=2),
      minimize flatness.weights(copies=2, sigma=0.1) }
    search random
    """
    plan = plan_of(space(goals))
    assert names(plan.measured) == [
        "flatness.weights",
        "flatness.weights(copies=2, sigma=0.1)",
    ]


def test_na_random_alone_picks_by_its_score() -> None:
    plan = plan_of(space("objective { maximize accuracy }\nsearch na_random { neighbors 4 }\n"))
    assert [a.name for a in plan.aims] == ["accuracy", "flatness.neighborhood"]
    assert plan.balls == (Ball(4),)
    assert plan.best is not None
    assert (plan.best.name, plan.best.maximize) == ("flatness.neighborhood", True)


def test_mistakes_in_goals_are_all_told() -> None:
    made = space()
    goals = [
        type(made.goals[0])("maximize", Entry(name))
        for name in ("acuracy", "params", "flatness.neighbourhood")
    ]
    made.blocks = type(made.blocks)(goals=tuple(goals))
    _, problems = read_plan(made, 0, None, None)
    assert [p.code for p in problems] == ["NAS711", "NAS711"]
    settings, found = settings_of(made)
    assert settings is None
    assert len(found) == 2


def test_settings_of_a_file_without_any() -> None:
    settings, found = settings_of(space("", TEXT))
    assert found == []
    assert settings is not None
    assert settings.search.kind.name == "random"
    assert settings.data.source == "digits"
    assert not settings.report.retrain


# Judging


def test_a_center_is_judged_by_its_ball() -> None:
    plan = plan_of(space())
    (ball,) = plan.balls

    def judge(own: float, *others: Measured | None) -> Measured:
        return plan.judge(Measured("complete", None, {"accuracy": own}), {ball: others})

    def sound(value: float) -> Measured:
        return Measured("complete", None, {"accuracy": value})

    failed = Measured("failed", "out of memory", {"accuracy": 1.0})
    assert judge(50, sound(20), sound(80)).values == {"flatness.neighborhood": 50.0}
    assert judge(50, sound(20), failed).values == {"flatness.neighborhood": 35.0}
    assert "1 of 2 neighbors failed" in str(judge(50, sound(20), failed).reason)
    assert judge(50, failed, failed).state == "failed"
    cut = judge(50, sound(20), None)
    assert (cut.state, cut.values) == ("complete", {})
    assert "room for 1 of 2 neighbors" in str(cut.reason)
    alone = judge(50)
    assert (alone.state, alone.values) == ("complete", {"flatness.neighborhood": 50.0})
    own = plan.judge(Measured("failed", "out of memory"), {ball: (sound(1),)})
    assert (own.state, own.reason) == ("failed", "out of memory")


# Choosing


def row(number: int, accuracy: float | None, params: float, **options: Any) -> Trial:
    objectives = {"accuracy": accuracy, "params": params}
    options.setdefault("state", "complete")
    sound = {k: v for k, v in objectives.items() if v is not None}
    return Trial(number, f"f{number}", number, objectives=sound, **options)


GOALS = "objective { maximize accuracy, minimize params }\nsearch random\n"


def test_front_and_best_are_of_sound_centers() -> None:
    plan = plan_of(space(GOALS))
    rows = [
        row(0, 80, 100),
        row(1, 99, 1, role="neighbor", center=0),
        row(2, 99, 1, state="failed"),
        row(3, 60, 10),
        row(4, 70, 200),
        row(5, None, 5),
        row(6, 99, 1, state="running"),
        row(7, 10, 9),
    ]
    assert [t.number for t in choice.front(rows, plan)] == [0, 3, 7]
    best = choice.best(rows, plan)
    assert best is not None
    assert best.number == 3
    assert choice.best(rows[1:3], plan) is None


@pytest.mark.parametrize(
    ("said", "number"), [("", 3), ("best maximize accuracy\n", 0), ("best minimize params\n", 7)]
)
def test_best_is_the_knee_unless_the_file_says(said: str, number: int) -> None:
    plan = plan_of(space(GOALS + said))
    found = choice.best([row(0, 80, 100), row(3, 60, 10), row(7, 10, 9)], plan)
    assert found is not None
    assert found.number == number
