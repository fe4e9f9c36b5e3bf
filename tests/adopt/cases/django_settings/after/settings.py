LIMITS = {}
CELERY = {"task_annotations": LIMITS, "task_acks_late": True}
