//! Functions that no owner registers as a call: those of tokens, which have decoders of their own or are
//! denied, and wrappers whose calls hide others. Told by the selector alone, so another name that begins
//! alike is one of them. Asked by the check of policy documents.

use super::abi::{Selector, selector};

/// What moves tokens, or lets somebody move them: of ERC-20 and its relatives, ERC-721, ERC-777, ERC-1155,
/// ERC-1363, ERC-6909, EIP-2612, EIP-3009, Permit2, and credit that others may draw.
const TOKENS: [&str; 56] = [
    "transfer(address,uint256)",
    "transferFrom(address,address,uint256)",
    "approve(address,uint256)",
    "increaseAllowance(address,uint256)",
    "decreaseAllowance(address,uint256)",
    "increaseApproval(address,uint256)",
    "decreaseApproval(address,uint256)",
    "forceApprove(address,uint256)",
    "push(address,uint256)",
    "pull(address,uint256)",
    "move(address,address,uint256)",
    "send(address,uint256,bytes)",
    "operatorSend(address,address,uint256,bytes,bytes)",
    "authorizeOperator(address)",
    "revokeOperator(address)",
    "permit(address,address,uint256,uint256,uint8,bytes32,bytes32)",
    "permit(address,address,uint256,uint256,bool,uint8,bytes32,bytes32)",
    "permit(address,uint256,uint256,uint8,bytes32,bytes32)",
    "permit(address,uint256,uint256,bytes)",
    "permitForAll(address,address,bool,uint256,uint8,bytes32,bytes32)",
    "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
    "transferWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)",
    "receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,uint8,bytes32,bytes32)",
    "receiveWithAuthorization(address,address,uint256,uint256,uint256,bytes32,bytes)",
    "transferAndCall(address,uint256)",
    "transferAndCall(address,uint256,bytes)",
    "transferFromAndCall(address,address,uint256)",
    "transferFromAndCall(address,address,uint256,bytes)",
    "approveAndCall(address,uint256)",
    "approveAndCall(address,uint256,bytes)",
    "safeTransferFrom(address,address,uint256)",
    "safeTransferFrom(address,address,uint256,bytes)",
    "safeTransferFrom(address,address,uint256,uint256,bytes)",
    "safeBatchTransferFrom(address,address,uint256[],uint256[],bytes)",
    "setApprovalForAll(address,bool)",
    "transfer(address,uint256,uint256)",
    "transferFrom(address,address,uint256,uint256)",
    "approve(address,uint256,uint256)",
    "setOperator(address,bool)",
    "approve(address,address,uint160,uint48)",
    "transferFrom(address,address,uint160,address)",
    "transferFrom((address,address,uint160,address)[])",
    "permit(address,((address,uint160,uint48,uint48),address,uint256),bytes)",
    "permit(address,((address,uint160,uint48,uint48)[],address,uint256),bytes)",
    "permitTransferFrom(((address,uint256),uint256,uint256),(address,uint256),address,bytes)",
    "permitTransferFrom(((address,uint256)[],uint256,uint256),(address,uint256)[],address,bytes)",
    "approveDelegation(address,uint256)",
    "allow(address,bool)",
    "batchTransfer(address[],uint256[])",
    // DSToken's leave without an amount, a vault's operator, shares of staked coins, notes with a
    // transfer, and what is burnt of somebody else's.
    "approve(address)",
    "hope(address)",
    "transferShares(address,uint256)",
    "transferSharesFrom(address,address,uint256)",
    "transferWithMemo(address,uint256,bytes32)",
    "transferFromWithMemo(address,address,uint256,bytes32)",
    "burnFrom(address,uint256)",
];

/// Calls inside of calls, also those that a hash or a number stands for.
const WRAPPERS: [&str; 15] = [
    "multicall(bytes[])",
    "multicall(uint256,bytes[])",
    "multicall(bytes32,bytes[])",
    "aggregate((address,bytes)[])",
    "tryAggregate(bool,(address,bytes)[])",
    "aggregate3((address,bool,bytes)[])",
    "aggregate3Value((address,bool,uint256,bytes)[])",
    "execute(address,uint256,bytes)",
    "execute(bytes,bytes[])",
    "execute(bytes,bytes[],uint256)",
    "executeBatch((address,uint256,bytes)[])",
    "approveHash(bytes32)",
    "confirmTransaction(uint256)",
    "executeTransaction(uint256)",
    "execute(uint256)",
];

/// The function that begins like this, if it is one of them.
#[must_use]
pub fn reserved(begins: Selector) -> Option<&'static str> {
    let all = TOKENS.iter().chain(&WRAPPERS);
    all.copied().find(|signature| selector(signature) == begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decoders_own_methods_and_their_twins_are_reserved() {
        for begins in [
            // transfer, approve, and the two safeTransferFrom of the decoders.
            [0xa9, 0x05, 0x9c, 0xbb],
            [0x09, 0x5e, 0xa7, 0xb3],
            [0x42, 0x84, 0x2e, 0x0e],
            [0xf2, 0x42, 0x43, 0x2a],
            // transferFrom, setApprovalForAll, permit, increaseAllowance, multicall.
            [0x23, 0xb8, 0x72, 0xdd],
            [0xa2, 0x2c, 0xb4, 0x65],
            [0xd5, 0x05, 0xac, 0xcf],
            [0x39, 0x50, 0x93, 0x51],
            [0xac, 0x96, 0x50, 0xd8],
            // The name that is known for beginning as transfer(address,uint256) does.
            selector("many_msg_babbage(bytes1)"),
            // Leave without an amount, and somebody else's transaction by its hash: Safe's approveHash.
            selector("approve(address)"),
            [0xd4, 0xd9, 0xbd, 0xcd],
        ] {
            assert!(reserved(begins).is_some(), "{begins:02x?}");
        }
        assert_eq!(reserved(selector("deposit(uint256,address)")), None);
        assert_eq!(reserved(selector("withdraw(uint256)")), None);
    }

    #[test]
    fn each_stands_there_once() {
        let mut all: Vec<_> = TOKENS
            .iter()
            .chain(&WRAPPERS)
            .map(|text| selector(text))
            .collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }
}
