"""A year of real grocery purchases, sent through the alliance as any client would send them."""
