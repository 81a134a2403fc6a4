//! EIP-712 by hand for the one type that a wallet's key signs: what is hashed, word by word.

use super::keccak;

const DOMAIN: &str =
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const AUTHORIZATION: &str = "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)";

/// What EIP-3009 lets a token's owner say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Authorization {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) chain: u64,
    pub(crate) contract: [u8; 20],
    pub(crate) from: [u8; 20],
    pub(crate) to: [u8; 20],
    pub(crate) value: u128,
    /// Seconds.
    pub(crate) valid_after: u64,
    pub(crate) valid_before: u64,
    pub(crate) nonce: [u8; 32],
}

fn word(bytes: &[u8]) -> Vec<u8> {
    [
        vec![0; 32_usize.saturating_sub(bytes.len())],
        bytes.to_vec(),
    ]
    .concat()
}

impl Authorization {
    /// The 66 bytes whose hash is signed.
    pub(crate) fn payload(&self) -> Vec<u8> {
        let domain = [
            keccak(DOMAIN.as_bytes()).to_vec(),
            keccak(self.name.as_bytes()).to_vec(),
            keccak(self.version.as_bytes()).to_vec(),
            word(&self.chain.to_be_bytes()),
            word(&self.contract),
        ];
        let structure = [
            keccak(AUTHORIZATION.as_bytes()).to_vec(),
            word(&self.from),
            word(&self.to),
            word(&self.value.to_be_bytes()),
            word(&self.valid_after.to_be_bytes()),
            word(&self.valid_before.to_be_bytes()),
            self.nonce.to_vec(),
        ];
        let hashed = [domain.concat(), structure.concat()].map(|words| keccak(&words));
        [&[0x19, 1][..], hashed.as_flattened()].concat()
    }
}
