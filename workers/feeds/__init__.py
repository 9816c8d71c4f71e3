"""Files of feeds: where they may lie, how they are listed, cut and read. All of it blocks: run it in threads."""
