"""The broker: Dramatiq on Valkey or Redis. It carries the ids of jobs; everything that matters about them is a row."""

import threading
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker, _RedisConsumer
from dramatiq.errors import ConnectionClosed

NAMESPACE = "tessera"

#: `default` for what someone waits for, `bulk` for the night's work. A job on another queue stays in its table.
QUEUES = ("default", "bulk")

#: The actor of every message, as Dramatiq sees it; its arguments name ours. A message whose actor Dramatiq does not
#: know it would bury.
JOBS = "jobs"

#: Messages that may wait in a queue. What is above stays in the table, so that a broker without workers does not fill.
MOST_WAITING = 500

#: Seconds that a consumer waits for a message before it looks whether it is to stop.
WAIT = 0.25


def make_broker(url: str) -> RedisBroker:
    """A broker without middleware: retries, time limits and the record of failures are the job's own (domain/events).

    Messages that Dramatiq gives up are dropped after a minute; their jobs are handed out again.
    """
    client = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5, health_check_interval=15)
    broker = _Broker(  # type: ignore[no-untyped-call]
        client=client, middleware=[], namespace=NAMESPACE, dead_message_ttl=60_000
    )
    for queue in QUEUES:
        broker.declare_queue(queue)
    return broker


def room(broker: RedisBroker) -> dict[str, int]:
    """How many more messages each queue may take. Raises redis.RedisError."""
    pipe = broker.client.pipeline(transaction=False)
    for queue in QUEUES:
        pipe.llen(f"{NAMESPACE}:{queue}")
    return {queue: max(0, MOST_WAITING - waiting) for queue, waiting in zip(QUEUES, pipe.execute(), strict=True)}


def send(broker: RedisBroker, queue: str, actor: str, ids: Sequence[UUID]) -> None:
    """Send jobs of one actor as one message. Raises redis.RedisError."""
    arguments = (actor, [str(id_) for id_ in ids])
    broker.enqueue(Message(queue_name=queue, actor_name=JOBS, args=arguments, kwargs={}, options={}))


def most_in_hand(queue: str, threads: int) -> int:
    """Messages of a queue that a worker of so many threads may have fetched.

    Bulk gets at most three threads of four, so that one is soon free for what someone waits for. Messages are begun in
    the order in which they were fetched: however much comes on the one queue, the other has its turn.
    """
    return max(1, threads * 3 // 4) if queue == "bulk" else 2 * threads


class _Broker(RedisBroker):
    """Dramatiq's, with consumers that are woken, and without queues for delayed messages: ours wait as rows."""

    def declare_queue(self, queue_name: str) -> None:
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> "_Consumer":
        """`prefetch` is two for each thread."""
        return _Consumer(self, queue_name, most_in_hand(queue_name, prefetch // 2))


class _Consumer(_RedisConsumer):
    """Waits where Dramatiq's sleeps: for a message to come, or for room to take one."""

    def __init__(self, broker: RedisBroker, queue: str, most: int) -> None:
        super().__init__(broker, queue, most, timeout=0)  # type: ignore[no-untyped-call]
        self._list = f"{NAMESPACE}:{queue}"
        self._room = threading.Event()

    def __next__(self) -> Any:
        if self.misses and not self._worth_a_look():
            return None
        return super().__next__()  # type: ignore[no-untyped-call]

    def _worth_a_look(self) -> bool:
        self._room.clear()
        if self.outstanding_message_count >= self.prefetch:
            return self._room.wait(WAIT)
        try:
            # The first message, put where it was: the one command that waits and takes nothing.
            found = self.broker.client.blmove(self._list, self._list, WAIT, "LEFT", "LEFT")
        except redis.RedisError as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
        return found is not None

    def ack(self, message: Any) -> None:
        super().ack(message)  # type: ignore[no-untyped-call]
        self._room.set()
