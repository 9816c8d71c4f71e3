"""All books as one double-entry journal that an outside tool can add up again."""
