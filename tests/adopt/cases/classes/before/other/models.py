class Task(Model):
    rate_limit = "1/s"
    tokens_per_second = 5
