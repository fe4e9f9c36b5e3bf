"""``python manage.py slow_down mail 1/s``: another rate for an hour, set from Django."""

from django.core.management.base import BaseCommand
from project.celery import app

from limitkit import RateLimitManager


class Command(BaseCommand):
    help = "Sets another rate for an hour, on all workers."

    def add_arguments(self, parser):
        parser.add_argument("limit")
        parser.add_argument("rate")

    def handle(self, *args, limit, rate, **options):
        RateLimitManager(app).adjust_rate(limit, rate, for_="1h", reason="manage.py slow_down")
        self.stdout.write(f"{limit} is at {rate} for an hour.")
