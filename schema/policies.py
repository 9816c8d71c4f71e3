"""Who may read which field. What is not named here does not resolve; a test proves that nothing is missing.

PARENT: whoever was given the object. Who may be given which object is decided where it is loaded (resolvers.reach).
"""

from graphql import GraphQLSchema, is_non_null_type, is_object_type

from resolvers.policy import PARENT, SIGNED_IN, Policy, by, closed, guarded
from resolvers.viewer import Scope
from schema import clearing_policies
from schema.fields import LIVING, MERGING, POOLING, PRIVACY
from schema.fields import fields as _all

READERS = ("merchant", "operator", "auditor")
POINTS = by("member", *READERS, scope=Scope.POINTS_READ)
SETTLEMENT = by(*READERS, scope=Scope.SETTLEMENT_READ)
EVENTS = by("merchant", "operator", scope=Scope.EVENTS_READ)
JOBS = by("operator", scope=Scope.JOBS_READ)
RUNS = by("merchant", "operator", scope=Scope.POINTS_EARN)
DUPLICATES = by("operator", scope=Scope.MEMBERS_READ)
JOURNAL = by("operator", "auditor", scope=Scope.JOURNAL_READ)
PUBLIC = PARENT


_ERROR = _all(PARENT, "code message path")
_LISTED = (
    "Right AccrualRun MemberChange PersonalRead JobGroup Reconciliation Agreement AgreementVersion DuplicateCandidate"
)
_ROOTS = ("Query", "Mutation", "Subscription")

