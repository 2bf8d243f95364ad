"""A proxy behind Flask-Limiter.

python flask_proxy.py <port> <port of the API> <file for a line per request> <config as JSON>
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from pathlib import Path

import flask
from flask_limiter import Limiter
from werkzeug.serving import WSGIRequestHandler, make_server

port, upstream, log, config = sys.argv[1:]
WSGIRequestHandler.protocol_version = "HTTP/1.1"
app = flask.Flask("proxy")
app.config |= json.loads(config)
# One limit for all clients.
limiter = Limiter(lambda: "all", app=app, headers_enabled=True, storage_uri="memory://")


def write_down(response: flask.Response) -> flask.Response:
    """Write a line of each request."""
    line = f"{time.time()} {response.status_code} {flask.request.environ['REQUEST_URI']}\n"
    with Path(log).open("a", encoding="utf-8") as file:
        file.write(line)
    return response


def proxy(**_: str) -> flask.Response:
    """Ask the API."""
    connection = http.client.HTTPConnection("127.0.0.1", int(upstream))
    headers = {name: value for name, value in flask.request.headers if name != "Host"}
    connection.request("GET", flask.request.environ["REQUEST_URI"], headers=headers)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return flask.Response(body, answer.status, content_type=answer.headers["Content-Type"])


app.after_request(write_down)
app.add_url_rule("/<path:path>", view_func=proxy)
server = make_server("127.0.0.1", int(port), app, threaded=True)
print("ready", flush=True)
server.serve_forever()
