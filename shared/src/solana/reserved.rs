//! Programs that no owner registers for calls: those that have decoders of their own, those of the runtime
//! itself, and wallets of others whose instructions hide instructions. Nor may one stand at a place of a call
//! where the caller chooses the account. Asked by the check of policy documents, by the decoder and by the rules.

use super::{associated, compute_budget, memo, stake, system, token::TokenProgram};
use crate::address::SolanaAddress;

const fn address(text: &[u8]) -> SolanaAddress {
    SolanaAddress::from_bytes(bs58::decode(text).into_array_const_unwrap())
}

/// Addresses, each with what stands there. Sources: the programs' interface crates; of the multisig wallets
/// their published deployments.
const RESERVED: [(SolanaAddress, &str); 39] = [
    (system::PROGRAM, "System"),
    (TokenProgram::Token.id(), "SPL Token"),
    (TokenProgram::Token2022.id(), "Token-2022"),
    (associated::PROGRAM, "Associated Token Account"),
    (compute_budget::PROGRAM, "Compute Budget"),
    (memo::PROGRAM, "Memo"),
    (
        address(b"Memo1UhkJRfHyvLMcVucJwxXeuD728EqVDDwQDxFMNo"),
        "Memo, version 1",
    ),
    (
        address(b"Memo4c2pN8afCj432Lb7RMVKi9PbQnnW7ewFFaV3oAH"),
        "Memo, version 4",
    ),
    (stake::PROGRAM, "Stake"),
    (stake::CONFIG, "the stake program's settings"),
    (
        address(b"Vote111111111111111111111111111111111111111"),
        "Vote",
    ),
    (
        address(b"Config1111111111111111111111111111111111111"),
        "Config",
    ),
    (
        address(b"Feature111111111111111111111111111111111111"),
        "Feature",
    ),
    (
        address(b"AddressLookupTab1e1111111111111111111111111"),
        "Address Lookup Table",
    ),
    (
        address(b"NativeLoader1111111111111111111111111111111"),
        "the native loader",
    ),
    (
        address(b"BPFLoader1111111111111111111111111111111111"),
        "the first BPF loader",
    ),
    (
        address(b"BPFLoader2111111111111111111111111111111111"),
        "the second BPF loader",
    ),
    (
        address(b"BPFLoaderUpgradeab1e11111111111111111111111"),
        "the upgradeable BPF loader",
    ),
    (
        address(b"LoaderV411111111111111111111111111111111111"),
        "the fourth loader",
    ),
    (
        address(b"Ed25519SigVerify111111111111111111111111111"),
        "the Ed25519 precompile",
    ),
    (
        address(b"KeccakSecp256k11111111111111111111111111111"),
        "the secp256k1 precompile",
    ),
    (
        address(b"Secp256r1SigVerify1111111111111111111111111"),
        "the secp256r1 precompile",
    ),
    (
        address(b"ZkTokenProof1111111111111111111111111111111"),
        "ZK Token Proof",
    ),
    (
        address(b"ZkE1Gama1Proof11111111111111111111111111111"),
        "ZK ElGamal Proof",
    ),
    (
        address(b"Sysvar1111111111111111111111111111111111111"),
        "the sysvars' owner",
    ),
    (stake::CLOCK, "a sysvar"),
    (stake::RENT, "a sysvar"),
    (stake::HISTORY, "a sysvar"),
    (
        address(b"SysvarFees111111111111111111111111111111111"),
        "a sysvar",
    ),
    (
        address(b"SysvarRecentB1ockHashes11111111111111111111"),
        "a sysvar",
    ),
    (
        address(b"SysvarS1otHashes111111111111111111111111111"),
        "a sysvar",
    ),
    (
        address(b"SysvarS1otHistory11111111111111111111111111"),
        "a sysvar",
    ),
    (
        address(b"SysvarEpochSchedu1e111111111111111111111111"),
        "a sysvar",
    ),
    (
        address(b"SysvarEpochRewards1111111111111111111111111"),
        "a sysvar",
    ),
    (
        address(b"SysvarLastRestartS1ot1111111111111111111111"),
        "a sysvar",
    ),
    (
        address(b"Sysvar1nstructions1111111111111111111111111"),
        "a sysvar",
    ),
    (
        address(b"1nc1nerator11111111111111111111111111111111"),
        "the incinerator",
    ),
    (
        address(b"SMPLecH534NA9acpos4G6x7uf3LWbCAwZQE9e8ZekMu"),
        "the Squads multisig, version 3",
    ),
    (
        address(b"SQDS4ep65T869zMMBKyuUq6aD6EgTu8psMjkvj52pCf"),
        "the Squads multisig, version 4",
    ),
];

/// What stands at this address, if it is one of them.
#[must_use]
pub fn reserved(program: SolanaAddress) -> Option<&'static str> {
    let mut all = RESERVED.iter();
    all.find(|(known, _)| *known == program)
        .map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_there_once_and_no_other_program() {
        let mut all: Vec<_> = RESERVED.iter().map(|(known, _)| *known).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), RESERVED.len());
        for text in [
            "11111111111111111111111111111111",
            "TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA",
            "TokenzQdBNbLqP5VEhdkAS6EPFLC1PHnBqCXEpPxuEb",
            "Stake11111111111111111111111111111111111111",
            "BPFLoaderUpgradeab1e11111111111111111111111",
        ] {
            assert!(reserved(text.parse().expect(text)).is_some(), "{text}");
        }
        for text in [
            "7Np41oeYqPefeNQEHSv1UDhYrehxin3NStELsSKCT4K2",
            "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
        ] {
            assert_eq!(reserved(text.parse().expect(text)), None, "{text}");
        }
    }
}
