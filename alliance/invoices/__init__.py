"""Invoices beside statements, what partners invoiced themselves, and interest on what was paid late."""
