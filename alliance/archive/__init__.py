"""The archive: operations that are finished leave the database for files, and what they prove stays."""
