"""Who may call: clients, their secrets, and the tokens they obtain."""
