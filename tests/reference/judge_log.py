#!/usr/bin/env python3
"""Judges an exported log of a WAIaaS signer by its limits, without a line of the product's code.

    waiaas audit export log.jsonl
    python3 judge_log.py log.jsonl [--unchained]

Every payment that was signed is read from its own bytes (a transfer by authorization, whose bytes are hashes, from
its fields), and every policy that bound at that moment from the document that the log keeps. Their sums over every
window must be within each document: per transaction, hour, day, week and month, per wallet, recipient, pool, session
and altogether, in the asset and in USD; fees and outstanding value too; to listed recipients only; in the tier that
the amount, the sum of a window and a first payment ask for; after the waits of that tier, between payments too, and
within the hours of a scope. Sums are exact, windows are to the millisecond.

Written from docs/events.md, docs/policy.md and the chains' own formats. The log's form, its chain and its heads are
verify_log.py's to judge, which this runs first; `--unchained` leaves that out, for logs that were changed on purpose.
Transactions are read in read_bytes.py; what waits is followed in judge_waits.py.
Bytes, rules and kinds that it does not know are refused, not passed over. Only the standard library is needed.
Exit status: 0 within all limits, 1 not, 64 wrong usage.
"""

import argparse
import base64
import json
import sys

import verify_log
from judge_waits import APPROVAL, DELAY, INSTANT, NOTIFY, Changes, Waits, inside
from read_bytes import (SYSTEM, TOKENS, TOKENS_2022, Broken, base58, need, read_evm, read_solana, token_account)

HOUR = 3_600_000
WINDOWS = ((1, "hour"), (24, "day"), (168, "week"), (720, "month"))
# Facts of statements that this reads: docs/statements.md.
ADOPT_POLICY, GRANT_SESSION = 1, 2
# Types of a program's fields, by how many bytes they take.
FIELDS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "u128": 16, "bool": 1, "address": 32}
FIELDS |= {f"bytes{length}": length for length in range(1, 33)}


# --- what the log says ------------------------------------------------------------------------------------

def address(account):
    """Chain and bytes of an account's text."""
    chain, _, text = account.rpartition(":")
    return chain, bytes.fromhex(text[2:]) if chain.startswith("eip155:") else base58(text)


def tables_of(document, chain):
    """What a document says is in the lookup tables of a network."""
    tables = ((address(one[0]), one[1]) for one in document.get(20) or [])
    return {place: [raw(each) for each in content] for (of, place), content in tables if of == chain}


def native(chain):
    return f"{chain}/slip44:{60 if chain.startswith('eip155:') else 501}"


class Charge:
    """One payment as it is counted here."""

    def __init__(self, sequence, spend, at, amounts, transfers, fee, moved=()):
        self.sequence, self.name = sequence, spend[0]
        self.session, self.wallet, self.chain = spend[1], spend[2], spend[3]
        self.at, self.amounts, self.transfers, self.fee = at, amounts, transfers, fee
        # Tokens: of which, to whom in the chain's bytes (who owns the account), how much.
        self.moved, self.outstands, self.fresh = list(moved), False, True
        self.tier, self.nonce, self.payments = spend[7], spend.get(9), max(len(transfers) + len(self.moved), 1)
        # What each recipient gets of each asset, and in how many payments.
        self.received = {}
        for asset, to, amount in [(native(self.chain), *one) for one in transfers] + self.moved:
            total, times = self.received.get((asset, to), (0, 0))
            self.received[asset, to] = total + amount, times + 1


