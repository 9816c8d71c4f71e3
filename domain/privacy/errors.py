"""What goes wrong with keys. No refusals: whoever runs the house has to see to it."""


class WrongKeys(RuntimeError):
    """The keys of this process are not those that the database was sealed with; the message says which is missing."""
