"""Lines between merchants that come from no member's event: what is put right, interest, tax, losses."""
