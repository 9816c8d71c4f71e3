"""What a programme is: merchants, stores, currencies, earning rules, expiry."""
