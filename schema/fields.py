"""Fields of types that whoever was given the object may read, by type; see policies.py."""

from resolvers.policy import Policy


def fields(policy: Policy | None, names: str) -> dict[str, Policy | None]:
    """The same policy for each of these fields."""
    return dict.fromkeys(names.split(), policy)


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

_ERROR = "code message path"

POOLING = {
    "Pool": "id name kind status createdAt merchant members wallets activity limits invitations",
    "PoolMember": "role joinedAt leftAt member number",
    "PoolLimit": "moves per points together number",
    "PoolInvitation": "role invitedAt poolId name merchant number",
    **dict.fromkeys(("PoolCreated", "PoolMemberAdded", "PoolMemberRemoved", "PoolClosed"), "pool"),
    **dict.fromkeys(("PoolMemberInvited", "PoolInvitationAnswered", "PoolRoleSet", "PoolLimitSet"), "pool"),
    "PoolDissolved": "pool",
    "Contributed": "operation points wallet pool",
    "Withdrawn": "operation points wallet pool",
    **dict.fromkeys(("PoolNotActive", "AlreadyInPool", "NotInvited"), _ERROR),
    "NotInPool": f"{_ERROR} role",
    "PoolNotEmpty": f"{_ERROR} points",
    "PoolFull": f"{_ERROR} most",
    "PoolLimitExceeded": f"{_ERROR} moves per cap used",
}

LIVING = {
    **dict.fromkeys(("MemberFrozen", "MemberRestored", "ClosingWithdrawn"), "member"),
    **dict.fromkeys(("MemberNotFrozen", "MemberNotLeaving"), _ERROR),
    "ClosingEnd": "currency points fate",
    "MemberClosed": "member closesAt ends holds pending rights pools",
    "MemberStage": "stage since boughtAt merchant",
    "MemberChangeConnection": "edges pageInfo totalCount",
    "MemberChangeEdge": "cursor node",
}

PRIVACY = {
    "MemberErased": "member",
    "LegalHoldPlaced": "member",
    "LegalHoldReleased": "member released",
    "UnderLegalHold": "code message path until",
    "AlreadyErased": "code message path",
    "MemberExport": "data",
    "DataConsent": "kind given purpose textVersion happenedAt merchant",
    "DataShared": "sharing",
    "SharingStopped": "sharing",
    "Terms": "code version worse startsAt announced merchant languages text replaces",
    "TermsText": "language title url text before after",
    "TermsAcceptance": "language acceptedAt channel terms merchant",
    "MemberTerms": "accepted toAccept",
    "TermsAccepted": "terms",
    "PersonalRead": "at what viewer client requestId member merchant",
    "ReadAlert": "client hour members usual",
}
