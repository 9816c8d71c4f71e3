"""All tables, imported so that Alembic and the tests see every one."""

import alliance.accrual.model
import alliance.agreements.model
import alliance.approvals.model
import alliance.archive.model
import alliance.banking.receipts
import alliance.breaks.model
import alliance.clearing.model
import alliance.corrections.model
import alliance.deadlines.model
import alliance.defaults.model
import alliance.departing.model
import alliance.disputes.model
import alliance.exchange.model
import alliance.exposure.model
import alliance.exposure.repair
import alliance.invoices.model
import alliance.liability.model
import alliance.partnerfiles.model
import alliance.proofs.model
import alliance.reconciliation.model
import alliance.rerating.model
import alliance.settlement.model
import alliance.staff.model
import alliance.statements.model
import alliance.subsidies.model
import alliance.treasury.model
import alliance.webhooks.model  # noqa: F401
import domain.attempts.model
import domain.benefits.model
import domain.codes.model
import domain.contacts.accepting
import domain.contacts.model
import domain.contacts.sharing
import domain.duplicates.model
import domain.events.model
import domain.guard.model
import domain.ledger.aliases
import domain.ledger.archived
import domain.ledger.extensions
import domain.ledger.model
import domain.ledger.slides
import domain.ledger.watching
import domain.members.model
import domain.messages.model
import domain.notices.model
import domain.passcodes.model
import domain.pools.model
import domain.privacy.model
import domain.profiles.model
import domain.programs.model
import domain.reads.model
import domain.sessions.model
import domain.stages.model
import domain.tiers.model  # noqa: F401
import server.access.model  # noqa: F401