class Judge:
    """Follows the events of a log."""

    def __init__(self):
        self.facts, self.documents, self.sessions, self.accounts = {}, [], {}, {}
        self.charges, self.outstanding, self.attested = [], {}, {}
        # Whom each wallet ever paid, on which chain.
        self.paid = set()
        self.waits, self.changes = Waits(), Changes()
        self.wall = self.judged = 0

    def take(self, sequence, body):
        (self.wall, run, budget), kind, fields = verify_log.event(body)
        if kind == "statement_issued":
            self.facts[fields[0]] = fields[1]
        elif kind == "policy_adopted":
            number, content = self.facts[fields[0]]
            need(number == ADOPT_POLICY, "a policy without its statement")
            document = verify_log.decode(content[0], signed=True)
            need(document[1] == fields[2], "another epoch than the document's")
            self.documents.append([fields[4], document, fields[1]])
        elif kind == "owner_suspended":
            for adopted in self.documents:
                if adopted[1][1] in fields[1]:
                    adopted[0] = None
            self.waits.void(fields[0])
        elif kind == "owner_change_scheduled":
            self.changes.scheduled(fields[0], fields[2])
        elif kind == "owner_change_effective":
            self.changes.effective(fields[0], self.documents, run, self.waits)
        elif kind == "intent_opened":
            intent = fields[0]
            delays = [self.delay(document, intent[1], intent[2]) for document in self.binding(run)]
            need(delays, "opened without a policy")
            self.waits.opened(intent, run, max(delays))
        elif kind == "intent_approved":
            self.waits.approved(fields[0], fields[2], fields[3])
        elif kind == "intents_ended":
            self.waits.ended(fields[0])
        elif kind == "session_granted":
            number, content = self.facts[fields[1]]
            need(number == GRANT_SESSION, "a session without its grant")
            self.sessions[fields[0]] = content[0]
        elif kind == "wallet_created":
            self.accounts[fields[0]] = fields[2][1][0]
        elif kind == "wallet_rotated":
            self.accounts[fields[0]] = fields[2][1][0]
        elif kind == "nonce_attested":
            self.outstanding[fields[0], fields[1]] = 0
            self.attested[fields[0], fields[1]] = fields[2]
        elif kind == "credited":
            self.credit(fields[0], fields[4])
        elif kind == "spend_committed":
            self.spend(sequence, fields[0], run, budget, None)
        elif kind == "spend_replaced":
            self.spend(sequence, fields[0], run, budget, fields[1])
        elif kind == "transfer_authorized":
            self.authorized(sequence, fields[0], fields[1], run, budget)

    def binding(self, run):
        newest = max((place for place, (matures, _, _) in enumerate(self.documents)
                      if matures is not None and matures <= run), default=0)
        return [document for _, document, _ in self.documents[newest:]]

    def delay(self, document, session, wallet):
        """How long DELAY waits: the longest of the document and of the scopes that hold."""
        scopes = [one.get(8) or 0 for one in document[13] if self.holds(document, one, session, wallet)]
        return max([document[5]] + scopes)

    def holds(self, document, scope, session, wallet):
        """Whether a scope holds for a payment; if so, which earlier ones it counts."""
        kind, arguments = scope[0]
        pools = {pool[0]: pool[1] for pool in document[11]}
        bearer = self.sessions[session][4][0] == 1
        holds, counted = {
            0: lambda: (True, lambda one: True),
            1: lambda: (wallet in pools[arguments[0]], lambda one: one.wallet in pools[arguments[0]]),
            2: lambda: (wallet == arguments[0], lambda one: one.wallet == arguments[0]),
            3: lambda: (True, lambda one: one.session == session),
            4: lambda: (session == arguments[0], lambda one: one.session == session),
            5: lambda: (bearer, lambda one: one.session == session),
        }[kind]()
        return counted if holds else None

    def credit(self, sequence, amounts):
        one = next((one for one in self.charges if one.sequence == sequence), None)
        need(one, "a credit of nothing")
        for asset, amount in amounts:
            one.amounts[asset] -= amount
            need(one.amounts[asset] >= 0, "more credited than charged")

    def read(self, sequence, spend, budget, documents):
        """What the bytes take, whatever the event says that they do."""
        chain, unsigned = spend[3], spend[4]
        if chain.startswith("solana:"):
            tables = [tables_of(document, chain) for document in documents]
            read, *others = (read_solana(unsigned, self.accounts[spend[2]], one) for one in tables)
            need(all(other == read for other in others), "bytes that documents read in two ways")
            amounts, moved = {}, []
            if read.transfers or not read.sponsored:
                amounts[native(chain)] = read.fee + sum(amount for _, amount in read.transfers)
            for mint, to, amount, places in read.moved:
                asset = next((one[0] for document in documents for one in document[3]
                              if one[0].startswith(f"{chain}/token:") and base58(one[0].split(":")[-1]) == mint), None)
                need(asset and all(rule(document, asset)[2] == places for document in documents), "another token")
                amounts[asset] = amounts.get(asset, 0) + amount
                moved.append((asset, owner_of(to, mint, documents, chain, spend), amount))
            if read.call:
                ways = [self.program(document, chain, spend[2], read.call) for document in documents]
                need(all(way == ways[0] for way in ways), "a call that is counted in two ways")
                for asset, amount in ways[0].items():
                    amounts[asset] = amounts.get(asset, 0) + amount
            return Charge(sequence, spend, budget, amounts, read.transfers, read.fee, moved)
        said = read_evm(unsigned)
        need(said["nonce"] == spend.get(9), "another nonce than recorded")
        fee = said["fee"] + max((rule(document, native(chain)).get(30, 0) for document in documents), default=0)
        amounts = {native(chain): fee + said["value"]}
        if not said["call"]:
            return Charge(sequence, spend, budget, amounts, [(said["to"], said["value"])], fee)
        for document in documents:
            for asset, amount in self.call(document, chain, said).items():
                need(amounts.setdefault(asset, amount) == amount, "a call that is counted in two ways")
        return Charge(sequence, spend, budget, amounts, [], fee)

    @staticmethod
    def call(document, chain, said):
        """What the arguments of a registered call let leave."""
        target = next((one for one in document[12]
                       if address(one[0]) == (chain, said["to"]) and one[1] == said["call"][:4]), None)
        need(target, "a call that nobody registered")
        need(said["value"] <= target[3], "the call's value")
        words = [said["call"][place:place + 32] for place in range(4, len(said["call"]), 32)]
        arguments = target[4][1]
        need(len(words) == len(arguments), "as many arguments as there are")
        spent = {}
        for word, argument in zip(words, arguments):
            accepts, arguments_of = argument[0]
            number = int.from_bytes(word, "big")
            need(accepts != 1 or word <= arguments_of[0], "an argument above its limit")
            need(accepts != 2 or word in arguments_of[0], "an argument that is not listed")
            if argument.get(1) is not None:
                spent[argument[1]] = spent.get(argument[1], 0) + number
        return spent

    def program(self, document, chain, wallet, told):
        """What leaves with a call of a program, by the owner's word."""
        program, accounts, data = told
        fits = [one for one in document[12]
                if address(one[0]) == (chain, program) and data.startswith(one[1]) and one.get(5) is not None]
        need(fits, "a call that nobody registered")
        method = max(fits, key=lambda one: len(one[1]))
        places, fields, tail, outflow = (method[5][at] for at in range(4))
        rest, leaves = data[len(method[1]):], {}
        for one in outflow:
            leaves[one[0]] = leaves.get(one[0], 0) + one[1]
        for field in fields:
            length = FIELDS[field[0]]
            need(len(rest) >= length, "as many fields as there are")
            value, rest = rest[:length], rest[length:]
            number, (accepts, of) = int.from_bytes(value, "little"), field[1]
            need(accepts != 1 or number <= of[0], "a field above its limit")
            need(accepts != 2 or value in of[0], "a field that is not listed")
            need(accepts != 3 or value == self.accounts[wallet], "a field for somebody else")
            if field.get(2) is not None:
                leaves[field[2]] = leaves.get(field[2], 0) + number
        need(len(rest) <= tail, "bytes behind the fields")
        need([writable for _, writable in accounts] == [place[1] for place in places], "other places or rights")
        own = self.accounts[wallet]
        mints = [(base58(one[0].split(":")[-1]), one.get(21)) for one in document[3]
                 if one[0].startswith(f"{chain}/token:")]
        mine = [own] + [token_account(own, mint, TOKENS_2022 if of in (1, [1, []]) else TOKENS) for mint, of in mints]
        for (key, _), place in zip(accounts, places):
            accepts, of = place[0]
            listed = accepts == 1 and key in [raw(one) for one in of[0]]
            need({0: key not in mine and key not in (SYSTEM, TOKENS, TOKENS_2022), 1: listed and key not in mine,
                  2: key == own, 3: key in mine[1:]}[accepts], "an account that may not stand there")
        return leaves

    def authorized(self, sequence, spend, said, run, budget):
        documents = self.binding(run)
        need(documents, "signed without a policy")
        asset, to, value = said[0], raw(said[3]), said[4]
        need(raw(said[2]) == self.accounts[spend[2]], "another payer")
        for document in documents:
            of = rule(document, asset).get(32)
            need(of is not None and of[0] == said[1], "a token that may not be authorized, or not so")
        charge = Charge(sequence, spend, budget, {asset: value}, [], 0, [(asset, to, value)])
        need(dict(map(tuple, spend[6])) == charge.amounts, f"charged {spend[6]}, it pays {charge.amounts}")
        charge.outstands = True
        self.held_to(documents, charge, run, False)

    def spend(self, sequence, spend, run, budget, variant):
        documents = self.binding(run)
        need(documents, "signed without a policy")
        charge = self.read(sequence, spend, budget, documents)
        need(dict(map(tuple, spend[6])) == charge.amounts, f"charged {spend[6]}, the bytes take {charge.amounts}")
        own, asset = (charge.wallet, charge.chain), native(charge.chain)
        cancels, before, moved = False, None, 0
        if variant is not None:
            charge.fresh = False
            before = next((one for one in self.charges if one.name == variant[0]), None)
            need(before, "a variant of nothing")
            need((before.wallet, before.chain, before.nonce) == (*own, charge.nonce), "another nonce")
            cancels = variant[3]
            moved = min(before.amounts[asset], charge.amounts[asset])
            before.amounts[asset] -= moved
            if cancels:
                need(charge.transfers == [(self.accounts[charge.wallet], 0)], "a cancellation that pays")
                charge.transfers, charge.payments, charge.received = [], 0, {}
            else:
                need(charge.transfers == before.transfers, "another payment")
                before.transfers, before.payments, before.received = [], 0, {}
                before.amounts = {asset: before.amounts[asset]}
        self.outstanding[own] = self.outstanding.get(own, 0) - moved + charge.amounts.get(asset, 0)
        self.held_to(documents, charge, run, cancels)

    def held_to(self, documents, charge, run, cancels):
        asked = max(self.document(document, charge, cancels) for document in documents)
        need(cancels or charge.tier >= asked or asked <= NOTIFY, f"tier {charge.tier} where {asked} is asked for")
        if charge.fresh:
            # The longest delay and the largest quorum of all, if that is what their strictest tier asks for.
            delay = max(self.delay(document, charge.session, charge.wallet) for document in documents)
            quorum = max(document[6][0] for document in documents)
            self.waits.released(charge.name, charge.tier, run, delay * (asked == DELAY), quorum * (asked == APPROVAL))
        self.session(charge)
        self.charges.append(charge)
        self.paid |= {(charge.wallet, charge.chain, to) for _, to in charge.received}
        self.judged += 1

    def session(self, charge):
        grant = self.sessions[charge.session]
        need(charge.wallet in grant[0], "a wallet that is not the session's")
        own = [one for one in self.charges if one.session == charge.session]
        need(sum(one.payments for one in own) + charge.payments <= grant[2], "the session's count")
        limits = {limit[0]: limit for limit in grant[1]}
        for asset, amount in charge.amounts.items():
            need(asset in limits, "an asset that is not the session's")
            need(amount <= limits[asset][1], "the session's size")
            total = amount + sum(one.amounts.get(asset, 0) for one in own)
            need(total <= limits[asset][2], "the session's total")

    def document(self, document, charge, cancels):
        """Whether a document lets it be, and in which tier at least."""
        asked, chain = INSTANT, charge.chain
        wallet = [one for one in self.charges if one.wallet == charge.wallet]
        for asset, amount in charge.amounts.items():
            of = rule(document, asset)
            limits = {0: of[3], 1: of[4], 2: of[5], 3: of[6], 4: of[7], 5: of[8],
                      6: of[9], 7: of[10], 8: of[14], 9: of[15], 10: of[16]}
            others = [one for one in wallet if asset in one.amounts]
            asked = max(asked, self.limits(limits, charge, amount, others, value_in(asset), cancels))
        own = rule(document, native(chain))
        need(charge.fee <= own.get(11, -1), "the fee's ceiling")
        if 12 in own:
            need(self.outstanding.get((charge.wallet, chain), 0) <= own[12], "outstanding")
        contacts = {address(one[0]) for one in document[4]}
        denied = {address(one) for one in document[10]}
        for to, _ in charge.transfers:
            need((chain, to) not in denied, "a denied recipient")
            need(document[8] or (chain, to) in contacts, "an unlisted recipient")
        for asset, to, _ in charge.moved:
            need((chain, to) not in denied, "a denied recipient")
            need(document[8] or (chain, to) in contacts, "an unlisted recipient")
            if chain.startswith("eip155:"):
                unused = [one for one in wallet if one.chain == chain and (
                    (one.outstands and one.at + HOUR > charge.at) or
                    (one.nonce is not None and one.nonce >= self.attested.get((charge.wallet, chain), 0)))]
                total = charge.amounts[asset] + sum(one.amounts.get(asset, 0) for one in unused)
                need(total <= rule(document, asset).get(12, -1), "outstanding tokens")
        asked = max(asked, self.recipients(document, charge, wallet))
        for scope in document[13]:
            asked = max(asked, self.scope(document, scope, charge, cancels))
        return asked

    def first(self, tier, charge):
        """The tier of a payment if it is the wallet's first to one of its recipients."""
        known = all((charge.wallet, charge.chain, to) in self.paid for _, to in charge.received)
        return INSTANT if tier is None or known or not charge.fresh else tier

    def recipients(self, document, charge, wallet):
        """What one recipient gets of the wallet, and a first payment."""
        asked = self.first(document.get(9), charge)
        for key, (amount, times) in charge.received.items():
            limits = rule(document, key[0]).get(17)
            if limits is not None:
                others = [one for one in wallet if key in one.received]
                asked = max(asked, self.limits(limits, charge, amount, others, lambda one: one.received[key][0],
                                               False, times, lambda one: one.received[key][1]))
        return asked

    def scope(self, document, scope, charge, cancels):
        counted = self.holds(document, scope, charge.session, charge.wallet)
        if counted is None:
            return INSTANT
        need(not set(scope) & {3, 4, 5}, "a rule of a scope that is not judged here")
        asked, others = self.first(scope.get(9), charge), [one for one in self.charges if counted(one)]
        if scope.get(6) is not None and not cancels:
            need(inside(scope[6], self.wall), "outside of its hours")
        if scope.get(7) is not None and charge.fresh:
            last = max((one.at for one in others if one.fresh), default=None)
            need(last is None or charge.at - last >= scope[7], "too soon after the last one")
        for entry in scope[1]:
            if entry[0] in charge.amounts:
                amount = charge.amounts[entry[0]]
                own = [one for one in others if entry[0] in one.amounts]
                asked = max(asked, self.limits(entry[1], charge, amount, own, value_in(entry[0]), cancels))
        if scope.get(2) is not None:
            def worth(one):
                return sum(value_in_usd(document, asset, amount) for asset, amount in one.amounts.items())
            asked = max(asked, self.limits(scope[2], charge, worth(charge), others, worth, cancels))
        return asked

    @staticmethod
    def limits(limits, charge, amount, others, value, cancels, times=None, each=lambda one: one.payments):
        times = charge.payments if times is None else times
        need(amount <= limits.get(0, amount), f"{amount} in one transaction")
        asked = INSTANT
        if not cancels:
            for tier, place in ((NOTIFY, 6), (DELAY, 7), (APPROVAL, 8)):
                if amount > limits.get(place, amount):
                    asked = tier
            need(amount <= limits.get(9, amount), "above every threshold")
        within, counts, cumulative = others, limits.get(5, {}), limits.get(10, [])
        for place, (hours, name) in reversed(list(enumerate(WINDOWS))):
            within = [one for one in within if one.at + hours * HOUR > charge.at]
            total = amount + sum(map(value, within))
            need(total <= limits.get(1 + place, total), f"{total} in one {name}")
            if not cancels:
                asked = max([asked] + [tier for window, above, tier in cumulative if window == place and total > above])
            count = times + sum(map(each, within))
            most = counts.get(place)
            need(cancels or most is None or count <= most, f"{count} payments in one {name}")
            # What is within every shorter window's limit altogether is so inside of each.
            shorter = [limits[at] for at in range(1, 1 + place) if at in limits]
            if total <= min(shorter, default=total) and not counts and not cumulative:
                break
        return asked


