"""What a run asks of its host before it changes anything."""

from pyinfra.api.facts import FactBase
from pyinfra.api.host import Host


def ask_once(host: Host) -> None:
    """Let the host answer each question once until the run executes.

    Until then nothing changes, and pages ask the same of the host over and over: more than half of all questions.
    """
    ask = host.get_fact
    answers: dict[str, object] = {}

    def remembered(fact: type[FactBase[object]], *words: object, **named: object) -> object:
        if host.state is not None and host.state.is_executing:
            return ask(fact, *words, **named)
        question = f"{fact} {words} {named}"
        if question not in answers:
            answers[question] = ask(fact, *words, **named)
        return answers[question]

    host.get_fact = remembered  # type: ignore[assignment, method-assign] # for this host, as long as the run lasts
