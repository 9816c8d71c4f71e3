"""POST /ingest/purchases: feeds of purchases, streamed both ways."""

from server.ingest.app import ingest_app

__all__ = ["ingest_app"]
