"""Events, which are kept, and jobs, which are deleted once done."""
