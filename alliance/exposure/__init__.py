"""How far each merchant may come to owe the others, and how much of that is used (A5)."""
