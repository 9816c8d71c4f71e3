"""`tessera bench ledger`: the posting engine alone and over GraphQL, at size, at night, and what its rows weigh."""
