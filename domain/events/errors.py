"""How events and jobs refuse."""

from domain.errors import Refusal


class JobNotFailed(Refusal):
    """Only a job that failed for good can be retried or discarded."""

    code = "JOB_NOT_FAILED"
    text = {"en": "the job has not failed: it will be done", "zh-CN": "该任务未失败，将会执行"}
    remembered = False
