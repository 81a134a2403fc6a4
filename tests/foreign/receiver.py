"""Receivers of every kind of channel, on loopback: stands in for the Telegram Bot API, Discord, Slack, ntfy, a mail
server (aiosmtpd), and verifies webhooks with the published library. Appends what it took to a file, a JSON object a
line; prints its two ports once it serves.

Arguments: the file, the webhooks' secret, and, to come back at the same place, both ports.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aiosmtpd.controller import Controller
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

FILE, SECRET = sys.argv[1], sys.argv[2]
HTTP, SMTP = (int(port) for port in sys.argv[3:5]) if len(sys.argv) > 3 else (0, 0)
LOCK = threading.Lock()


def took(channel, name, text):
    with LOCK, open(FILE, "a", encoding="utf-8") as file:
        file.write(json.dumps({"channel": channel, "name": name, "text": text}) + "\n")


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["content-length"]))
        body = json.loads(raw)
        if self.path == "/books":
            try:
                verified = Webhook(SECRET).verify(raw.decode(), dict(self.headers))
            except WebhookVerificationError as error:
                took("refused", "", str(error))
                return self.answer(401, {})
            took("books", self.headers["webhook-id"], verified)
        elif self.path == "/bot12345:secret/sendMessage":
            # As the Bot API checks what it is sent.
            if not isinstance(body["chat_id"], str) or not 0 < len(body["text"]) <= 4096 or "parse_mode" in body:
                return self.answer(400, {"ok": False, "error_code": 400, "description": "Bad Request"})
            took("telegram", "", body["text"])
        elif self.path == "/discord/secret":
            if not 0 < len(body["content"]) <= 2000 or body["allowed_mentions"] != {"parse": []}:
                return self.answer(400, {"code": 50035})
            took("discord", "", body["content"])
        elif self.path == "/slack/secret":
            text = body["blocks"][0]["text"]
            if text["type"] != "plain_text" or not 0 < len(text["text"]) <= 3000:
                return self.answer(400, {"error": "invalid_blocks"})
            took("slack", "", text["text"])
        elif self.path == "/":
            if body["topic"] != "wallet" or self.headers["authorization"] != "Bearer tk_secret":
                return self.answer(403, {"code": 40301})
            took("ntfy", "", body["title"] + "\n" + body["message"])
        else:
            return self.answer(404, {})
        return self.answer(200, {"ok": True})


class Mail:
    async def handle_DATA(self, _server, _session, envelope):
        import email
        from email import policy

        letter = email.message_from_bytes(envelope.content, policy=policy.default)
        took("mail", letter["message-id"].split("@")[0].strip("<"), letter["subject"] + "\n" + letter.get_content())
        return "250 taken"


server = ThreadingHTTPServer(("127.0.0.1", HTTP), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
mail = Controller(Mail(), hostname="127.0.0.1", port=SMTP or 0)
if SMTP == 0:
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        mail.port = free.getsockname()[1]
mail.start()
print("ready", server.server_address[1], mail.port, flush=True)
sys.stdin.read()
