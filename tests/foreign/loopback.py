"""A framework that cannot sign: urllib, a base URL and the line of a token file. Pays once, asks what became of it,
and tries what it should not. Prints what it was told as JSON."""

import json
import sys
import urllib.error
import urllib.request

base, token_file, key, body = sys.argv[1:]
token = open(token_file, encoding="ascii").read().strip()


def ask(method, path, data=None, **headers):
    request = urllib.request.Request(base + path, method=method, data=data)
    request.add_header("Authorization", "Bearer " + token)
    for name, value in headers.items():
        request.add_header(name.replace("_", "-"), value)
    try:
        with urllib.request.urlopen(request, timeout=100) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as refused:
        return refused.code, json.load(refused)


told = {"session": ask("GET", "/v1/session")}
plain = {"Content_Type": "application/json"}
told["unnamed"] = ask("POST", "/v1/transactions", body.encode(), **plain)
named = dict(plain, Idempotency_Key=key)
told["paid"] = ask("POST", "/v1/transactions?wait=60", body.encode(), **named)
told["again"] = ask("POST", "/v1/transactions", body.encode(), **named)
told["judged"] = ask("POST", "/v1/transactions/dry-run", body.encode(), **plain)
told["origin"] = ask("GET", "/v1/session", Origin="http://127.0.0.1")
told["owner"] = ask("GET", "/v1/owner/agents")
token = "another"
told["stranger"] = ask("GET", "/v1/session")
json.dump(told, sys.stdout)
