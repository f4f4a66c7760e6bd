"""Several environments for one case: runs go on side by side, and are told of in the order in which they were asked for."""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from peeklock.engine.events import CaseFinished
from peeklock.explore.judge import Judge
from peeklock.explore.kind import Disturbance
from peeklock.explore.trial import Trial, Trials
from peeklock.explore.variant import Raw
from peeklock.scenario.model import Case, Scenario

T = TypeVar("T")


class Crew:
    """Has one `Trials` for each run that may go on at the same time."""

    def __init__(self, members: Sequence[Trials]) -> None:
        self.scenario: Scenario = members[0].scenario
        self.case: Case = members[0].case
        self.as_written: Scenario = members[0].as_written
        self._members = members
        self._size = len(members)
        self._pool = ThreadPoolExecutor(self._size, thread_name_prefix="trial")
        self._free: queue.SimpleQueue[Trials] = queue.SimpleQueue()
        for member in members:
            self._free.put(member)

    def whole(self) -> CaseFinished:
        """Run the case as it is written."""
        return self._do(lambda member: member.whole()).result()

    def undisturbed(self, kept: Sequence[int] | None = None, slowed: Sequence[Raw] = ()) -> Trial:
        """Run it as others are to be compared with; `slowed`: faults that no system is to feel."""
        return self._do(lambda member: member.undisturbed(kept, slowed)).result()

    def disturbed(self, by: Disturbance, judge: Judge, kept: Sequence[int] | None = None) -> Trial:
        """Run it with what goes wrong."""
        return self._disturb(by, judge, kept).result()

    def each(
        self, disturbances: Iterable[Disturbance], judge: Callable[[], Judge]
    ) -> Iterator[tuple[Disturbance, Trial]]:
        """Yield disturbances with their runs, in order. At most as many are begun ahead as can run; those are waited for."""
        ahead: deque[tuple[Disturbance, Future[Trial]]] = deque()
        try:
            for by in disturbances:
                ahead.append((by, self._disturb(by, judge())))
                if len(ahead) == self._size:
                    first, future = ahead.popleft()
                    yield first, future.result()
            while ahead:
                first, future = ahead.popleft()
                yield first, future.result()
        finally:
            for _, future in ahead:
                future.cancel()

    def stop(self) -> None:
        """Have what still runs end soon: nobody wants to know how."""
        for member in self._members:
            member.watcher.stopped.set()

    def close(self) -> None:
        """Wait for what still runs."""
        self._pool.shutdown(cancel_futures=True)

    def _disturb(self, by: Disturbance, judge: Judge, kept: Sequence[int] | None = None) -> Future[Trial]:
        return self._do(lambda member: member.disturbed(by, judge, kept))

    def _do(self, run: Callable[[Trials], T]) -> Future[T]:
        def work() -> T:
            member = self._free.get()
            try:
                return run(member)
            finally:
                self._free.put(member)

        return self._pool.submit(work)
