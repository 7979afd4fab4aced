"""A run asks each question once while it loads pages, and each time while it executes."""

from types import SimpleNamespace

import pytest

from deploys.kit.facts import Probe
from deploys.kit.run import questions
from deploys.kit.run.steps import Steps


class Counting:
    """A host whose answer is the number of questions that reached it."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers = True
        self.state = SimpleNamespace(is_executing=False)

    def get_fact(self, fact: object, *words: object, **named: object) -> object:
        del fact, words, named
        if not self.answers:
            raise ConnectionError
        self.asked += 1
        return self.asked


@pytest.fixture
def counting() -> Counting:
    host = Counting()
    questions.ask_once(host)  # type: ignore[arg-type] # what it uses of a host
    return host


def test_a_question_reaches_the_host_once_until_the_run_executes(counting: Counting) -> None:
    assert [counting.get_fact(Steps) for _ in range(3)] == [1, 1, 1]
    counting.state.is_executing = True
    assert [counting.get_fact(Steps) for _ in range(3)] == [2, 3, 4]


def test_each_other_question_reaches_the_host(counting: Counting) -> None:
    asked = [(Steps,), (Probe, "true"), (Probe, "false"), (Probe, "true", 5)]
    answers = [counting.get_fact(*words) for words in asked]
    answers.append(counting.get_fact(Probe, command="true"))
    assert answers == [1, 2, 3, 4, 5]


def test_a_question_without_an_answer_is_asked_again(counting: Counting) -> None:
    counting.answers = False
    with pytest.raises(ConnectionError):
        counting.get_fact(Steps)
    counting.answers = True
    assert counting.get_fact(Steps) == 1


def test_each_host_has_its_own_answers(counting: Counting) -> None:
    other = Counting()
    other.asked = 10
    questions.ask_once(other)  # type: ignore[arg-type] # the same
    assert (counting.get_fact(Steps), other.get_fact(Steps)) == (1, 11)
