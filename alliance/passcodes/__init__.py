"""One-time codes at work: sent in a merchant's name, and checked to find or enrol the member."""

from alliance.passcodes.service import Asker, Passcodes

__all__ = ["Asker", "Passcodes"]
