from django.http import HttpRequest, JsonResponse

from mails.tasks import send_welcome


def welcome(request: HttpRequest, user: str) -> JsonResponse:
    return JsonResponse({"task": send_welcome.delay(user).id}, status=202)
