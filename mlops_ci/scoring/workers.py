"""Several processes that answer at one socket: started, started anew where one dies, and ended together.

All of them accept from the one socket that their parent has bound. A worker that is killed takes only the requests
with it that it had begun: those that nobody has accepted yet are accepted by another.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LIMIT_SECONDS = 30.0
DEATHS = 5
"""Where more workers than this, and one for each that there is, die within LIMIT_SECONDS, the service gives up."""
STOPPING = (signal.SIGTERM, signal.SIGINT)

Serve = Callable[[int, Callable[[], None], int], int]


class Workers:
    """`serve` runs in a worker: it gets the worker's number, what to call when it is ready, and a file that ends when
    the parent does; it returns the exit code. It is started before anything heavy is imported.

    `ready` is called once, when all of them are; `ended` with the number of a worker that has ended and with the
    processor time that it took.
    """

    def __init__(
        self,
        count: int,
        serve: Serve,
        *,
        listener: socket.socket,
        ready: Callable[[], None],
        ended: Callable[[int, float], None],
    ) -> None:
        self._count = count
        self._listener = listener
        self._serve = serve
        self._ready = ready
        self._ended = ended
        self._pids: dict[int, int] = {}
        self._deaths: deque[float] = deque(maxlen=DEATHS + count + 1)
        self._all_were_ready = False
        self._stopping = False
        self._failed = False

    def run(self) -> int:
        """Returns the exit code, when all of them have ended."""
        self._life, alive = os.pipe()
        reports, self._report = os.pipe()
        woken, waking = socket.socketpair()
        for end in (woken, waking):
            end.setblocking(False)
        signal.set_wakeup_fd(waking.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in STOPPING:
            signal.signal(number, self._stop)
        self._own = (alive, reports, woken.fileno(), waking.fileno())
        for worker in range(self._count):
            self._start(worker)
        waited_for = self._count
        while self._pids:
            readable = select.select([woken.fileno(), reports], [], [])[0]
            if woken.fileno() in readable:
                woken.recv(1024)
            if reports in readable:
                waited_for -= len(os.read(reports, 1024))
            if waited_for <= 0 and not self._all_were_ready and not self._stopping:
                self._all_were_ready = True
                self._ready()
            self._bury()
        return int(self._failed)

    def _start(self, worker: int) -> None:
        with _undisturbed():
            pid = os.fork()
            if pid:
                self._pids[pid] = worker
                return
            signal.set_wakeup_fd(-1)
            for number in (*STOPPING, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            for file in self._own:
                os.close(file)
        code = 1
        try:
            code = self._serve(worker, lambda: _written(self._report), self._life)
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        except BaseException:  # noqa: BLE001 - nothing of the child may go on in what is the parent's code
            sys.excepthook(*sys.exc_info())
        finally:
            sys.stderr.flush()
            os._exit(code)

    def _bury(self) -> None:
        """Takes leave of the workers that have ended, and starts others in their place."""
        while self._pids:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if not pid:
                return
            worker = self._pids.pop(pid)
            self._ended(worker, usage.ru_utime + usage.ru_stime)
            code = os.waitstatus_to_exitcode(status)
            if self._stopping:
                self._failed = self._failed or code not in (0, -signal.SIGTERM)
                continue
            self._deaths.append(time.monotonic())
            many = len(self._deaths) == self._deaths.maxlen and self._deaths[-1] - self._deaths[0] < LIMIT_SECONDS
            if not self._all_were_ready or many:
                what = "they keep dying" if self._all_were_ready else "it did not get ready"
                sys.stderr.write(f"worker {worker} ended with {code} and is not started again: {what}\n")
                self._failed = True
                self._stop()
            else:
                sys.stderr.write(f"worker {worker} ended with {code} and is started again\n")
                self._start(worker)

    def _stop(self, *_: object) -> None:
        self._stopping = True
        self._listener.close()  # so that the last worker closes it, which takes the connections that are made already
        for pid in list(self._pids):
            os.kill(pid, signal.SIGTERM)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No signal to stop comes between a worker's birth and its name in the list."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _written(file: int) -> None:
    os.write(file, b"1")
