"""A messages API as in-house services have it: Django REST framework, with its paginations.

    python django_api.py <port> <file of the database>

It runs in the environment of requirements/django-rest-framework.txt.
"""
# mypy: disallow-subclassing-any=False
# ruff: noqa: DJ008, E402 - Django is set up before models are defined, and nobody prints these

from __future__ import annotations

import sys
from typing import Any

import django
from django.conf import settings
from django.core.servers.basehttp import run

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": sys.argv[2]}},
    INSTALLED_APPS=["rest_framework"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [],
        "DEFAULT_PERMISSION_CLASSES": [],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "UNAUTHENTICATED_USER": None,
        "PAGE_SIZE": 10,
    },
    ROOT_URLCONF=__name__,
    USE_TZ=True,
)
django.setup()

from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.urls import path
from rest_framework import generics, pagination, serializers


class Message(models.Model):
    text = models.TextField()
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        app_label = "messages"
        ordering = ("id",)


class MessageSerializer(serializers.ModelSerializer):
    class Meta:
        model = Message
        fields = ("id", "text", "created")


class ByCursor(pagination.CursorPagination):
    ordering = "id"


def view(paginated: type[Any]) -> Any:
    """Return a list of all messages, which takes new ones, too."""
    return generics.ListCreateAPIView.as_view(
        queryset=Message.objects.all(),
        serializer_class=MessageSerializer,
        pagination_class=paginated,
    )


urlpatterns = [
    path("offset", view(pagination.LimitOffsetPagination)),
    path("page", view(pagination.PageNumberPagination)),
    path("cursor", view(ByCursor)),
]

if __name__ == "__main__":
    with connection.schema_editor() as editor:
        editor.create_model(Message)
    run("127.0.0.1", int(sys.argv[1]), get_wsgi_application(), threading=True)
