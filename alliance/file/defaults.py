"""The shape of what an alliance file says of merchants that do not pay, and of those that leave."""

from alliance.file.values import Days, Document


class Defaults(Document):
    """What happens when a merchant is in default (A12)."""

    renet: bool = False
    honour_days: Days = 90
