LIMITS = {"shop.pay": {"rate_limit": "1/s"}}
CELERY_TASK_ANNOTATIONS = {"shop.mail": {"rate_limit": "10/m"}}
CELERY_TASK_DEFAULT_RATE_LIMIT = "100/m"
CELERY = {"task_annotations": LIMITS, "task_acks_late": True}
