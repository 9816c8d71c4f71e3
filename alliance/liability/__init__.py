"""What issuers still owe for points that are out: deferred revenue by cohort, estimated and rolled forward monthly."""
