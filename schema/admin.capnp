@0xc91d04f7ab2e6835;
# admin.sock: the owner's own socket. Secrets never travel in these frames: they are put into the
# signer's locked memory over a connection of their own and are named here by single-use tickets
# (docs/admin-socket.md).

using Types = import "types.capnp";
using Common = import "common.capnp";

interface Admin extends(Common.Common) {
  initialize @0 (password :Data) -> (signerId :Text, phrase :Data);
  # Creates keystore and log. `phrase` is a ticket with which the 24 words are taken once.

  unlock @1 (password :Data, vouchForTimeOff :Bool, presentedHead :Text)
      -> (violations :List(Types.Violation));
  # vouchForTimeOff: the time since the signer last ran counts for budgets (never for delays).
  # presentedHead: the newest signed head that the owner kept, as a note; empty: none. A log that does
  # not go through it unlocks with everything paused.

  lock @2 () -> ();

  createWallet @3 (password :Data, family :Text, networks :List(Text), firstNonce :UInt64)
      -> (wallet :Text, account :Text, violations :List(Types.Violation));
  # firstNonce: the owner's attestation for every EVM network named; 0 for a key that never sent.

  submitWithPassword @4 (password :Data, statement :Text, signatures :List(Types.OwnerSignature))
      -> (result :Types.SubmitResult);
  # As submitStatement, with the password that enrolment, first policy, release of the kill and
  # owner changes demand.

  enrolOwner @5 (password :Data, statement :Text, envelope :Text, signature :Data)
      -> (owner :Text, violations :List(Types.Violation));
  # The rehearsal: `statement` is an ENROL OWNER draft, signed by the key that it names.

  withdraw @6 (statement :Text, signatures :List(Types.OwnerSignature), unsigned :Data)
      -> (result :Types.SubmitResult);
  # The owner's way out: a signed WITHDRAW statement and the transaction that carries it out.

  registerKey @7 (password :Data, statement :Text, signatures :List(Types.OwnerSignature),
      envelope :Text, signature :Data) -> (owner :Text, violations :List(Types.Violation));
  # An ADD OWNER or ADD GUARDIAN draft, signed by the owners and rehearsed by the key that it names.
  # Takes effect after 72 hours.

  recoverOwners @8 (password :Data, phrase :Data, statement :Text, envelope :Text, signature :Data,
      guardians :List(Types.OwnerSignature)) -> (result :Types.SubmitResult);
  # A RECOVER OWNERS draft, rehearsed by the key that it names. `phrase` is the ticket of the 24
  # words, which the vault compares; guardians' signatures are recorded and replace nothing.

  suspendOwner @9 (password :Data, owner :Text) -> (result :Types.SubmitResult);
  # At once, with the password alone.

  audit @10 () -> (sequence :UInt64, hash :Data, snapshots :UInt32, problems :List(Text));
  # Folds the whole log once more, between other work, and compares the state and every snapshot that
  # it names. Answers when it is done; no problems: everything is as the log says.
  signedTransaction @11 (transaction :Text) -> (result :Types.SubmitResult);
  # The bytes of a withdrawal, or of another committed payment, once more, after a lost answer. Those of a
  # withdrawal also while everything is paused, and over this socket alone.
}
