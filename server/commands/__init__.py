"""The commands of `tessera`, one module a concern. What a command needs is imported when it runs: --help is quick."""
