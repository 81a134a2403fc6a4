//! Messages that hardware wallets sign, against the envelope that owners' wallets use on EVM chains.

use super::*;

/// EIP-191 messages that hardware wallets sign or verify: the same bytes are hashed here, so the signer is theirs;
/// with any other text, or a bit of the signature changed, it is not.
#[test]
fn published_personal_messages_are_signed_by_their_signers() {
    let mut checked = 0;
    for (name, signed_by) in [("signmessage", "result"), ("verifymessage", "parameters")] {
        let file = format!("trezor-ethereum/{name}.json");
        let Some(file) = crate::published::published(&file) else {
            return;
        };
        for case in file["tests"].as_array().unwrap() {
            let text = case["parameters"]["msg"].as_str().unwrap();
            let signed = &case[signed_by];
            let signature = hex::decode(signed["sig"].as_str().unwrap()).unwrap();
            let signer = signed["address"].as_str().unwrap().parse().unwrap();
            assert_eq!(recover(&personal(text), &signature), Some(signer), "{text}");
            let other = personal(&format!("{text} "));
            assert_ne!(recover(&other, &signature), Some(signer), "{text}");
            let mut changed = signature;
            changed[40] ^= 1;
            assert_ne!(recover(&personal(text), &changed), Some(signer), "{text}");
            checked += 1;
        }
    }
    assert_eq!(checked, 17);
}