def rule(document, asset):
    found = next((one for one in document[3] if one[0] == asset), None)
    need(found, f"{asset} has no rule")
    return found


def raw(value):
    """The bytes of an address."""
    if isinstance(value, bytes):
        return value
    return bytes.fromhex(value[2:]) if value.startswith("0x") else base58(value)


def owner_of(account, mint, documents, chain, spend):
    """Who is paid with tokens at this account: one whose associated account it is, among the contacts and those that
    the event names."""
    known = {address(one[0]) for document in documents for one in document[4] + [[to] for to in document[10]]}
    named = {raw(fields[1][1][0]) for kind, fields in spend[5] if kind == 0 and fields[1][0] == 0}
    for owner in {owner for of, owner in known if of == chain} | named:
        if account in (token_account(owner, mint, TOKENS), token_account(owner, mint, TOKENS_2022)):
            return owner
    raise Broken("tokens for an account of nobody who is known")


def value_in(asset):
    return lambda one: one.amounts.get(asset, 0)


def value_in_usd(document, asset, amount):
    """Rounded down: never more than the signer may count."""
    of = rule(document, asset)
    need(of.get(19) is not None, "an asset without a price under a limit in USD")
    return amount * of[19] // 10 ** of[2]


def judge(lines):
    """Every event of an export; the judge, and what was wrong."""
    judged, wrong = Judge(), []
    for line in lines:
        value = json.loads(line)
        if "body" not in value:
            continue
        sequence = value["sequence"]
        try:
            judged.take(sequence, base64.b64decode(value["body"], validate=True))
        except Broken as broken:
            wrong.append(f"event {sequence}: {broken}")
        except (ValueError, KeyError, IndexError, TypeError) as error:
            wrong.append(f"event {sequence}: cannot be read: {error!r}")
    return judged, wrong


def main():
    parser = argparse.ArgumentParser(description="Judges an exported log of a WAIaaS signer by its limits.")
    parser.add_argument("file", help="the export")
    parser.add_argument("--unchained", action="store_true", help="do not verify the chain and its heads")
    try:
        arguments = parser.parse_args()
    except SystemExit as end:
        return 64 if end.code else 0
    try:
        with open(arguments.file, encoding="utf-8") as file:
            lines = file.read().splitlines()
        if not arguments.unchained:
            verify_log.verify(lines)
    except (OSError, UnicodeDecodeError, verify_log.Refused) as error:
        print(f"judge_log: NOT VERIFIED: {error}", file=sys.stderr)
        return 1
    judged, wrong = judge(lines)
    for line in wrong:
        print(f"judge_log: {line}", file=sys.stderr)
    if wrong:
        return 1
    print(f"within all limits: {judged.judged} payments, {len(judged.documents)} policies")
    return 0


if __name__ == "__main__":
    sys.exit(main())
