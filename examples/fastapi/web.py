"""A FastAPI app that sends tasks: ``uvicorn web:app``."""

from celery.result import AsyncResult
from fastapi import FastAPI
from tasks import build_report, celery_app

app = FastAPI()


@app.post("/reports/{tenant}", status_code=202)
def order_report(tenant: str) -> dict[str, str]:
    return {"task": build_report.delay(tenant).id}


@app.get("/reports/tasks/{task_id}")
def see_report(task_id: str) -> dict[str, object]:
    result = AsyncResult(task_id, app=celery_app)
    return {"state": result.state, "result": result.result if result.successful() else None}
