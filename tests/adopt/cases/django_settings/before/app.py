app.conf.task_annotations = (
    {"shop.sms": {"rate_limit": "10/m"}},
    {"shop.fax": {"rate_limit": "1/m"}, "shop.sms": {"time_limit": 5}},
)
app.conf["task_default_rate_limit"] = "6000/h"