POLICIES: dict[str, dict[str, Policy | None]] = {
    "Query": {
        **_all(SIGNED_IN, "viewer node nodes merchant merchants alliance _entities"),
        **_all(by("member", *READERS, scope=Scope.MEMBERS_READ), "member"),
        **_all(by(*READERS, scope=Scope.MEMBERS_READ), "members"),
        **_all(POINTS, "operation"),
        **_all(by("member", "operator", scope=Scope.MEMBERS_EXPORT), "exportMember"),
        **_all(by("operator", "auditor", scope=Scope.AUDIT_READ), "personalReads readAlerts"),
        **_all(SIGNED_IN, "logCheckpoint consistencyProof"),
        **_all(SETTLEMENT, "agreements agreement settlementCycle deposits obligations"),
        **_all(SETTLEMENT, "exposure exposures rightsReport"),
        **_all(DUPLICATES, "duplicateCandidates"),
        **_all(by("operator", "auditor", scope=Scope.POINTS_READ), "giftRings"),
        **_all(JOBS, "jobs jobGroups reconciliations"),
        **_all(RUNS, "accrualRuns"),
        **_all(EVENTS, "events webhooks"),
        **_all(by("merchant", "operator", scope=Scope.MEMBERS_READ), "messagePreview"),
        **_all(PUBLIC, "_service"),
        **clearing_policies.QUERIES,
    },
    "Mutation": {
        **clearing_policies.MUTATIONS,
        **_all(
            by("merchant", "operator", scope=Scope.AGREEMENTS_WRITE),
            "proposeAgreement acceptAgreement rejectAgreement withdrawAgreement endAgreement",
        ),
        **_all(
            by("merchant", "operator", scope=Scope.MEMBERS_WRITE),
            "enrolMember recordNotice",
        ),
        **_all(
            by("member", "merchant", "operator", scope=Scope.IDENTIFIERS_WRITE),
            "linkIdentifier verifyIdentifier unlinkIdentifier",
        ),
        **_all(by("operator", scope=Scope.MEMBERS_MERGE), "mergeMembers unmergeMembers"),
        **_all(by("merchant", "operator", scope=Scope.POINTS_EARN), "earn earnBatch topUp confirmEarn rejectEarn"),
        **_all(
            by("member", "merchant", "operator", scope=Scope.POINTS_SPEND), "redeem holdPoints captureHold releaseHold"
        ),
        **_all(by("merchant", "operator", scope=Scope.POINTS_REVERSE), "reverse refundStoredValue"),
        **_all(by("member", "merchant", "operator", scope=Scope.POINTS_EXCHANGE), "quoteExchange exchangePoints"),
        **_all(
            by("member", "merchant", "operator", scope=Scope.POINTS_TRANSFER),
            "transferPoints createPool addPoolMember removePoolMember closePool contributeToPool withdrawFromPool"
            " invitePoolMember answerPoolInvitation setPoolRole setPoolLimit dissolvePool",
        ),
        **_all(by("member", "merchant", "operator", scope=Scope.POINTS_LOCK), "lockPoints"),
        **_all(by("member", scope=Scope.POINTS_LOCK), "unlockPoints"),
        **_all(by("operator", scope=Scope.MEMBERS_WRITE), "liftGuard decideDuplicate"),
        **_all(by("merchant", "operator", scope=Scope.POINTS_ADJUST), "adjustPoints reinstatePoints"),
        **_all(by("merchant", "operator", scope=Scope.RIGHTS_GRANT), "grantRight"),
        **_all(by("member", "merchant", "operator", scope=Scope.RIGHTS_USE), "reserveRight cancelRight"),
        **_all(by("merchant", "operator", scope=Scope.RIGHTS_USE), "useRight restoreRight"),
        **_all(by("operator", scope=Scope.CYCLE_CLOSE), "closeCycle"),
        **_all(by("operator", scope=Scope.CYCLE_STATE), "issueStatements"),
        **_all(by("merchant", "operator", scope=Scope.CYCLE_CONFIRM), "confirmStatement"),
        **_all(by("operator", scope=Scope.CYCLE_NET), "netCycle"),
        **_all(by("operator", scope=Scope.CYCLE_SETTLE), "settleCycle"),
        **_all(by("merchant", "operator", scope=Scope.CYCLE_RECEIVE), "recordReceipt"),
        **_all(by("operator", scope=Scope.CYCLE_ABORT), "abortCycle"),
        **_all(by("merchant", scope=Scope.CYCLE_OBJECT), "objectToLines"),
        **_all(by("operator", scope=Scope.JOBS_WRITE), "retryJob discardJob undoRun"),
        **_all(
            by("member", "merchant", "operator", scope=Scope.CONSENTS_WRITE),
            "giveConsent withdrawConsent shareData stopSharing acceptTerms",
        ),
        **_all(by("member", scope=Scope.CODES_ISSUE), "issueMemberCode"),
        **_all(by("member", "operator", scope=Scope.MEMBERS_READ), "signOutEverywhere"),
        **_all(by("member", "merchant", "operator", scope=Scope.PROFILES_WRITE), "updateMember"),
        **_all(by("merchant", "operator", scope=Scope.PROFILES_WRITE), "tagMembers untagMembers"),
        **_all(by("operator", scope=Scope.MEMBERS_ERASE), "eraseMember placeLegalHold releaseLegalHold"),
        **_all(by("member", "merchant", "operator", scope=Scope.MEMBERS_READ), "sendOneTimeCode"),
        **_all(by("merchant", "operator", scope=Scope.MEMBERS_READ), "checkOneTimeCode"),
        **_all(by("operator", scope=Scope.MERCHANTS_FREEZE), "freezeMerchant restoreMerchant"),
        **_all(by("operator", scope=Scope.MEMBERS_FREEZE), "freezeMember restoreMember"),
        **_all(by("member", "operator", scope=Scope.MEMBERS_CLOSE), "closeMember withdrawClosing"),
        **_all(
            by("merchant", "operator", scope=Scope.WEBHOOKS_WRITE),
            "createWebhook updateWebhook rotateWebhookSecret enableWebhook deleteWebhook testWebhook replayWebhook",
        ),
    },
    "Subscription": {
        **_all(SETTLEMENT, "settlementProgress"),
        **_all(POINTS, "walletChanged"),
        **_all(JOBS, "reconciliationProgress jobGroupProgress"),
        **_all(RUNS, "accrualRunProgress"),
        **_all(clearing_policies.PARTNER_FILES, "partnerFileProgress"),
    },
    "JobGroup": _all(PARENT, "id actor asOf startedAt jobs done failed"),
    "RunProgress": _all(PARENT, "done total"),
    "Reconciliation": _all(
        PARENT, "id asOf status startedAt finishedAt step done total accounts operations found differences outstanding"
    ),
    "Difference": _all(PARENT, "check holder what currency kept proved"),
    "Outstanding": _all(PARENT, "what unit count amount since"),
    "Viewer": _all(PARENT, "kind scopes merchant member"),
    "Agreement": _all(PARENT, "id merchants current versions"),
    "AgreementVersion": _all(
        PARENT, "id number status startsAt endsAt terms runsOffTo lastCycle waitsFor steps subsidies"
    ),
    "Subsidy": _all(PARENT, "currency budget used left"),
    "SubsidyExhausted": _ERROR | _all(PARENT, "currency") | _all(SETTLEMENT, "agreement"),
    "AgreementStep": _all(PARENT, "kind party reason at"),
    "LastSettlementCycle": _all(PARENT, "number closesAt claimsUntil"),
    "AgreementPlan": _all(PARENT, "number startsAt endsAt supersedes waitsFor roundTrips"),
    "AgreementProposed": _all(PARENT, "version plan"),
    "AgreementAccepted": _all(PARENT, "version plan"),
    "AgreementRejected": _all(PARENT, "version"),
    "AgreementWithdrawn": _all(PARENT, "version"),
    "AgreementEnded": _all(PARENT, "version endsAt runsOffTo"),
    "UnsoundAgreement": _ERROR | _all(PARENT, "reasons"),
    "NoticeTooShort": _ERROR | _all(PARENT, "earliest"),
    "WrongAgreementStatus": _ERROR | _all(PARENT, "number status needed"),
    "SignedOut": _all(PARENT, "member"),
    "OneTimeCodeSent": _all(PARENT, "expiresAt"),
    "OneTimeCodeChecked": _all(PARENT, "member created memberCode"),
    "TooManyAttempts": _ERROR | _all(PARENT, "retryAfter"),
    "WrongOneTimeCode": _ERROR,
    "MemberCode": _all(PARENT, "token expiresAt payload qr"),
    "MemberCodeExpired": _ERROR | _all(PARENT, "until"),
    "MemberCodeUsed": _ERROR,
    "Member": {
        **_all(
            PARENT,
            "id number status frozen leaving stages history joinedAt jurisdiction identifiers memberships consents"
            " sharing terms messages",
        ),
        **_all(PARENT, "formerly profile preferences tags guard"),
        **_all(
            POINTS, "wallets wallet activity holds exchangeOptions pools poolInvitations rights assets spendOptions"
        ),
    },
    **{name: _all(PARENT, fields) for name, fields in LIVING.items()},
    "MemberFreeze": {**_all(PARENT, "since until"), **_all(by("operator"), "reason note")},
    "MemberLeaving": {**_all(PARENT, "askedAt closesAt settled"), **_all(by("member", "operator"), "reason")},
    "MemberChange": {**_all(PARENT, "id kind at data"), **_all(by("operator"), "reason")},
    **{name: _all(PARENT, fields) for name, fields in MERGING.items()},
    **{name: _all(PARENT, fields) for name, fields in PRIVACY.items()},
    "BrandAssets": _all(PARENT, "joinedAt merchant points storedValue rights"),
    "SpendOption": _all(PARENT, "available minimum unit maxShare changesOn blockedBy currency at worth"),
    "AttributeDefinition": _all(PARENT, "code name type choices personal findable readable writable merchant"),
    "MemberAttribute": _all(PARENT, "code name value setAt toldBy"),
    "Preferences": _all(PARENT, "language timezone"),
    "MemberTag": _all(PARENT, "code name byRule taggedAt merchant"),
    "UnknownAttribute": _ERROR | _all(PARENT, "attribute"),
    "UnfitAttribute": _ERROR | _all(PARENT, "attribute expected"),
    "TagByRule": _ERROR | _all(PARENT, "tag"),
    "AttributeReadOnly": _ERROR | _all(PARENT, "attribute"),
    "MemberUpdated": _all(PARENT, "changed member"),
    "TagResult": _all(PARENT, "changed refusal member"),
    "MembersTagged": _all(PARENT, "results"),
    "MembersUntagged": _all(PARENT, "results"),
    "DuplicateCandidate": _all(PARENT, "id probability exact features status foundAt decidedAt note members"),
    "DuplicateFeature": _all(PARENT, "name comparison weight"),
    "DuplicateDecided": _all(PARENT, "candidate"),
    "MemberGuard": _all(PARENT, "locked lockedUntil coolingOff devices steps"),
    "CoolingOffPeriod": _all(PARENT, "merchant type until"),
    "MemberDevice": _all(PARENT, "merchant firstSeenAt lastSeenAt trusted"),
    "GuardStep": {**_all(PARENT, "kind until at"), **_all(by("operator"), "reason")},
    **{name: _all(PARENT, "member") for name in ("Locked", "Unlocked", "GuardLifted")},
    "PointsLocked": _ERROR | _all(PARENT, "until"),
    "CoolingOff": _ERROR | _all(PARENT, "type until"),
    "DeviceLimit": _ERROR | _all(PARENT, "cap used until"),
    "Identifier": _all(PARENT, "type issuer value linkedAt verifiedAt identifies atTill"),
    "Membership": {**_all(PARENT, "merchant number joinedAt channel store"), **_all(POINTS, "tier")},
    "MembershipTier": _all(PARENT, "code name since until credits next history"),
    "TierLevel": _all(PUBLIC, "code name threshold grants"),
    "TierGrant": _all(PUBLIC, "kind quantity"),
    "TierProgress": _all(PARENT, "level missing"),
    "TierChange": _all(PARENT, "code since until reason credits operation"),
    "Wallet": _all(
        PARENT, "id currency balance available held pending debt worth lifetime lots expiries statement holds notices"
    ),
    "WalletTotals": _all(
        PARENT, "earned spent expired exchangedIn exchangedOut givenIn givenOut adjusted opening toppedUp exited pooled"
    ),
    "Lot": _all(PARENT, "id granted remaining grantedAt expiresAt issuer paid origin"),
    **{name: _all(PARENT, fields) for name, fields in POOLING.items()},
    "LotOrigin": _all(PARENT, "kind operation decidedBy sources"),
    "LotSource": _all(PARENT, "points lot"),
    "StatementEntry": _all(PARENT, "change balanceAfter occurredAt bookedAt title operation"),
    "ExpiryDue": _all(PARENT, "on points"),
    "Operation": _all(
        PARENT,
        "id kind status occurredAt bookedAt member merchant store channel orderRef title change balanceAfter transfers"
        " reverses reversedBy paidWith spentBy decidedBy proof",
    ),
    "Hold": _all(PARENT, "id points captured status expiresAt orderRef currency merchant capturedBy"),
    "InclusionProof": _all(PARENT, "leafIndex leafHash path checkpoint lines leaf salt terms termsSalt bundle"),
    "LogCheckpoint": _all(PARENT, "size root note signedAt"),
    "ConsistencyProof": _all(PARENT, "first second path"),
    "Transfer": _all(PARENT, "currency points balanceAfter"),
    "Decision": _all(PARENT, "kind rule version points currency"),
    "ExchangeOption": _all(PARENT, "to rate block step remainingToday expiryRule changesOn blockedBy"),
    "Quote": _all(PARENT, "id rate pointsOut pointsIn fee expiresAt reserves"),
    "Merchant": {
        **_all(PARENT, "id code name timezone store currencies defaultCurrency tiers terms"),
        **_all(by(*READERS, scope=Scope.POINTS_READ), "balances"),
        **_all(by(*READERS, scope=Scope.SETTLEMENT_READ), "breakage"),
        **_all(SETTLEMENT, "frozenSince freezes exit"),
    },
    "CurrencyBalances": _all(PARENT, "currency outstanding held pending debt holders ending"),
    "Consent": _all(PARENT, "purpose channel given happenedAt textVersion merchant"),
    "ConsentGiven": _all(PARENT, "consents"),
    "ConsentWithdrawn": _all(PARENT, "consents"),
    "Message": _all(
        PARENT, "kind channel purpose state language attempts dueAt deliveredAt proof reason template merchant"
    ),
    "MessagePreview": _all(PARENT, "language subject text html sms"),
    "Breakage": _all(PARENT, "month currency issuer funder points value owed"),
    "MonthEnding": _all(PARENT, "month points"),
    "Store": _all(PARENT, "id code name"),
    "PointsCurrency": _all(PARENT, "id code name kind scale worth merchant"),
    "Money": _all(PARENT, "amount currency"),
    "Alliance": {
        **_all(PARENT, "id code name settlementCurrency timezone attributes terms"),
        **_all(SETTLEMENT, "openCycle cycles"),
    },
    "SettlementCycle": _all(
        PARENT,
        "id number status opensAt closesAt gross bilateral multilateral positions payments obligations statement"
        " objectionsUntil extensions paymentsDue transitions objections suspended paymentFiles",
    )
    | _all(PARENT, "netting"),
    "Netting": _all(PARENT, "obligations gross bilateral multilateral carried"),
    "NettingStage": _all(PARENT, "amount payments saving"),
    "CycleTransition": {
        **_all(PARENT, "status at asOf"),
        **_all(by("operator", "auditor", scope=Scope.SETTLEMENT_READ), "by why"),
    },
    "NetPosition": _all(PARENT, "merchant amount"),
    "Payment": _all(
        PARENT,
        "number from to amount status paidAt reference receivedOn paidInOn releasedAt endToEnd heldBack daysLate",
    ),
    "Obligation": _all(
        PARENT,
        "line reference kind debtor creditor currency points amount occurredAt bookedAt orderRef late reverses member"
        " store price agreementVersion reversedReference pastCap",
    ),
    "Statement": _all(
        PARENT,
        "merchant opening lines adjustments closing position suspended issuedAt confirmedAt confirmedEarly partners",
    ),
    "PartnerBalance": _all(PARENT, "partner opening lines adjustments closing net carried suspended"),
    "PageInfo": _all(PARENT, "hasNextPage hasPreviousPage startCursor endCursor"),
    **{
        f"{node}Connection": _all(PARENT, "edges pageInfo totalCount")
        for node in (
            "Member",
            "Merchant",
            "Operation",
            "Lot",
            "Hold",
            "StatementEntry",
            "SettlementCycle",
            "Obligation",
            "Job",
        )
    },
    **{
        f"{node}Edge": _all(PARENT, "cursor node")
        for node in (
            "Member",
            "Merchant",
            "Operation",
            "Lot",
            "Hold",
            "StatementEntry",
            "SettlementCycle",
            "Obligation",
            "Job",
        )
    },
    "Enrolled": _all(PARENT, "created joined member"),
    "Linked": _all(PARENT, "linked merged member"),
    "Verified": _all(PARENT, "verified member"),
    "Unlinked": _all(PARENT, "unlinked member"),
    "Earned": {
        **_all(PARENT, "operation points pending truncated wallet decidedBy"),
        **_all(SETTLEMENT, "obligations funding"),
    },
    "OwedLine": _all(PARENT, "kind debtor creditor currency points price amount agreementVersion waits"),
    "FundingShare": _all(PARENT, "merchant share amount atIssue"),
    "Activated": _all(PARENT, "operation points wallet"),
    "Rejected": _all(PARENT, "operation points"),
    "Redeemed": {
        **_all(PARENT, "operation points worth wallet"),
        **_all(SETTLEMENT, "obligations contribution"),
    },
    "Held": _all(PARENT, "points hold wallet") | _all(SETTLEMENT, "obligations"),
    "Captured": _all(PARENT, "points released hold operation wallet") | _all(SETTLEMENT, "obligations"),
    "Released": _all(PARENT, "points hold wallet") | _all(SETTLEMENT, "obligations"),
    "Reversed": _all(PARENT, "operation points taken restored expired shortfall") | _all(SETTLEMENT, "obligations"),
    "Quoted": _all(PARENT, "quote"),
    "Transferred": _all(PARENT, "operation points wallet"),
    "Adjusted": _all(PARENT, "operation points wallet approval"),
    "Reinstated": _all(PARENT, "operation points expiresAt wallet"),
    "Exchanged": _all(PARENT, "operation pointsOut pointsIn") | _all(SETTLEMENT, "obligations"),
    **{
        name: _all(PARENT, "cycle")
        for name in (
            "Closed",
            "Issued",
            "Confirmed",
            "Netted",
            "Settled",
            "ReceiptRecorded",
            "Objected",
            "Aborted",
        )
    },
    **dict.fromkeys(
        (
            "InvalidInput",
            "NotFound",
            "NotAllowed",
            "IdempotencyConflict",
            "DuplicateOrder",
            "AlreadyReversed",
            "NoAgreement",
            "QuoteUsed",
            "NotATender",
            "TenderUsed",
        ),
        _ERROR,
    ),
    "AlreadyCaptured": _ERROR,
    "Notice": _all(PARENT, "id kind currency points opensAt closesAt dueAt deliveredAt reports"),
    "NoticeReport": _all(PARENT, "outcome channel proof happenedAt"),
    "Job": _all(
        PARENT,
        "id actor queue status createdAt availableAt attempts failedAt lastError requestId history",
    ),
    "JobAttempt": _all(PARENT, "attempt at error"),
    "JobRetried": _all(PARENT, "job"),
    "JobDiscarded": _all(PARENT, "id"),
    "JobNotFailed": _ERROR,
    "AccrualRun": _all(
        PARENT,
        "id merchant feed file digest status rows read posted duplicate refused startedAt finishedAt startedBy sameAs"
        " refusal undo refusals progress",
    ),
    "RunRefusal": _all(PARENT, "code message"),
    "RunUndo": _all(PARENT, "by why startedAt finishedAt reversed taken shortfall kept"),
    "RunUndoing": _all(PARENT, "run reversed taken shortfall kept"),
    "KeptInRun": _all(PARENT, "code count lines"),
    "RunNotUndoable": _ERROR | _all(PARENT, "status"),
    "Event": _all(PARENT, "id number kind at data"),
    "EventEdge": _all(PARENT, "cursor node"),
    "EventConnection": _all(PARENT, "edges pageInfo"),
    "Webhook": _all(PARENT, "id merchant url kinds description status why failingSince cursor createdAt deliveries"),
    "WebhookDelivery": _all(PARENT, "number event kind status attempts dueAt doneAt response error"),
    **{f"{node}Connection": _all(PARENT, "edges pageInfo totalCount") for node in ("Webhook", "WebhookDelivery")},
    **{f"{node}Edge": _all(PARENT, "cursor node") for node in ("Webhook", "WebhookDelivery")},
    **{f"Webhook{done}": _all(PARENT, "webhook secret") for done in ("Created", "SecretRotated")},
    **{f"Webhook{done}": _all(PARENT, "webhook") for done in ("Updated", "Enabled", "Tested", "Replayed")},
    "WebhookDeleted": _all(PARENT, "id"),
    "NoticeRecorded": _all(PARENT, "notice"),
    "TooNew": _ERROR | _all(PARENT, "until"),
    "Exposure": _all(PARENT, "merchant cap position owed reserved withheld headroom percent alerts"),
    "ExposureAlert": _all(PARENT, "level position cap raisedAt"),
    **{f"{node}Connection": _all(PARENT, "edges pageInfo totalCount") for node in ("Exposure", "ExposureAlert")},
    **{f"{node}Edge": _all(PARENT, "cursor node") for node in ("Exposure", "ExposureAlert")},
    **{name: _ERROR | _all(PARENT, "merchant") for name in ("MerchantAtCap", "MerchantFrozen", "MerchantNotFrozen")},
    "FreezeStep": _all(PARENT, "kind reason asOf at"),
    **{name: _all(PARENT, "merchant approval") for name in ("Frozen", "Restored")},
    "TooManyExchanges": _ERROR | _all(PARENT, "cap used"),
    "GiftRing": _all(PARENT, "members currency points given gifts firstAt lastAt"),
    "StoredValueElsewhere": _ERROR | _all(PARENT, "currency merchant"),
    "StoredValueNotExchanged": _ERROR | _all(PARENT, "currency"),
    "StoredValueNotEarned": _ERROR | _all(PARENT, "currency"),
    "StoredValueLimitExceeded": _ERROR | _all(PARENT, "cap used"),
    "ToppedUp": _all(PARENT, "operation paid bonus wallet"),
    "Refunded": _all(PARENT, "operation amount bonus wallet"),
    "Deposit": _all(PARENT, "merchant currency toppedUp refunded spent outstanding wallets"),
    "AlreadyReleased": _ERROR,
    "HoldLapsed": _ERROR | _all(PARENT, "expired"),
    "HoldExceeded": _ERROR | _all(PARENT, "held requested"),
    "InsufficientPoints": _ERROR | _all(PARENT, "available requested"),
    "BalanceLimitExceeded": _ERROR | _all(PARENT, "limit"),
    "Right": _all(
        PARENT,
        "id kind name status quantity remaining booked used validFrom expiresAt grantedAt grantor member code usableAt"
        " bookings moves",
    ),
    "RightBooking": _all(PARENT, "id status bookedAt expiresAt cancelUntil merchant"),
    "RightMove": _all(PARENT, "kind uses at merchant operation"),
    "RightsReportLine": _all(
        PARENT,
        "grantor kind at granted used noShows cancelled expired restored owed outstanding booked overdue over",
    ),
    "RightGranted": _all(PARENT, "right operation"),
    "RightReserved": _all(PARENT, "right booking"),
    "RightUsed": _all(PARENT, "uses right operation") | _all(SETTLEMENT, "obligations"),
    "RightCancelled": _all(PARENT, "uses noShow right booking operation") | _all(SETTLEMENT, "obligations"),
    "RightRestored": _all(PARENT, "uses expired right operation") | _all(SETTLEMENT, "obligations"),
    "RightNotFound": _ERROR,
    "RightNotUsable": _ERROR | _all(PARENT, "merchant"),
    "RightNotYetValid": _ERROR | _all(PARENT, "validFrom"),
    "RightExpired": _ERROR | _all(PARENT, "expired"),
    "RightAlreadyUsed": _ERROR | _all(PARENT, "left requested"),
    "RightWithdrawn": _ERROR,
    "RightBooked": _ERROR | _all(PARENT, "booked"),
    "RightSoldOut": _ERROR | _all(PARENT, "left requested"),
    "RightLimitExceeded": _ERROR | _all(PARENT, "cap used"),
    "BookingEnded": _ERROR | _all(PARENT, "status"),
    "HolderStopped": _ERROR,
    "MemberNotActive": _ERROR | _all(PARENT, "status until"),
    "ReturnExceedsOrder": _ERROR | _all(PARENT, "left requested"),
    "NotReversible": _ERROR | _all(PARENT, "kind"),
    "OperationArchived": _ERROR,
    "IdentifierTaken": _ERROR | _all(PARENT, "type"),
    "IdentifierNotVerified": _ERROR | _all(PARENT, "type"),
    "TooManyIdentifiers": _ERROR | _all(PARENT, "type most"),
    "LastIdentifier": _ERROR,
    "MemberNumbersExhausted": _ERROR | _all(PARENT, "merchant"),
    "QuoteExpired": _ERROR | _all(PARENT, "expired"),
    "LimitExceeded": _ERROR | _all(PARENT, "limit cap used requested"),
    "NotPending": _ERROR,
    "CapExceeded": _ERROR | _all(PARENT, "cap used"),
    "GiftsNotAllowed": _ERROR | _all(PARENT, "currency"),
    "GiftLimitExceeded": _ERROR | _all(PARENT, "limit cap used"),
    "GivenTooOften": _ERROR | _all(PARENT, "depth available"),
    "GiftNotWhole": _ERROR | _all(PARENT, "points available"),
    "AdjustmentLimitExceeded": _ERROR | _all(PARENT, "per cap used"),
    "NothingToReinstate": _ERROR | _all(PARENT, "available requested"),
    "NotSpendable": _ERROR | _all(PARENT, "currency"),
    "WholeCardsOnly": _ERROR | _all(PARENT, "currency card"),
    "TenderDiffers": _ERROR | _all(PARENT, "worth currency"),
    "BelowMinimum": _ERROR | _all(PARENT, "minimum"),
    "WrongCycleStatus": _ERROR | _all(PARENT, "number status needed"),
    "EarlierCycleOpen": _ERROR | _all(PARENT, "number"),
    "LaterCycleStated": _ERROR | _all(PARENT, "number"),
    "TooLate": _ERROR | _all(PARENT, "days"),
    "Objection": _all(PARENT, "claim line reason by at suspended"),
    "ObjectionsOpen": _ERROR | _all(PARENT, "until"),
    "ObjectionTooLate": _ERROR | _all(PARENT, "until"),
    "ObjectionUnfounded": _ERROR | _all(PARENT, "reason"),
    "ObjectionLimitExceeded": _ERROR | _all(PARENT, "cap used"),
    "AlreadyObjected": _ERROR,
    "_Service": _all(PUBLIC, "sdl"),
}
POLICIES |= clearing_policies.TYPES
_LISTED += f" {clearing_policies.LISTED}"
POLICIES |= {f"{name}Connection": _all(PARENT, "edges pageInfo totalCount") for name in _LISTED.split()}
POLICIES |= {f"{name}Edge": _all(PARENT, "cursor node") for name in _LISTED.split()}


def enforce(schema: GraphQLSchema, policies: dict[str, dict[str, Policy | None]] | None = None) -> None:
    """Wrap the resolvers of a schema, once: PARENT fields stay as they are, undeclared ones are closed to everybody."""
    declared = POLICIES if policies is None else policies
    for name, type_ in schema.type_map.items():
        if not is_object_type(type_) or name.startswith("__"):
            continue
        for field_name, field in type_.fields.items():
            if field_name not in declared.get(name, {}):
                field.resolve = field.subscribe = closed
                continue
            policy = declared[name][field_name]
            if policy is not None:
                if field.subscribe is not None:
                    field.subscribe = guarded(field.subscribe, policy, silent=False)
                nullable = name not in _ROOTS and not is_non_null_type(field.type)
                field.resolve = guarded(field.resolve, policy, silent=nullable)
