"""An owner's client that shares no code with the wallet: logs in over REST with solders (Sign-In With Solana) or
eth-account (Sign-In with Ethereum), sees what waits, signs the signer's own text, and hands it in.

Arguments: the gateway's address, `solana` or `evm`, the key (a Solana key file's text, or a private key in hexadecimal),
and what to do: `approve TRANSACTION`, `reject TRANSACTION` or `kill`. Prints one JSON line; anything unexpected ends with
status 1.
"""

import json
import re
import sys
import urllib.error
import urllib.request

from eth_account import Account
from eth_account.messages import encode_defunct
from solders.keypair import Keypair

URL, KIND, SECRET, WHAT = sys.argv[1:5]
DOMAIN = URL.split("://")[1]


def call(method, path, body=None, token=None, expected=200):
    request = urllib.request.Request(URL + path, method=method)
    if token:
        request.add_header("Authorization", "Bearer " + token)
    data = None
    if method == "POST":
        request.add_header("Content-Type", "application/json")
        data = json.dumps(body or {}).encode()
    try:
        with urllib.request.urlopen(request, data, timeout=60) as answer:
            status, told, headers = answer.status, json.load(answer), answer.headers
    except urllib.error.HTTPError as refusal:
        status, told, headers = refusal.code, json.load(refusal), refusal.headers
    assert status == expected, (path, status, told)
    assert "Set-Cookie" not in headers, headers
    return told


def wallet():
    """The address, and what signs a text: as `solana:signMessage` and `personal_sign` do."""
    if KIND == "solana":
        pair = Keypair.from_json(SECRET)
        return str(pair.pubkey()), lambda text: str(pair.sign_message(text.encode()))
    account = Account.from_key(SECRET)

    def personal_sign(text):
        return Account.sign_message(encode_defunct(text=text), SECRET).signature.to_0x_hex()

    return account.address, personal_sign


def read(text, address):
    """What a careful wallet looks at before it signs a login: its form (EIP-4361), and whose page it is for."""
    family = "Solana" if KIND == "solana" else "Ethereum"
    lines = text.split("\n")
    assert lines[0] == f"{DOMAIN} wants you to sign in with your {family} account:", lines
    assert lines[1:3] == [address, ""] and lines[4] == "", lines
    assert "127.0.0.1" in lines[3] and "owner of signer_" in lines[3], lines
    fields = dict(line.split(": ", 1) for line in lines[5:])
    assert list(fields) == ["URI", "Version", "Chain ID", "Nonce", "Issued At", "Expiration Time", "Request ID"], lines
    assert fields["URI"] == URL + "/v1/owner/login" and fields["Version"] == "1", fields
    assert re.fullmatch("[a-zA-Z0-9]{8,64}", fields["Nonce"]) and len(fields["Nonce"]) >= 22, fields
    return fields


def log_in(address, sign):
    given = call("POST", "/v1/owner/login/challenge", {"account": address})
    fields = read(given["text"], address)
    assert fields["Request ID"] == given["request_id"], given
    answer = {"login": given["login"], "text": given["text"], "signature": sign(given["text"])}
    # Bent by a byte it is nothing, and the challenge is used up.
    bent = call("POST", "/v1/owner/login", {**answer, "text": given["text"] + "\n"}, expected=401)
    assert bent["code"] == "login_invalid", bent
    call("POST", "/v1/owner/login", answer, expected=401)
    given = call("POST", "/v1/owner/login/challenge", {"account": address})
    answer = {"login": given["login"], "text": given["text"], "signature": sign(given["text"])}
    made = call("POST", "/v1/owner/login", answer)
    # Nor does it count twice.
    call("POST", "/v1/owner/login", answer, expected=401)
    return made["token"], answer["signature"]


def decide(token, sign, login_signature, decision, transaction):
    waiting = call("GET", "/v1/owner/waiting", token=token)["waiting"]
    assert transaction in [one["transaction"] for one in waiting], waiting
    draft = call("POST", f"/v1/owner/waiting/{transaction}/draft", {"decision": decision}, token, 201)
    text = draft["text"]
    assert text.split("\n")[0] == f"WAIaaS {decision.upper()} PAYMENT", text
    assert f"Payment request: {transaction}" in text.split("\n"), text
    submit = f"/v1/owner/statements/{draft['statement']}/submit"
    # The login's signature is no approval.
    call("POST", submit, {"signatures": [{"signature": login_signature}]}, token, 403)
    done = call("POST", submit, {"signatures": [{"signature": sign(text)}]}, token)
    call("POST", submit, {"signatures": [{"signature": sign(text)}]}, token, 404)
    left = call("GET", "/v1/owner/waiting", token=token)["waiting"]
    assert not [one for one in left if one["transaction"] == transaction and not one["approved"]], left
    return done


def main():
    address, sign = wallet()
    token, signature = log_in(address, sign)
    overview = call("GET", "/v1/owner/overview", token=token)
    if WHAT == "kill":
        done = call("POST", "/v1/owner/kill", token=token)
        assert call("GET", "/v1/owner/overview", token=token)["signer"]["kill"] == "ACTIVATED"
    else:
        done = decide(token, sign, signature, WHAT, sys.argv[5])
    events = call("GET", "/v1/owner/audit?limit=20", token=token)["events"]
    call("POST", "/v1/owner/logout", token=token)
    ended = call("GET", "/v1/owner/overview", token=token, expected=401)
    assert ended["code"] == "login_ended", ended
    print(json.dumps({
        "sequence": done["sequence"],
        "waiting": overview["waiting"]["count"],
        "kinds": [event["kind"] for event in events],
    }))


main()
