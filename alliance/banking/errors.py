"""How payments, statements of banks and receipts are refused."""

from domain.errors import Refusal


class StatementRefused(Refusal):
    """A bank's statement that is not what it says it is; `reason` says where, and quotes nothing of it."""

    code = "STATEMENT_REFUSED"
    text = {"en": "this bank statement is not taken: {reason}", "zh-CN": "该银行对账单未被接受：{reason}"}


class AccountMissing(Refusal):
    """`party` (a merchant's code, or the alliance's) has no account at a bank in the alliance file."""

    code = "ACCOUNT_MISSING"
    text = {
        "en": "the alliance file names no account of {party}",
        "zh-CN": "联盟文件中没有 {party} 的银行账户",
    }
