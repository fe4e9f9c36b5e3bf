broker_url = "memory://"
task_default_rate_limit = "5/s"
task_annotations = {
    "tasks.slow": {"rate_limit": "1/s"},
}
