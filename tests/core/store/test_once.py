"""What is made once per process can be asked for while it is being asked for."""

import threading

import pytest

from metaxy_core.store.backends.duckdb_instances import Instances
from metaxy_core.store.once import Once


class Asking:
    """A key or setting that asks for another one as it is compared, as a collector may anywhere."""

    def __init__(self, ask):
        self._ask = ask

    def __hash__(self):
        return 1

    def __eq__(self, other):
        self._ask()
        return self is other


def ends(call):
    """Whether a call comes to an end."""
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(10)
    return not thread.is_alive()


def test_a_thing_can_be_asked_for_while_another_one_is():
    once: Once[str] = Once()
    keys = [Asking(lambda: once.get("inner", lambda: "made")) for _ in range(2)]

    assert ends(lambda: [once.get(key, lambda: "outer") for key in keys])
    assert once.get(keys[0], lambda: "anew") == "outer"


def test_an_instance_can_be_given_back_while_one_is_taken():
    instances = Instances()
    first, second = instances.take({}), instances.take({})
    nothing = {"tables": [], "frames": [], "catalogs": []}
    left, taken = [second], []

    class Threads(int):
        def __eq__(self, other):
            if left:
                instances.give_back({}, left.pop(), **nothing)
            return int(self) == int(other)

        __hash__ = int.__hash__

    instances.give_back({"threads": Threads(1)}, first, **nothing)

    assert ends(lambda: taken.append(instances.take({"threads": Threads(1)})))
    assert taken == [first]
    assert instances.take({}) is second


def test_the_least_recently_used_thing_goes_first():
    once: Once[int] = Once(limit=2)
    for key, made in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        once.get(key, lambda made=made: made)

    assert (once.get("a", lambda: 5), once.get("b", lambda: 6)) == (1, 6)


@pytest.mark.parametrize("threads", [8])
def test_threads_ask_side_by_side(threads):
    once: Once[int] = Once(limit=3)
    wrong: list[tuple[int, int]] = []

    def ask():
        for number in range(2_000):
            key = number % 7
            if (found := once.get(key, lambda key=key: key)) != key:
                wrong.append((key, found))

    asking = [threading.Thread(target=ask) for _ in range(threads)]
    for each in asking:
        each.start()
    for each in asking:
        each.join()

    assert wrong == []
