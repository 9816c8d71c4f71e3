"""POST /ingest/purchases and /ingest/members: feeds, streamed both ways."""

from server.ingest.app import ingest_app, members_app

__all__ = ["ingest_app", "members_app"]
