"""The actors, one module a concern. What a job names must be here, or the job waits in its table until it is."""

from collections.abc import Callable, Mapping

from alliance.staff.telling import Write
from domain.messages.port import Notifiers
from workers.actor import Actor
from workers.actors.accrual import accrual
from workers.actors.disputes import disputes
from workers.actors.exits import exits, exits_range
from workers.actors.expiry import expire, expire_range
from workers.actors.feeds import Feeds
from workers.actors.holds import lapse, lapse_range
from workers.actors.honouring import honour
from workers.actors.liability import close_month
from workers.actors.life import life, settle_left
from workers.actors.member_duplicates import duplicates, duplicates_range
from workers.actors.member_stages import stages, stages_range
from workers.actors.messages import PATIENCE, notify, send
from workers.actors.notices import notices, notices_range
from workers.actors.partner_files import partner_file, partner_files_due, partner_timing
from workers.actors.reads import watch_reads
from workers.actors.reconciliation import reconcile
from workers.actors.reminders import remind, remind_range, tell
from workers.actors.rerating import rerate
from workers.actors.retention import Kept, forget_keys
from workers.actors.rights import tier_rights
from workers.actors.room import room
from workers.actors.settlement import settle
from workers.actors.staff import as_kept, staff_send, staff_tell
from workers.actors.tag_rules import tags, tags_range
from workers.feeds.files import Sources

Known = Callable[[bytes], Mapping[str, Actor]]
"""The actors of a process, by name, given the secret of idempotency keys."""

NOWHERE = Sources()

NOBODY: Notifiers = {}

BY_DEFAULT = Kept()


def all_actors(
    fingerprint_secret: bytes,
    notifiers: Notifiers = NOBODY,
    sources: Sources = NOWHERE,
    kept: Kept = BY_DEFAULT,
    write: Write = as_kept,
) -> dict[str, Actor]:
    """The actors by name; files of feeds are read from `sources`, `write` says an event to staff. Who only hands jobs
    out needs none of these, nor notifiers, nor how long what is `kept`."""
    actors = (
        Actor("accrue", accrual(fingerprint_secret), batch=100),
        Actor("disputes", disputes),
        Actor("close_month", close_month, time_limit=1800.0),
        Actor("duplicates", duplicates),
        Actor("duplicates_range", duplicates_range),
        Actor("exits", exits),
        Actor("exits_range", exits_range),
        Actor("expire", expire),
        Actor("expire_range", expire_range),
        Actor("forget_keys", forget_keys(kept)),
        Actor("honour", honour),
        Actor("lapse", lapse),
        Actor("lapse_range", lapse_range),
        Actor("life", life),
        Actor("notices", notices),
        Actor("notices_range", notices_range),
        Actor("notify", notify(), batch=200),
        Actor("partner_file", partner_file, time_limit=3600.0),
        Actor("partner_files_due", partner_files_due),
        Actor("partner_timing", partner_timing),
        Actor("send", send(notifiers), batch=20, policy=PATIENCE),
        Actor("reconcile", reconcile),
        Actor("remind", remind),
        Actor("rerate", rerate),
        Actor("remind_range", remind_range),
        Actor("room", room),
        Actor("stages", stages),
        Actor("stages_range", stages_range),
        Actor("tags", tags),
        Actor("tags_range", tags_range),
        Actor("tell", tell),
        Actor("tier_rights", tier_rights(fingerprint_secret)),
        Actor("settle", settle),
        Actor("settle_left", settle_left),
        Actor("staff_send", staff_send(notifiers), batch=20, policy=PATIENCE),
        Actor("staff_tell", staff_tell(write)),
        Actor("watch_reads", watch_reads),
        *Feeds(fingerprint_secret, sources).actors(),
    )
    return {actor.name: actor for actor in actors}
