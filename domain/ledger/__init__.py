"""The books: accounts, operations, entries, lots, holds, and the one engine that posts."""
