task_annotations = {"shop.mail": {"rate_limit": "10/m"}}
if DEBUG:
    task_annotations = {"shop.mail": {"rate_limit": "1/m"}}
