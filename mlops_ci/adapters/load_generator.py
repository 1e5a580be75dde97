"""Sends the requests of a load when they are due, whatever becomes of those before (see `core.load`)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from itertools import count

from mlops_ci.adapters.http_exchange import Exchange, Origin
from mlops_ci.core.load import IN_FLIGHT, LoadPlan, Sent, Traffic
from mlops_ci.ports import Reply

PATIENCE = 10.0
"""Seconds after the last request was due in which the service may still answer."""
LARGEST_ANSWER = 1024 * 1024
UNANSWERED = "no whole answer by the end of the load"

Send = Callable[[Exchange, int], Reply]
"""Sends the request of that number."""
Judge = Callable[[int, Reply], str]
"""Says by name what is wrong with the reply to the request of that number."""


def generate(origin: Origin, plan: LoadPlan, send: Send, judge: Judge, *, patience: float = PATIENCE) -> Traffic:
    """The traffic of the plan. Takes the plan's time and `patience` at most: what has no answer by then has failed."""
    load = _Load(origin, plan, send, judge, patience)
    return load.run()


class _Load:
    """Each worker takes the next request, waits until it is due, sends it and waits for the answer: so at most as many
    requests are in flight as there are workers, and one that could not leave in time was held up by the service.
    """

    def __init__(self, origin: Origin, plan: LoadPlan, send: Send, judge: Judge, patience: float) -> None:
        self._origin = origin
        self._plan = plan
        self._send = send
        self._judge = judge
        self._patience = patience
        self._numbers = count()
        self._over = threading.Event()
        self._idle: list[Exchange] = []
        self._all: list[Exchange] = []
        self._sent: list[Sent] = []
        self._failure: BaseException | None = None
        self._begin = 0.0

    def run(self) -> Traffic:
        workers = min(IN_FLIGHT, self._plan.requests)
        threads = [threading.Thread(target=self._work, name=f"load-{number}", daemon=True) for number in range(workers)]
        cpu = time.process_time()
        self._begin = time.perf_counter()
        try:
            for thread in threads:
                thread.start()
            deadline = self._plan.ends + self._patience
            for thread in threads:
                thread.join(max(0.0, deadline - self._now()))
        finally:  # at the deadline, and on an interrupt
            self._end([thread for thread in threads if thread.is_alive()])
        if self._failure is not None:
            raise self._failure
        core_share = (time.process_time() - cpu) / self._now()
        return Traffic(sent=self._sent, core_share=core_share, unsent=self._plan.requests - len(self._sent))

    def _end(self, threads: list[threading.Thread]) -> None:
        self._over.set()
        for thread in threads:
            while thread.is_alive():  # a worker may have been about to send one more
                for exchange in list(self._all):
                    exchange.give_up(UNANSWERED)
                thread.join(0.05)
        for exchange in self._all:
            exchange.close()

    def _now(self) -> float:
        return time.perf_counter() - self._begin

    def _work(self) -> None:
        try:
            while not self._over.is_set() and (number := next(self._numbers)) < self._plan.requests:
                free, due = self._now(), self._plan.due(number)
                wait = due - self._now()
                if wait > 0 and self._over.wait(wait):
                    return
                self._one(number, due, free)
        except BaseException as error:  # noqa: BLE001 - a defect of ours: raised where the load was asked for
            self._failure = error
            self._over.set()

    def _one(self, number: int, due: float, free: float) -> None:
        exchange = self._take()
        sent = self._now()
        reply = self._send(exchange, number)
        done = self._now()
        error = self._judge(number, reply)
        self._idle.append(exchange)
        self._sent.append(Sent(due=due, free=free, sent=sent, done=done, error=error, answered=reply.status == 200))

    def _take(self) -> Exchange:
        """The connection that was used last, so that no more are opened than are needed."""
        try:
            return self._idle.pop()
        except IndexError:
            timeout = self._plan.ends + self._patience
            exchange = Exchange(self._origin, timeout=timeout, largest=LARGEST_ANSWER)
            self._all.append(exchange)
            return exchange
