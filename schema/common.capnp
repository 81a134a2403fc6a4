@0xb8a4e9d3517c2f06;
# What both sockets offer: reading, drafting and submitting owner statements, and stopping. No
# method here loosens anything on its caller's authority: loosening travels only as a statement
# that an owner signed. No method returns a capability.

using Types = import "types.capnp";

interface Common {
  status @0 () -> (status :Types.Status);

  events @1 (after :UInt64, maxBytes :UInt32, waitMillis :UInt32) -> (page :Types.EventPage);
  # Pull feed. Answers at once if there are events after the sequence, else within waitMillis.

  remaining @2 (session :Text) -> (canonical :Data);
  # Canonical SessionView (docs/events.md): constraints, what is spent and what is left; empty: unknown.

  wallets @3 () -> (canonical :List(Data));
  # Canonical WalletView of each wallet.

  owners @4 () -> (canonical :List(Data));
  # Canonical OwnerView of each owner.

  policy @5 () -> (documents :List(Data));
  # Canonical bytes of every binding document, oldest first.

  draftStatement @6 (facts :Data) -> (draft :Types.Draft);
  # Canonical StatementFacts. The signer writes the text.

  submitStatement @7 (statement :Text, signatures :List(Types.OwnerSignature)) -> (result :Types.SubmitResult);

  pause @8 (wallet :Text) -> (sequence :UInt64);
  # One wallet; empty: all of them. Resuming takes a statement.

  revokeSession @9 (session :Text) -> (sequence :UInt64);

  kill @10 () -> (sequence :UInt64);
  # Keys wiped, sessions revoked. Durable before it is answered.

  intents @11 () -> (canonical :List(Data));
  # Canonical IntentView of each payment that waits.

  cancelIntent @12 (transaction :Text) -> (sequence :UInt64);
  # Ends a waiting payment for good.

  agents @13 () -> (canonical :List(Data));
  # Canonical AgentView of each agent.

  suspendAgent @14 (agent :Text) -> (sequence :UInt64);
  # Nothing is signed for its sessions. Activating it again takes a statement.

  terminateAgent @15 (agent :Text) -> (sequence :UInt64);
  # For good: terminated once nothing of it waits any more.

  heartbeat @16 () -> (note :Text);
  # What the signer says of itself and of what waits, signed afresh by the log key (docs/log.md).
  # Refused while locked: the key is wiped.

  replaceTransaction @17 (transaction :Text, unsigned :Data) -> (outcome :Types.Outcome);
  # Signs the EVM nonce of a committed spend once more: fresh bytes (nonce 0) of the same effect with a
  # higher fee, under every ceiling. Needs no new approval; judged again, and charged by what it adds.
  # `transaction` names the newest transaction of the nonce, whose bytes are not given again.

  cancelTransaction @18 (transaction :Text, fees :Types.EvmFees) -> (outcome :Types.Outcome);
  # As `replaceTransaction`, with the transaction that the signer builds itself: nothing, to the wallet
  # itself. Judged as a fee alone.
}
