"""What a language model does with the interface: it is given a base URL and a token (or a proxy's socket, and none),
and knows nothing else. It reads the description, finds routes by the fields that they take and give, and reads from
answers alone what it may spend, from where, to whom, what to do when it is refused, and what to wait for.

No value of any field stands here. Field names do, and each is looked up in the description before it is read: a
field that is not described, or not in the answer, ends it.
"""

import datetime
import http.client
import json
import socket
import sys
import urllib.parse
import uuid

base, token, report = sys.argv[1:]


class Socket(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(base.removeprefix("unix:"))


def connection():
    if base.startswith("unix:"):
        return Socket("localhost", timeout=100)
    return http.client.HTTPConnection(urllib.parse.urlsplit(base).netloc, timeout=100)


def ask(method, target, body=None, headers=None):
    headers = dict(headers or {})
    if token:
        headers["Authorization"] = "Bearer " + token
    if body is not None:
        body = json.dumps(body)
        headers["Content-Type"] = "application/json"
    link = connection()
    link.request(method.upper(), target, body, headers)
    answer = link.getresponse()
    told = json.loads(answer.read())
    link.close()
    return answer.status, told


_, document = ask("get", "/openapi.json")


def resolved(schema):
    """Every field of a schema, with its own schema."""
    if "$ref" in schema:
        at = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            at = at[part]
        return resolved(at)
    fields = dict(schema.get("properties", {}))
    for part in schema.get("allOf", []):
        fields.update(resolved(part))
    return fields


def content(message):
    """The schema of a request's or an answer's body."""
    for kind, body in message.get("content", {}).items():
        if "json" in kind:
            return body.get("schema", {})
    return {}


def given(operation):
    """The schema of what comes back when all is well."""
    for status, answer in operation["responses"].items():
        if status.startswith("2") and content(answer):
            return content(answer)
    return {}


def find(method, gives, takes=()):
    """The operation of this method that takes and gives these fields; of several the one with the shortest path."""
    found = []
    for path, methods in document["paths"].items():
        operation = methods.get(method)
        if operation is None:
            continue
        asked = resolved(content(operation.get("requestBody", {})))
        if all(name in asked for name in takes) and all(name in resolved(given(operation)) for name in gives):
            found.append((path, operation))
    assert found, (method, gives, takes)
    return min(found, key=lambda one: len(one[0]))


def read(answer, schema, name):
    """A field that is described, and there."""
    assert name in resolved(schema), f"{name} is not described"
    assert name in answer, f"{name} is missing: {answer}"
    return answer[name]


def part(schema, name):
    """The schema of a list's entries."""
    described = resolved(schema)[name]
    return described["items"]


def problem(operation):
    """The schema of what comes back when it is refused."""
    refusals = [answer for status, answer in operation["responses"].items() if not status.startswith("2")]
    return next(content(answer) for answer in refusals if content(answer))


# What am I, and what binds me?
session_path, session_of = find("get", ["session", "signer", "remaining"])
policy_path, policy_of = find("get", ["summary", "assets", "contacts"])
_, session = ask("get", session_path)
_, policy = ask("get", policy_path)
signer = read(session, given(session_of), "signer")
terms_of = part(given(policy_of), "assets")
contact_of = part(given(policy_of), "contacts")
terms = read(policy, given(policy_of), "assets")[0]
amount = lambda name: int(read(terms, terms_of, name))
wallet, network, asset = (read(terms, terms_of, name) for name in ("wallet", "network", "asset"))
fee = amount("fee_ceiling_base")
contact = next(
    contact
    for contact in read(policy, given(policy_of), "contacts")
    if read(contact, contact_of, "network") == network
)
left_of = part(given(session_of), "remaining")
mine = [
    left
    for left in read(session, given(session_of), "remaining")
    if (read(left, left_of, "wallet"), read(left, left_of, "asset")) == (wallet, asset)
]
assert len(mine) == 1 and read(mine[0], left_of, "network") == network

# How do I pay, and how do I ask first?
takes = ["signer", "wallet", "network", "to", "amount_base", "reason"]
pay_path, pay_of = find("post", ["transaction", "replay"], takes)
try_path, try_of = find("post", ["allowed", "refusal"], takes)
named = next(one for one in pay_of["parameters"] if one["in"] == "header" and one["required"])["name"]


def body(units):
    return {
        "signer": signer,
        "wallet": wallet,
        "network": network,
        "to": read(contact, contact_of, "name"),
        "amount_base": str(units),
        "reason": "what was agreed",
    }


def pay(units):
    return ask("post", pay_path, body(units), {named: uuid.uuid4().hex})


def refused(answer, operation):
    """What a refusal says to do: how much would pass, and until when to wait for the rest."""
    schema = problem(operation)
    for name in ("code", "title", "hint", "next", "violations"):
        assert read(answer, schema, name), answer
    allowed = int(read(answer, schema, "allowed_now"))
    assert read(answer, schema, "asset") == asset, answer
    assert "retry_at" in resolved(schema)
    return allowed


def ended(payment):
    """Follows where the answer leads until it leads nowhere."""
    schema = given(pay_of)
    assert "follow" in resolved(schema)
    payments = [payment]
    while "follow" in payments[-1]:
        status, told = ask("get", payments[-1]["follow"])
        assert status < 300, told
        payments.append(told)
        assert len(payments) < 20, payments
    return payments[-1]


done = []


def remember(payment):
    schema = given(pay_of)
    done.append({name: read(payment, schema, name) for name in ("transaction", "status", "tier", "amount_base")})


# Too much: the answer says how much would pass.
status, told = pay(amount("per_transaction_base") + 1)
assert status >= 400, told
allowed = refused(told, pay_of)
judged = ask("post", try_path, body(amount("per_transaction_base") + 1))[1]
assert read(judged, given(try_of), "allowed") is False, judged
assert int(read(read(judged, given(try_of), "refusal"), problem(pay_of), "allowed_now")) == allowed, judged

# Little enough to go at once.
status, told = pay(amount("instant_up_to_base") - fee)
assert status < 300, told
remember(ended(told))

# As much as would pass: it waits for whoever the answer names, and the answer leads on.
status, told = pay(allowed - fee)
assert status < 300, told
assert read(told, given(pay_of), "waits_for"), told
assert read(told, given(pay_of), "expires_at"), told
assert read(told, given(pay_of), "follow"), told
print("waiting", read(told, given(pay_of), "transaction"), flush=True)
remember(ended(told))

# The same once more is more than is left now: when it would pass, and how much passes at once.
status, told = pay(allowed - fee)
assert status >= 400, told
less = refused(told, pay_of)
assert less < allowed, told
moment = datetime.datetime.fromisoformat(read(told, problem(pay_of), "retry_at"))
assert moment > datetime.datetime.now(datetime.timezone.utc), told
_, policy = ask("get", policy_path)
terms = read(policy, given(policy_of), "assets")[0]
assert amount("spendable_base") == less, (policy, told)
window_of = part(terms_of, "windows")
tight = [
    window
    for window in read(terms, terms_of, "windows")
    if int(read(window, window_of, "left_base")) == less
]
more = datetime.datetime.fromisoformat(read(tight[0], window_of, "more_at"))
# Both are told to the second.
assert more <= moment + datetime.timedelta(seconds=2), (policy, told)
status, told = pay(less - fee)
assert status < 300, told
remember(ended(told))

with open(report, "w", encoding="ascii") as file:
    json.dump({"session": read(session, given(session_of), "session"), "done": done}, file)
