"""`hegui alerts test` against a tiny HTTP server on this machine."""

import json
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest


class Receiver(HTTPServer):
    """Takes what Alertmanager would take."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.requests = []


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, self.headers["Content-Type"], json.loads(body)))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver(monkeypatch):
    with Receiver() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        monkeypatch.setenv("HEGUI_KAFKA__BOOTSTRAP_SERVERS", "localhost:9092")
        monkeypatch.setenv("HEGUI_ALERTS__ALERTMANAGER_URL", f"http://127.0.0.1:{server.server_port}/am/")
        yield server
        server.shutdown()
        thread.join()


def test_a_test_page_goes_the_way_of_a_real_one(hegui, receiver):
    ran = hegui("alerts", "test", "--severity", "high", "--minutes", 2)
    assert ran.code == 0
    ((path, content_type, (alert,)),) = receiver.requests
    assert (path, content_type) == ("/am/api/v2/alerts", "application/json")
    assert alert["labels"]["alertname"] == "ComplianceTestPage"
    assert alert["labels"]["severity"] == "high"
    lasts = datetime.fromisoformat(alert["endsAt"]) - datetime.fromisoformat(alert["startsAt"])
    assert lasts.total_seconds() == 120
    assert "sent ComplianceTestPage with severity high" in ran.out


def test_an_answer_that_is_no_yes_is_told(hegui, receiver):
    receiver.status = 404
    ran = hegui("alerts", "test")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "answered 404; check that it is an Alertmanager" in ran.err


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:port", "alertmanager", "alertmanager:9093"])
def test_an_address_that_cannot_be_reached_is_told(hegui, receiver, monkeypatch, url):
    monkeypatch.setenv("HEGUI_ALERTS__ALERTMANAGER_URL", url)
    ran = hegui("alerts", "test")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "alerts.alertmanager_url" in ran.err
    assert receiver.requests == []
