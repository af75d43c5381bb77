"""One question is asked once, in the background; who asks gets what is known at once, and is told of news."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from modelfleet.aml.answers import FORGOTTEN_AFTER_S, THREADS, Answer, Answers
from modelfleet.core.errors import NotFound, Throttled, Unreachable

PATIENCE_S = 30
DOWN = Unreachable("No answer came.", reason="AzureTimeout")
GONE = NotFound("ModelNotFound", "It is not there.")


@pytest.fixture(autouse=True)
def no_jitter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(random, "uniform", lambda _low, high: high)


class Azure:
    """Answers questions in threads, as `script` says, the last entry for ever; `hold` makes threads wait."""

    def __init__(self, *script: object) -> None:
        self.now = 1000.0
        self._calls: list[None] = []
        self.told: list[str] = []
        self.answers = Answers(self._tell, lambda: self.now)
        self.script = list(script)
        self.open = threading.Event()
        self.open.set()
        self._news = asyncio.Event()

    def _tell(self, asker: str) -> None:
        self.told.append(asker)
        self._news.set()

    @property
    def calls(self) -> int:
        """How often a thread has asked."""
        return len(self._calls)

    def find(self) -> object:
        """What is called in a thread."""
        self._calls.append(None)
        assert self.open.wait(PATIENCE_S)
        outcome = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def ask(self, asker: str = "a", question: str = "q", fresh_s: float = 100) -> Answer[object]:
        """Ask; the answer is good for `fresh_s`."""
        return self.answers.ask(question, self.find, asker, lambda _: fresh_s)

    async def news(self) -> list[str]:
        """Whoever was told, at least one, since the last time."""
        async with asyncio.timeout(PATIENCE_S):
            await self._news.wait()
        self._news.clear()
        told, self.told = self.told, []
        return sorted(told)

    async def answer(self, asker: str = "a", question: str = "q", fresh_s: float = 100) -> Answer[object]:
        """Ask, and ask again once told."""
        assert self.ask(asker, question, fresh_s).again_s is None
        assert asker in await self.news()
        return self.ask(asker, question, fresh_s)


@pytest.fixture
def azures() -> Iterator[Callable[..., Azure]]:
    made: list[Azure] = []

    def make(*script: object) -> Azure:
        made.append(Azure(*script))
        return made[-1]

    yield make
    for azure in made:
        azure.open.set()
        azure.answers.close()


Make = Callable[..., Azure]


async def test_whoever_asks_first_gets_nothing_and_is_told_of_the_answer(azures: Make) -> None:
    azure = azures("value")
    assert azure.ask() == Answer(None, None, None)
    assert await azure.news() == ["a"]
    assert azure.ask() == Answer("value", None, 100)
    assert azure.calls == 1


async def test_a_question_is_asked_once_however_many_ask(azures: Make) -> None:
    azure = azures("value")
    azure.open.clear()
    askers = [f"{number:03}" for number in range(100)]
    assert {azure.ask(asker) for asker in [*askers, *askers]} == {Answer(None, None, None)}
    azure.open.set()
    assert await azure.news() == askers
    assert {azure.ask(asker) for asker in askers} == {Answer("value", None, 100)}
    assert azure.calls == 1


async def test_questions_are_answered_apart_and_side_by_side(azures: Make) -> None:
    azure = azures("value")
    azure.open.clear()
    for number in range(THREADS * 3):
        azure.ask(f"{number:02}", f"question {number}")
    azure.open.set()
    told: list[str] = []
    while len(told) < THREADS * 3:
        told += await azure.news()
    assert sorted(told) == [f"{number:02}" for number in range(THREADS * 3)]
    assert azure.calls == THREADS * 3


async def test_the_caller_does_not_wait_and_the_search_runs_in_a_thread_of_its_own(azures: Make) -> None:
    azure, threads = azures("value"), set()

    def find() -> object:
        threads.add(threading.current_thread().name)
        return azure.find()

    azure.answers.ask("q", find, "a", lambda _: 100)
    assert azure.calls == 0
    await azure.news()
    assert [name.partition("_")[0] for name in threads] == ["azure"]


async def test_a_fresh_answer_is_given_at_once_and_an_old_one_too_while_it_is_asked_for_again(
    azures: Make,
) -> None:
    azure = azures("first", "second")
    await azure.answer()
    azure.now += 40
    assert azure.ask("b") == Answer("first", None, 60)
    azure.now += 60
    assert azure.ask("b") == Answer("first", None, None)
    assert azure.calls == 1
    await azure.news()
    assert azure.ask("b") == Answer("second", None, 100)


async def test_news_are_for_all_who_asked_before_even_if_they_do_not_wait(azures: Make) -> None:
    azure = azures("first", "second")
    await azure.answer("a")
    azure.ask("b")
    azure.now += 100
    azure.ask("c")
    assert await azure.news() == ["a", "b", "c"]


async def test_news_are_told_once_to_who_does_not_ask_again(azures: Make) -> None:
    azure = azures("first", "second", "third")
    await azure.answer("a")
    azure.now += 100
    azure.ask("b")
    assert await azure.news() == ["a", "b"]
    azure.now += 100
    azure.ask("c")
    assert await azure.news() == ["c"]


async def test_where_nothing_has_changed_only_those_who_wait_are_told(azures: Make) -> None:
    azure = azures("same")
    await azure.answer("a")
    azure.now += 100
    azure.ask("b")
    azure.ask("c")
    assert await azure.news() == ["b", "c"]
    assert azure.ask("b") == Answer("same", None, 100)


async def test_another_error_is_news_and_the_same_again_is_none(azures: Make) -> None:
    azure = azures(DOWN, Unreachable("In other words.", reason="AzureTimeout"), GONE, "value")
    await azure.answer("a")
    azure.now += 60
    azure.ask("b")
    assert await azure.news() == ["b"]
    azure.now += 60
    azure.ask("b")
    assert await azure.news() == ["a", "b"]
    azure.ask("a")
    azure.now += 60
    azure.ask("b")
    assert await azure.news() == ["a", "b"]


async def test_an_error_keeps_the_value_and_ends_with_the_next_answer(azures: Make) -> None:
    azure = azures("old", DOWN, GONE, "new")
    assert await azure.answer() == Answer("old", None, 100)
    azure.now += 100
    assert await azure.answer() == Answer("old", DOWN, 5)
    azure.now += 5
    assert azure.ask() == Answer("old", DOWN, None)
    await azure.news()
    assert azure.ask() == Answer("old", GONE, 10)
    azure.now += 10
    assert await azure.answer() == Answer("new", None, 100)


@pytest.mark.parametrize("error", [DOWN, GONE])
async def test_after_failures_the_pauses_double_up_to_a_minute_and_start_anew_after_success(
    azures: Make, error: Exception
) -> None:
    azure = azures(*[error] * 7, "value", error)
    pauses = []
    for _ in range(9):
        pauses.append((await azure.answer()).again_s)
        azure.now += pauses[-1] or 0
    assert pauses == [5, 10, 20, 40, 60, 60, 60, 100, 5]
    assert azure.calls == 9


async def test_nobody_asks_azure_before_the_pause_is_over(azures: Make) -> None:
    azure = azures(DOWN, "value")
    await azure.answer()
    azure.now += 4.5
    assert azure.ask("b") == Answer(None, DOWN, 0.5)
    assert azure.calls == 1


@pytest.mark.parametrize(("retry_after_s", "pause_s"), [(None, 5), (0, 5), (3, 5), (30, 30), (600, 600)])
async def test_the_pause_is_never_shorter_than_azure_asks_for(
    azures: Make, retry_after_s: float | None, pause_s: float
) -> None:
    azure = azures(Throttled("Slower.", retry_after_s=retry_after_s, reason="AzureThrottled"))
    assert (await azure.answer()).again_s == pause_s


async def test_an_outage_of_a_day_is_survived(azures: Make) -> None:
    azure = azures(*[DOWN] * 1100, "value")
    for _ in range(1100):
        assert (await asyncio.wait_for(azure.answer(), 5)).error is DOWN
        azure.now += 60
    assert (await azure.answer()).value == "value"


async def test_pauses_and_freshness_have_jitter_that_only_shortens(
    azures: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, float]] = []

    def shortest(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    monkeypatch.setattr(random, "uniform", shortest)
    azure = azures("value", DOWN, Throttled("Slower.", retry_after_s=30, reason="AzureThrottled"))
    assert (await azure.answer()).again_s == pytest.approx(90)
    azure.now += 90
    assert (await azure.answer()).again_s == pytest.approx(4)
    azure.now += 4
    assert (await azure.answer()).again_s == 30
    assert asked == [(0.9, 1), (0.8, 1), (0.8, 1)]


async def test_answers_that_came_together_do_not_grow_old_together(
    azures: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    azure = azures("value")
    ages = [(await azure.answer(question=f"question {number}")).again_s or 0 for number in range(50)]
    assert all(90 <= age <= 100 for age in ages)
    assert len(set(ages)) > 1


async def test_how_long_an_answer_is_good_for_may_depend_on_it(azures: Make) -> None:
    azure = azures(7.0, 11.0)
    for expected in (7, 11):
        azure.answers.ask("q", azure.find, "a", lambda found: float(str(found)))
        await azure.news()
        assert azure.ask().again_s == expected
        azure.now += expected


@pytest.mark.parametrize("bug", [KeyError("tok=c2VjcmV0"), ValueError("tok=c2VjcmV0"), AssertionError()])
async def test_what_nobody_foresaw_becomes_an_error_that_repeats_no_word_of_it(
    azures: Make, bug: Exception
) -> None:
    azure = azures("old", bug)
    await azure.answer()
    azure.now += 100
    answer = await azure.answer()
    assert (answer.value, answer.again_s) == ("old", 5)
    assert answer.error
    assert answer.error.reason == "AzureRefused"
    assert "c2VjcmV0" not in str(answer.error)


async def test_questions_that_nobody_asks_for_an_hour_are_forgotten(azures: Make) -> None:
    azure = azures("value")
    for question in ("idle", "asked"):
        await azure.answer(question=question)
    azure.now += FORGOTTEN_AFTER_S / 2 + 1
    await azure.answer(question="asked")
    azure.now += FORGOTTEN_AFTER_S / 2
    await azure.answer(question="new")
    assert azure.ask(question="asked").value == "value"
    assert azure.ask(question="idle").value is None


async def test_what_is_being_asked_is_not_forgotten(azures: Make) -> None:
    azure = azures("value")
    azure.open.clear()
    azure.ask("a", "slow")
    azure.now += FORGOTTEN_AFTER_S + 1
    azure.ask("b", "new")
    azure.ask("c", "slow")
    azure.open.set()
    told: list[str] = []
    while len(told) < 3:
        told += await azure.news()
    assert sorted(told) == ["a", "b", "c"]
    assert azure.calls == 2


def azure_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("azure")]


async def test_after_closing_nobody_is_told_and_what_has_not_begun_is_not_asked(azures: Make) -> None:
    others = set(azure_threads())
    azure = azures("value")
    azure.open.clear()
    begun = threading.Semaphore(0)

    def find() -> Any:
        begun.release()
        return azure.find()

    for number in range(THREADS * 2):
        azure.answers.ask(f"question {number}", find, "a", lambda _: 100)
    for _ in range(THREADS):
        assert await asyncio.to_thread(begun.acquire, timeout=PATIENCE_S)
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    azure.answers.close()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {asyncio.CancelledError}
    azure.open.set()
    for thread in set(azure_threads()) - others:
        await asyncio.to_thread(thread.join, PATIENCE_S)
        assert not thread.is_alive()
    assert (azure.calls, azure.told) == (THREADS, [])


async def test_who_asks_after_closing_gets_an_error_and_no_exception(azures: Make) -> None:
    azure = azures("value")
    azure.answers.close()
    answer = await azure.answer()
    assert (answer.value, answer.error and answer.error.reason, azure.calls) == (None, "AzureRefused", 0)
