"""The broker: Dramatiq on Valkey or Redis. It carries the ids of jobs; everything that matters about them is a row."""

from collections.abc import Sequence
from uuid import UUID

import redis
from dramatiq import Message
from dramatiq.brokers.redis import RedisBroker

NAMESPACE = "tessera"

#: `default` for what someone waits for, `bulk` for the night's work. A job on another queue stays in its table.
QUEUES = ("default", "bulk")

#: Messages that may wait in a queue. What is above stays in the table, so that a broker without workers does not fill.
MOST_WAITING = 500


def make_broker(url: str) -> RedisBroker:
    """A broker without middleware: retries, time limits and the record of failures are the job's own (domain/events).

    Messages that Dramatiq gives up are dropped after a minute; their jobs are handed out again.
    """
    client = redis.Redis.from_url(url, socket_timeout=5, socket_connect_timeout=5, health_check_interval=15)
    broker = RedisBroker(  # type: ignore[no-untyped-call]
        client=client, middleware=[], namespace=NAMESPACE, dead_message_ttl=60_000
    )
    for queue in QUEUES:
        broker.declare_queue(queue)
    return broker


def room(broker: RedisBroker, queue: str) -> int:
    """How many more messages the queue may take."""
    waiting: int = broker.client.llen(f"{NAMESPACE}:{queue}")
    return max(0, MOST_WAITING - waiting)


def send(broker: RedisBroker, queue: str, actor: str, ids: Sequence[UUID]) -> None:
    """Send jobs of one actor as one message. Raises redis.RedisError."""
    broker.enqueue(
        Message(queue_name=queue, actor_name=actor, args=([str(id_) for id_ in ids],), kwargs={}, options={})
    )
