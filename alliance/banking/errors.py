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


class NotMatching(Refusal):
    """A receipt and a payment that cannot be the same money; `reason` says why."""

    code = "NOT_MATCHING"
    text = {"en": "they do not match: {reason}", "zh-CN": "无法匹配：{reason}"}
    remembered = False


class PaymentsChanged(Refusal):
    """What was to be paid is not what is to be paid now: what was approved was another file."""

    code = "PAYMENTS_CHANGED"
    text = {
        "en": "what is to be paid has changed since it was asked for: ask again",
        "zh-CN": "待付款项在申请后已变更，请重新申请",
    }
    remembered = False
