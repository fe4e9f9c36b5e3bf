class Annotate:
    def annotate(self, task):
        return {"rate_limit": "1/s"}


app.conf.task_annotations = (Annotate(), {"shop.sms": {"rate_limit": "10/m"}})
