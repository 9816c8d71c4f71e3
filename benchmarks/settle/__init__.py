"""`tessera bench settle`: netting at size, closing under load, exchange under a cap."""
