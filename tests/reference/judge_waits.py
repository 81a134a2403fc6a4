"""What waits, when payments may be made, and what changes of owners void, for judge_log.py.

Written from docs/events.md, docs/policy.md and docs/clocks.md; not a line of the product's code.
"""

from read_bytes import need

INSTANT, NOTIFY, DELAY, APPROVAL = range(4)
# Kinds of change of owners that void policies, and of what a payment waits for: docs/events.md.
REMOVAL, RECOVERY = 1, 6
FOR_TIME, FOR_OWNERS = 0, 1
MINUTE, DAY = 60_000, 1440


def inside(hours, wall):
    """Whether a moment lies in one of these parts of a week: minutes east of UTC, days, from, to."""
    for east, days, begins, ends in hours:
        minutes = wall // MINUTE + east
        # 1970-01-01 was a Thursday; Monday is the lowest bit.
        day, minute = (minutes // DAY + 3) % 7, minutes % DAY
        if days >> day & 1 and begins <= minute < ends:
            return True
    return False


class Waits:
    """Payments that wait: opened, approved, and signed or ended."""

    def __init__(self):
        self.open = {}

    def opened(self, intent, run, delay):
        kind, arguments = intent[7]
        need(intent[0] not in self.open, "a payment that waits twice")
        need(kind != FOR_TIME or arguments[0] >= run + delay, "a delay that is too short")
        self.open[intent[0]] = {"intent": intent, "since": run, "approval": None}

    def approved(self, name, signers, until):
        need(name in self.open, "an approval of nothing")
        self.open[name]["approval"] = (set(signers), until)

    def void(self, owner=None):
        """Approvals of an owner who left, or of everybody, count no more."""
        for one in self.open.values():
            if one["approval"] and (owner is None or owner in one["approval"][0]):
                one["approval"] = None

    def ended(self, names):
        for name in names:
            self.open.pop(name, None)

    def released(self, name, tier, run, delay, quorum):
        """Signed in this tier: it waited for what this tier asks, and for what policies ask now."""
        one = self.open.pop(name, None)
        if tier <= NOTIFY:
            need(one is None, "signed at once, though it waits")
            return
        need(one, "signed at once in a tier that waits")
        kind, arguments = one["intent"][7]
        need(run - one["since"] >= delay, "signed before its delay had passed")
        if tier == DELAY:
            need(kind == FOR_TIME and run >= arguments[0], "signed before its delay had passed")
            return
        need(kind == FOR_OWNERS and one["approval"], "signed without its owners")
        signers, until = one["approval"]
        need(len(signers) >= max(arguments[0], quorum), "signed with too few owners")
        need(run < until, "signed after its approval had ended")


class Changes:
    """Changes of owners that wait and void policies: removals of a key, and recoveries."""

    def __init__(self):
        self.waiting = {}

    def scheduled(self, change, statement):
        kind, arguments = change
        if kind == REMOVAL:
            self.waiting[statement] = arguments[0][0]
        elif kind == RECOVERY:
            self.waiting[statement] = None

    def effective(self, statement, documents, run, waits):
        """What had matured stays; what else the owner signed, or anybody, never ends what is before it."""
        if statement not in self.waiting:
            return
        owner = self.waiting.pop(statement)
        for adopted in documents:
            matures, _, signers = adopted
            if matures is not None and matures > run and (owner is None or owner in signers):
                adopted[0] = None
        waits.void(owner)
