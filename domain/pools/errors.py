"""How pools refuse."""

from domain.errors import Refusal

NOBODY = "NONE"
"""The role of who is not in a pool."""


class PoolNotActive(Refusal):
    """The pool is closed."""

    code = "POOL_NOT_ACTIVE"
    text = {"en": "the pool is closed", "zh-CN": "积分池已关闭"}


class NotInPool(Refusal):
    """The member is not in the pool, or their role there (`role`, NONE for who is not) does not let them do this."""

    code = "NOT_IN_POOL"
    text = {"en": "the role {role} in the pool does not allow this", "zh-CN": "积分池角色 {role} 不允许此操作"}


class AlreadyInPool(Refusal):
    """The member is in the pool."""

    code = "ALREADY_IN_POOL"
    text = {"en": "the member is in the pool", "zh-CN": "该会员已在积分池中"}


class PoolNotEmpty(Refusal):
    """A pool is closed when nothing is left in it: `points` are."""

    code = "POOL_NOT_EMPTY"
    text = {"en": "{points} points are left in the pool", "zh-CN": "积分池中尚有 {points} 积分"}


class PoolLimitExceeded(Refusal):
    """A pool lets at most `cap` points be moved so (`moves`: SPEND or CONTRIBUTE) in a `per`; `used` are."""

    code = "POOL_LIMIT_EXCEEDED"
    text = {
        "en": "the pool's limit of {moves} per {per} is {cap} points, {used} are used",
        "zh-CN": "积分池限额（{moves}，每{per}）为 {cap} 积分，已用 {used}",
    }


class NotInvited(Refusal):
    """The member was not invited to the pool, or has answered."""

    code = "NOT_INVITED"
    text = {"en": "there is no invitation to answer", "zh-CN": "没有待答复的邀请"}


class PoolFull(Refusal):
    """A pool has at most `most` members."""

    code = "POOL_FULL"
    text = {"en": "a pool has at most {most} members", "zh-CN": "积分池最多 {most} 名成员"}
