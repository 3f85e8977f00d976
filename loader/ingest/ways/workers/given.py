"""The tasks that the workers get: which files each one has, and what they wait for."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from typing import Final

from distributed import Client, Future

from loader.ingest.run import LoadRun
from loader.ingest.run.together import MOST
from loader.ingest.run.turns import FEW, may_go_together
from loader.ingest.ways.processes.ahead import SMALL
from loader.ingest.ways.workers import task
from loader.lazy import dataclass
from loader.read.sources import Source

#: Of what is left, a worker takes this part of its own share at most.
_SHARE: Final = 2


@dataclass(frozen=True, slots=True)
class Part:
    """Files of one task, by their numbers; `alone` if the workers have nothing else meanwhile."""

    numbers: range
    alone: bool = False


class Given:
    """The files of a run, given to the workers task by task.

    Attributes:
        tasks: the parts that the workers have, by the futures of their results.
        ended: the futures, as they end.
    """

    def __init__(self, client: Client, name: str, run: LoadRun, sources: Sequence[Source]) -> None:
        self.tasks: dict[Future, Part] = {}
        self.ended: SimpleQueue[Future] = SimpleQueue()
        self._client, self._name, self._order = client, name, run.order
        self._sizes = [source.size_bytes for source in sources]
        self._together = may_go_together(run)
        self._lost: deque[int] = deque()

    def give(self, numbers: range) -> None:
        """Gives these files to the workers, small ones several at a time."""
        if numbers:
            threads = max(sum(self._client.nthreads().values()), 1) if self._together else None
            for part in shared_out(self._sizes, numbers, threads):
                self._submit(Part(part))

    def give_alone(self, numbers: range) -> None:
        """Gives these files one by one, each while the workers have nothing else: once all other
        tasks have ended."""
        self._lost += numbers

    def take(self, future: Future) -> Part:
        """The part that has ended."""
        return self.tasks.pop(future)

    def go_on(self) -> bool:
        """Gives the next file that is to be alone, if it is; whether the workers have anything."""
        if self._lost and not self.tasks:
            number = self._lost.popleft()
            self._submit(Part(range(number, number + 1), alone=True))
        return bool(self.tasks)

    def _submit(self, part: Part) -> None:
        if not part.alone:  # a worker that was lost may have loaded it before
            self._order.begin(part.numbers)
        first, end = part.numbers.start, part.numbers.stop
        words = [
            self._name,
            first + 1,
            *([end] if end > first + 1 else []),
            *["alone"] * part.alone,
        ]
        future = self._client.submit(
            task.load_some, self._name, first, end,
            key="-".join(map(str, words)), pure=False, priority=-first,
        )  # fmt: skip
        self.tasks[future] = part
        future.add_done_callback(self.ended.put)


def shared_out(sizes: Sequence[int], numbers: range, threads: int | None) -> Iterator[range]:
    """The parts of these files: small ones that follow each other, up to as many as are loaded
    together, and up to the bytes of one; a large one by itself. Towards the end there are fewer, so
    that no thread waits long for another, but a few if the run has many. Without `threads`, one
    file each."""
    left = sum(sizes[n] <= SMALL for n in numbers)
    share = _SHARE * (threads or len(sizes))
    few = min(FEW, len(sizes) // share) if threads else 1
    first = numbers.start
    while first < numbers.stop:
        most = min(MOST, max(few, left // share, 1))
        end, size = first + 1, sizes[first]
        while end < numbers.stop and end - first < most and size + sizes[end] <= SMALL:
            size += sizes[end]
            end += 1
        left -= end - first if size <= SMALL else 0
        yield range(first, end)
        first = end
