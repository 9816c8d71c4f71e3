"""What `tessera verify` proves of the sequence: it has no gap, leaves nothing out, and tells nothing twice."""

CHECKS = {
    "events are numbered without a gap": """
        SELECT holder_id, event_id::text AS kind, '' AS currency, position - leaf AS kept, count AS proved
        FROM (SELECT *, row_number() OVER (ORDER BY position) - 1 AS count,
                     lag(leaf, 1, 0::bigint) OVER (ORDER BY position) AS before FROM event_number) AS n
        WHERE position - leaf <> count OR leaf < before
           OR leaf > (SELECT coalesce(max("index") + 1, 0) FROM log_leaf)""",
    "number is that of an event": """
        SELECT n.holder_id, n.event_id::text AS kind, '' AS currency, 1 AS kept, 0 AS proved
        FROM event_number n LEFT JOIN event e ON e.holder_id = n.holder_id AND e.id = n.event_id WHERE e.id IS NULL""",
    "webhook has not passed the end": """
        SELECT w.id AS holder_id, 'place' AS kind, '' AS currency, w.place AS kept, e.ends - 1 AS proved
        FROM webhook w, (SELECT coalesce((SELECT max("index") + 1 FROM log_leaf), 0)
                         + (SELECT count(*) FROM event_number) AS ends) AS e WHERE w.place >= e.ends""",
    "event before the last numbered one has a number": """
        SELECT e.holder_id, e.id::text AS kind, '' AS currency, 1 AS kept, 0 AS proved
        FROM event e LEFT JOIN event_number n ON n.holder_id = e.holder_id AND n.event_id = e.id
        WHERE n.position IS NULL AND e.xid < (SELECT e.xid FROM event_number n JOIN event e
                                              ON e.holder_id = n.holder_id AND e.id = n.event_id
                                              ORDER BY n.position DESC LIMIT 1)""",
}
