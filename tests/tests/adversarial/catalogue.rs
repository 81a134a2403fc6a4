//! The attacks that this program answers for: what a gateway in the attacker's hands could try, by
//! number. Each must be a case or be listed as pending (`pending.rs`); a test says so. Holds no code.

/// One attack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attack {
    /// Its number, by which the project speaks of it.
    pub(crate) id: &'static str,
    /// Which claims of SECURITY.md it is aimed at, by their letters; `-`: availability.
    pub(crate) claim: &'static str,
    /// What the attacker tries.
    pub(crate) title: &'static str,
}

/// A group of attacks; each is one test.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Section {
    /// The test's name. No chain stands in it: none of them needs one.
    pub(crate) name: &'static str,
    /// What the group is about.
    pub(crate) title: &'static str,
    /// Its attacks.
    pub(crate) attacks: &'static [Attack],
}

/// Where the attacker stands in all of them: the gateway's uid, its credentials, its socket.
pub(crate) const POSITION: &str = "compromised gateway";

const fn attack(id: &'static str, claim: &'static str, title: &'static str) -> Attack {
    Attack { id, claim, title }
}

/// Every group.
pub(crate) const SECTIONS: &[Section] = &[
    Section {
        name: "attacks_on_the_wire",
        title: "the wire",
        attacks: &[
            attack(
                "W01",
                "a",
                "frames that lie about segments and sizes, or end half way",
            ),
            attack(
                "W02",
                "a",
                "pointers that cycle, overlap, amplify, or leave the message",
            ),
            attack(
                "W03",
                "a",
                "deep nesting, bad text, unknown unions, enums and newer fields",
            ),
            attack(
                "W04",
                "-",
                "a thousand connections that creep and never read",
            ),
            attack("W05", "a", "file descriptors and junk beside the bytes"),
            attack(
                "W06",
                "-",
                "signing requests as fast as the socket takes them",
            ),
            attack(
                "W07",
                "b",
                "the connection cut between decision and reply, then asked again",
            ),
            attack(
                "W08",
                "b",
                "a recorded conversation again: whole, shuffled, doubled, renumbered",
            ),
            attack(
                "W09",
                "adef",
                "every method number of every interface, the owner's among them",
            ),
            attack(
                "W10",
                "a",
                "guessing the password through the gateway's socket",
            ),
            attack(
                "W11",
                "b",
                "requests, sessions and agents that nobody granted",
            ),
            attack(
                "W12",
                "ab",
                "raw bytes, digests, empty and test payloads to sign",
            ),
            attack(
                "W13",
                "a",
                "one message signed under two public keys, to solve for the secret",
            ),
            attack(
                "W16",
                "b",
                "a key chosen by path, index, curve or foreign identifier",
            ),
            attack("W17", "b", "one wallet's key under another wallet's rules"),
            attack(
                "W18",
                "a",
                "ending the signer to read what it leaves behind",
            ),
            attack(
                "W21",
                "a",
                "debuggers and memory readers under the gateway's uid",
            ),
            attack(
                "W22",
                "aeg",
                "the signer's files and its /proc entries, opened, linked, renamed",
            ),
            attack("W23", "f", "signals, priorities, limits, scores and groups"),
            attack(
                "W24",
                "-",
                "another socket in its place, another user, the owner's door",
            ),
        ],
    },
    Section {
        name: "attacks_on_time_and_hoarding",
        title: "time, waiting, hoarding",
        attacks: &[
            attack(
                "T01",
                "c",
                "released at once, half way through, one tick early",
            ),
            attack("T02", "c", "times, zones and delays said in the request"),
            attack("T03", "c", "restarts, so that time off counts as waiting"),
            attack("T04", "c", "a harmless payment waits, another is released"),
            attack(
                "T05",
                "bc",
                "hundreds of matured payments released together",
            ),
            attack("T06", "c", "one large payment in many small ones"),
            attack(
                "T07",
                "bc",
                "durable nonces, so that a signature never dies",
            ),
            attack(
                "T08",
                "bc",
                "EVM signatures kept in store, nonce after nonce",
            ),
            attack(
                "T09",
                "b",
                "one nonce signed for many recipients and amounts",
            ),
            attack("T10", "b", "\"it was dropped, sign it again\""),
            attack("T11", "b", "\"the blockhash is old\", again and again"),
            attack("T13", "c", "the owner is not told of what waits"),
            attack("T15", "c", "a stop and a signature in the same moment"),
            attack(
                "T16",
                "cf",
                "signatures taken just before a kill, sent later",
            ),
            attack(
                "T17",
                "b",
                "a main network's payment under a test network's name",
            ),
        ],
    },
    Section {
        name: "attacks_on_owner_and_policy",
        title: "approvals, policy, kill, audit",
        attacks: &[
            attack("P01", "d", "owner signatures made without the owner's key"),
            attack("P02", "d", "one owner decision used twice"),
            attack("P03", "d", "a decision for one thing presented for another"),
            attack(
                "P04",
                "d",
                "each bit of a signed text and of its binding fields changed",
            ),
            attack(
                "P05",
                "d",
                "decisions past their end, from the future, across a clock step",
            ),
            attack(
                "P06",
                "d",
                "a decision by an owner who is one no longer, or under older rules",
            ),
            attack("P07", "d", "one owner counted twice towards a quorum"),
            attack("P08", "d", "weak keys and second forms of a signature"),
            attack("P09", "d", "a signature of one kind used as another"),
            attack(
                "P10",
                "d",
                "denied then approved, approved then denied, both at once",
            ),
            attack(
                "P11",
                "d",
                "the signer made to write a text that hides something",
            ),
            attack("P12", "d", "the owner shown another text than the signer's"),
            attack(
                "P13",
                "d",
                "made-up button presses and other unsigned consent",
            ),
            attack(
                "P14",
                "d",
                "an approver or address of the attacker's own enrolled",
            ),
            attack("P15", "d", "a thousand open decisions, to tire the owner"),
            attack("P16", "e", "an older policy, genuinely signed"),
            attack(
                "P17",
                "e",
                "policies unsigned, cut, doubled, of another signer",
            ),
            attack("P18", "e", "a policy change that would clear the counters"),
            attack(
                "P19",
                "b",
                "an owner's override that would clear the counters",
            ),
            attack("P20", "b", "a burst of requests against a tightening"),
            attack(
                "P21",
                "b",
                "a loosening that holds early, a tightening that holds late",
            ),
            attack("P22", "b", "policy values at their ends, and empty lists"),
            attack("P23", "b", "whatever the policy does not name"),
            attack(
                "P24",
                "b",
                "transactions about which \"all of them\" says nothing",
            ),
            attack("P25", "b", "a price of the gateway's own"),
            attack(
                "P26",
                "f",
                "the kill released without, or with the wrong, owner statement",
            ),
            attack("P27", "f", "the signer ended while it writes the kill down"),
            attack("P28", "f", "a kill while signatures are being made"),
            attack("P29", "f", "the kill thrown, or kept from the owner"),
            attack("P30", "g", "the log cut, turned over, removed, quietened"),
            attack("P31", "g", "copies of the log with one thing changed"),
            attack(
                "P32",
                "g",
                "refusals by the thousand, to bury one signature",
            ),
            attack("P33", "g", "line ends and JSON in fields, to fake an entry"),
            attack(
                "P34",
                "bg",
                "the disk filled, so that nothing can be written",
            ),
            attack(
                "P35",
                "e",
                "an end between charge, signature and reply, again and again",
            ),
            attack(
                "P36",
                "e",
                "an older gateway with intents and sessions of its own",
            ),
        ],
    },
    Section {
        name: "attacks_on_sessions_agents_and_keys",
        title: "sessions, agents, wallets' keys",
        attacks: &[
            attack(
                "R01",
                "b",
                "a session renewed for longer than its owner bounded",
            ),
            attack(
                "R02",
                "b",
                "a renewal recorded, of another session, made of another signature",
            ),
            attack(
                "R03",
                "bf",
                "a renewal of what is paused, suspended, revoked, killed",
            ),
            attack(
                "R04",
                "be",
                "a wallet's key moved, the old one used, a budget begun anew",
            ),
            attack("R05", "be", "a wallet closed, a closed one opened"),
            attack("R06", "bd", "an agent registered, activated, brought back"),
            attack(
                "R07",
                "df",
                "an activation or resumption kept back behind a later stop",
            ),
            attack("R08", "-", "texts by the megabyte that nobody will sign"),
        ],
    },
    Section {
        name: "attacks_by_messages_to_sign",
        title: "transactions: Solana",
        attacks: &[
            attack(
                "X01",
                "b",
                "a second transfer behind a harmless one, and very many",
            ),
            attack(
                "X02",
                "b",
                "unknown programs, almost-known ones, programs with rights",
            ),
            attack(
                "X03",
                "b",
                "lookup tables of every shape, and everything but what is pinned of one",
            ),
            attack(
                "X04",
                "b",
                "every first byte, and one version's layout under another's",
            ),
            attack(
                "X05",
                "b",
                "cut, longer, overlong lengths, indices and counts that lie",
            ),
            attack("X06", "b", "the same key twice"),
            attack("X07", "b", "token transfers without their checks"),
            attack(
                "X08",
                "b",
                "every instruction number of both token programs",
            ),
            attack(
                "X10",
                "b",
                "token accounts that are not the recipient's own",
            ),
            attack(
                "X11",
                "b",
                "mints with fees, hooks, delegates, or of nobody",
            ),
            attack("X12", "b", "every instruction number of the System program"),
            attack(
                "X13",
                "b",
                "compute budgets at their ends, doubled, unknown, last",
            ),
            attack(
                "X15",
                "b",
                "the wallet in a stranger's transaction, in any role",
            ),
            attack("X16", "b", "closing and syncing of wrapped coins"),
            attack(
                "X17",
                "b",
                "stake, vote, loader, table and multisig programs",
            ),
            attack(
                "X19",
                "ab",
                "off-chain messages with bytes of the gateway's choice",
            ),
        ],
    },
    Section {
        name: "attacks_by_typed_transactions",
        title: "transactions: EVM and typed data",
        attacks: &[
            attack(
                "E01",
                "b",
                "legacy bytes, chain ids absent, zero, foreign, enormous",
            ),
            attack("E02", "b", "every type byte"),
            attack("E03", "b", "gas and fees whose product leaves the range"),
            attack(
                "E05",
                "b",
                "recipients empty, short, long, precompiled, or the wallet",
            ),
            attack(
                "E06",
                "b",
                "second forms of RLP, wrong lengths, bytes behind",
            ),
            attack(
                "E07",
                "b",
                "token calls with dirty words, short and long data, value",
            ),
            attack("E08", "b", "allowances of every kind"),
            attack("E09", "b", "every other selector"),
            attack("E10", "b", "calls that hide calls"),
            attack("E11", "b", "an account's code handed over by any route"),
            attack("E12", "b", "typed data of every wrong shape"),
            attack(
                "E13",
                "b",
                "token authorisations with times, nonces and amounts at will",
            ),
            attack(
                "E15",
                "b",
                "personal messages that are digests or transactions",
            ),
            attack("E16", "b", "access lists, one entry to ten thousand"),
            attack("E17", "b", "signatures in a second form, or of another key"),
            attack("E20", "b", "nonces of the gateway's choice"),
        ],
    },
];
