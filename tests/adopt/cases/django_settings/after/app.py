app.conf.task_annotations = (
    {},
    {"shop.sms": {"time_limit": 5}},
)
