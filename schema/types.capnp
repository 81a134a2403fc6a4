@0xd2f1c0a6b3e45a17;
# Structures that both sockets share. Identifiers, chain, asset and account names travel in their
# text forms (docs/identifiers.md); whatever is signed or hashed travels as its canonical bytes
# (docs/encoding.md) and is never re-assembled from fields.

struct Violation {
  # One rule that a request breaks.
  code @0 :Text;              # stable, see docs/policy.md
  asset @1 :Text;             # CAIP-19, or empty
  observed @2 :Text;          # what was asked for, base units or plain text; may be empty
  allowed @3 :Text;           # what the rule allows now; may be empty
  retryAfterMillis @4 :UInt64; # when it would pass, on the budget clock; 0: waiting does not help
  argument @5 :UInt8;         # which argument of a call it is about, from 1 on; 0: none
}

struct SpendRequest {
  # An agent's request as it came over HTTP, and the bytes that the gateway proposes for it.
  session @0 :Text;
  method @1 :Text;            # components of the signature base, RFC 9421 section 2.2
  path @2 :Text;
  query @3 :Text;             # with its leading "?", RFC 9421 section 2.2.7
  idempotencyKey @4 :Text;
  body @5 :Data;              # raw, as signed
  signatureInput @6 :Text;    # empty for a bearer session
  signature @7 :Text;         # empty for a bearer session
  unsigned @8 :Data;          # proposed transaction; EVM: nonce 0
}

struct SessionRequest {
  # An agent's request that carries no transaction, as it came over HTTP.
  session @0 :Text;
  method @1 :Text;            # components of the signature base, RFC 9421 section 2.2
  path @2 :Text;
  query @3 :Text;             # with its leading "?", RFC 9421 section 2.2.7
  idempotencyKey @4 :Text;
  body @5 :Data;              # raw, as signed
  signatureInput @6 :Text;    # empty for a bearer session
  signature @7 :Text;         # empty for a bearer session
}

struct EvmFees {
  # Fee settings of an EVM transaction; prices as decimal text, wei per gas.
  gasLimit @0 :UInt64;
  maxFeePerGas @1 :Text;
  maxPriorityFeePerGas @2 :Text;
}

struct RenewResult {
  union {
    renewed :group {
      sequence @0 :UInt64;
      endsUnixMillis @1 :UInt64; # when the session ends now
    }
    denied @2 :List(Violation);
  }
}

struct SignInResult {
  message @0 :Text;           # MessageId; empty if refused, and in a dry run
  sequence @1 :UInt64;        # event that counted the login; 0 if none
  union {
    signed :group {
      text @2 :Text;          # what the site reads
      payload @3 :Data;       # what the signature is over
      signature @4 :Data;     # 65 bytes r, s, v, or 64 bytes of Ed25519
      tier @5 :Text;          # INSTANT or NOTIFY
      replay @6 :Bool;        # true: an earlier message, nothing counted again
    }
    denied @7 :List(Violation);
    wouldSign @8 :Text;       # of a dry run: the tier
  }
}

struct AuthorizationResult {
  transaction @0 :Text;       # TransactionId; empty if refused, and in a dry run
  sequence @1 :UInt64;        # event that charged it; 0 if none
  union {
    signed :group {
      authorization @2 :Data; # canonical TransferAuthorization (docs/events.md)
      signature @3 :Data;     # 65 bytes r, s, v
      tier @4 :Text;          # INSTANT or NOTIFY
      replay @5 :Bool;        # true: an earlier authorization, nothing charged again
    }
    denied @6 :List(Violation);
    wouldSign @7 :Text;       # of a dry run: the tier
  }
}

struct Outcome {
  transaction @0 :Text;       # TransactionId; empty if refused before one was given
  sequence @1 :UInt64;        # event that committed the spend; 0 if none
  union {
    signed :group {
      raw @2 :Data;           # signed bytes, ready to send
      chainTransaction @3 :Text; # base58 signature, or 0x hash
      tier @4 :Text;          # INSTANT or NOTIFY
      replay @5 :Bool;        # true: the same bytes as before, nothing charged again
    }
    denied @6 :List(Violation);
    waiting @7 :Data;         # canonical IntentView: accepted, and waits for its delay or its owners
  }
}

struct Verdict {
  # What would be decided now; nothing is reserved.
  union {
    allowed :group {
      tier @0 :Text;
      fee @1 :Text;           # worst case, base units of the native asset
    }
    denied @2 :List(Violation);
  }
}

struct Status {
  signerId @0 :Text;
  initialized @1 :Bool;
  unlocked @2 :Bool;
  kill @3 :Text;              # NORMAL, ACTIVATED, RECOVERING
  killEpoch @4 :UInt64;
  frozen @5 :Bool;            # pause of everything
  clockClosed @6 :Bool;       # signing closed until the owner states the time
  policyEpoch @7 :UInt64;     # 0: none adopted
  sequence @8 :UInt64;        # last event
  head @9 :Text;              # signed note over it; empty before the first
  sandbox @10 :List(Text);    # what the lockdown achieved and what the kernel lacks, a line each
  claimHolds @11 :Bool;       # gateway, signer and owner run under different uids
  unlockFailures @12 :UInt32; # since the last unlock
  version @13 :Text;
  retired @14 :Bool;          # the log has ended for good
  ownerChanges @15 :UInt32;   # changes of owners that wait
  hasDeadMan @16 :Bool;       # a binding policy has a dead-man time
  deadManMillisLeft @17 :UInt64; # until everything pauses without a word from an owner; 0: none, or passed
  deadManPaused @18 :Bool;    # everything is paused for want of one
  suspendedSessions @19 :UInt32; # sessions that an owner may resume
  frozenBy @20 :List(Text);   # why everything is paused: asked, journal_lost, head_missed, recovered, kill_released
}

struct Event {
  sequence @0 :UInt64;
  body @1 :Data;              # canonical CBOR, docs/events.md
  hash @2 :Data;              # 32 bytes, chained
}

struct EventPage {
  events @0 :List(Event);
  heads @1 :List(Text);       # signed notes of the batches that end inside the page
  last @2 :UInt64;            # newest sequence in the log
}

struct OwnerSignature {
  owner @0 :Text;             # OwnerId
  envelope @1 :Text;          # ed25519-plain, ed25519-offchain-v0, ed25519-offchain-v1, eip191
  signature @2 :Data;
}

struct SubmitResult {
  union {
    accepted :group {
      sequence @0 :UInt64;
      raw @1 :Data;           # signed transaction of a withdrawal; else empty
      chainTransaction @2 :Text;
    }
    denied @3 :List(Violation);
  }
}

struct Draft {
  union {
    issued :group {
      statement @0 :Text;     # StatementId
      text @1 :Text;          # exactly what the owner signs
    }
    denied @2 :List(Violation);
  }
}
