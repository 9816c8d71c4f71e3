"""All acts that may take two people: importing this fills `alliance.approvals.commands.ACTS`."""

import alliance.banking.acts
import alliance.breaks.commands
import alliance.clearing.asked
import alliance.corrections.adjusting
import alliance.deadlines.commands
import alliance.defaults.acts
import alliance.rerating.commands
import alliance.waivers.commands  # noqa: F401
