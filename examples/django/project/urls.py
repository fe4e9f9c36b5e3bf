from django.urls import path
from mails.views import welcome

urlpatterns = [path("welcome/<str:user>/", welcome)]
