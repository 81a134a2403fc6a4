@0xe57b9c2d86f1a340;
# gateway.sock: what a gateway may ask. Nothing here unlocks, imports, exports or enrols.

using Types = import "types.capnp";
using Common = import "common.capnp";

interface Gateway extends(Common.Common) {
  decide @0 (request :Types.SpendRequest) -> (verdict :Types.Verdict);
  # Dry run: judged as `sign` would judge it now, nothing reserved. The request signature is not
  # needed.

  sign @1 (request :Types.SpendRequest) -> (outcome :Types.Outcome);

  signedTransaction @2 (transaction :Text) -> (outcome :Types.Outcome);
  # The bytes of a committed spend once more, after a lost answer: same bytes, nothing charged, and
  # only if kill, pause, session and policy still allow it.

  release @3 (transaction :Text, unsigned :Data) -> (outcome :Types.Outcome);
  # Signs a payment whose wait is over: fresh bytes (EVM: nonce 0) of the same effect, judged again as
  # if it were new.

  renewSession @4 (request :Types.SessionRequest) -> (result :Types.RenewResult);
  # Moves a session's end inside of the bounds that its owner signed. A session that is bound to an
  # agent's key needs the agent's signature over `POST /v1/session/renew`.

  signIn @5 (request :Types.SessionRequest, dryRun :Bool) -> (result :Types.SignInResult);
  # Signs a login at a web site that policy names. The body holds fields; the signer writes the message
  # and takes no text to sign. A session that is bound to an agent's key needs the agent's signature over
  # `POST /v1/messages/sign-in`. dryRun: judged, nothing reserved, and no request signature is needed.

  authorizeTransfer @6 (request :Types.SessionRequest, dryRun :Bool)
      -> (result :Types.AuthorizationResult);
  # Charges a transfer of a token that policy lets be authorized, and signs an EIP-3009 authorization of
  # it. The body says what is paid; the signer makes nonce and times and hashes the one type that is
  # compiled in. A session that is bound to an agent's key needs the agent's signature over
  # `POST /v1/messages/transfer-authorization`. dryRun: as above.
}
