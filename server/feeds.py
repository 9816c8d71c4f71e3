"""From the settings to where files of feeds may be read."""

from datetime import timedelta
from typing import Any

from server.settings import Settings
from workers.feeds.files import Sources


def sources_of(settings: Settings) -> Sources:
    """What the operator allows, and what it takes to get there."""
    roots = tuple(root.rstrip("/") for root in map(str.strip, settings.feed_roots.split(",")) if root)
    s3: dict[str, Any] = {"use_listings_cache": False}
    if settings.s3_key is not None:
        s3["key"] = settings.s3_key
    if settings.s3_secret is not None:
        s3["secret"] = settings.s3_secret.get_secret_value()
    client = {"endpoint_url": settings.s3_endpoint, "region_name": settings.s3_region}
    s3["client_kwargs"] = {name: value for name, value in client.items() if value is not None}
    return Sources(roots, timedelta(seconds=settings.feed_settle), {"s3": s3})
