"""Fields of types that whoever was given the object may read, by type; see policies.py."""

MERGING = {
    "MergedWallet": "currency points lots debt",
    "MembersMerged": "survivor number moved memberships",
    "MemberUnmerged": "survivor absorbed moved memberships",
    "MergeObstacle": "kind currency points hold",
    "MergeBlocked": "code message path obstacles",
    "UnmergeBlocked": "code message path obstacles",
    "NotMerged": "code message path",
    "FormerMember": "number mergedAt",
}
