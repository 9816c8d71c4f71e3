"""The actors, one module a concern. What a job names must be here, or the job waits in its table until it is."""

from workers.actor import Actor
from workers.actors.expiry import expire, expire_range
from workers.actors.settlement import settle

ACTORS = {
    actor.name: actor
    for actor in (
        Actor("expire", expire),
        Actor("expire_range", expire_range),
        Actor("settle", settle),
    )
}
