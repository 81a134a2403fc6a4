//! What a network of the OP stack takes for a transaction's data beside gas, as its own oracle says now. An
//! estimate: it refuses early and is shown; what is charged is the owner's ceiling. Source: `GasPriceOracle`
//! (predeployed at 0x42…0F): `getL1Fee(bytes)`, and `getOperatorFee(uint256)` since Isthmus.

use serde_json::json;
use waiaas_shared::address::EvmAddress;
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::ChainId;
use waiaas_shared::evm::NetworkTerms;
use waiaas_shared::network::takes_data_fee;

use super::{Evm, call_of, would_fail};
use crate::chain::ChainError;
use crate::chain::quantity::{Data, Quantity};
use crate::chain::rpc_error::RpcError;
use waiaas_shared::evm::build::Message;

const ORACLE: EvmAddress = EvmAddress::from_bytes([
    0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0f,
]);
/// `getL1Fee(bytes)`, `getOperatorFee(uint256)`.
const DATA_FEE: [u8; 4] = [0x49, 0x94, 0x8e, 0x0e];
const OPERATOR_FEE: [u8; 4] = [0x27, 0x5a, 0xed, 0xd2];

impl Evm {
    /// What the network takes for the data of these bytes, if it takes anything; refused where that, and a
    /// quarter more, is beyond what the owner lets be counted for it.
    pub(super) async fn data_fee(
        &self,
        from: EvmAddress,
        unsigned: &[u8],
        gas_limit: u64,
        network: NetworkTerms,
    ) -> Result<Option<Amount>, ChainError> {
        let Some(ceiling) = network.data_fee else {
            return Ok(None);
        };
        let known = takes_data_fee(ChainId::Evm(self.chain_id));
        let Some(data) = self.oracle(from, of_data(unsigned)).await? else {
            // Another kind of network, whose fee nobody here can ask for; but never one of the OP stack.
            return if known {
                Err(RpcError::Malformed.into())
            } else {
                Ok(None)
            };
        };
        let operator = self.oracle(from, of_operator(gas_limit)).await?;
        let fee = data.saturating_add(operator.unwrap_or(0));
        let needed = Amount::from_base_units(fee.saturating_add(fee / 4));
        if needed > ceiling {
            return Err(ChainError::DataFeeAboveCeiling { needed, ceiling });
        }
        Ok(Some(Amount::from_base_units(fee)))
    }

    /// A number of the oracle; nothing where it has no such method, or there is no oracle.
    async fn oracle(&self, from: EvmAddress, data: Vec<u8>) -> Result<Option<u128>, ChainError> {
        let message = Message {
            to: ORACLE,
            value: 0,
            data,
        };
        let call = json!([call_of(from, &message), "latest"]);
        let said: Result<Data, ChainError> =
            self.rpc.call("eth_call", call).await.map_err(would_fail);
        let word = match said {
            Ok(said) => said.0,
            Err(ChainError::WouldFail { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let Ok(word) = <[u8; 32]>::try_from(word.as_slice()) else {
            return Ok(None);
        };
        let (high, low) = word.split_at(16);
        let low: [u8; 16] = low.try_into().map_err(|_| RpcError::Malformed)?;
        // More than 128 bits is more than any ceiling.
        let fits = high.iter().all(|byte| *byte == 0);
        Ok(Some(if fits {
            u128::from_be_bytes(low)
        } else {
            u128::MAX
        }))
    }
}

/// `getL1Fee(bytes)`: where the bytes begin, how many they are, and they themselves, filled up to a word.
fn of_data(unsigned: &[u8]) -> Vec<u8> {
    let mut data = DATA_FEE.to_vec();
    data.extend(word(32));
    data.extend(word(u128::try_from(unsigned.len()).unwrap_or(u128::MAX)));
    data.extend_from_slice(unsigned);
    data.resize(4 + 64 + unsigned.len().next_multiple_of(32), 0);
    data
}

fn of_operator(gas_limit: u64) -> Vec<u8> {
    [&OPERATOR_FEE[..], &word(gas_limit.into())].concat()
}

fn word(number: u128) -> [u8; 32] {
    let mut word = [0; 32];
    let (_, low) = word.split_at_mut(16);
    low.copy_from_slice(&number.to_be_bytes());
    word
}

/// What a receipt says of the fee beside gas; nothing on most networks.
pub(super) fn of_receipt(l1_fee: Option<Quantity>) -> u128 {
    l1_fee.map_or(0, Quantity::value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_are_encoded_as_the_abi_says() {
        for (selector, signature) in [
            (DATA_FEE, "getL1Fee(bytes)"),
            (OPERATOR_FEE, "getOperatorFee(uint256)"),
        ] {
            let hash = alloy_primitives::keccak256(signature);
            assert_eq!(hash.0[..4], selector, "{signature}");
        }
        let asked = hex::encode(of_data(&[0xab; 33]));
        let expected = [
            "49948e0e",
            &format!("{:064x}", 32),
            &format!("{:064x}", 33),
            &"ab".repeat(33),
            &"00".repeat(31),
        ];
        assert_eq!(asked, expected.concat());
        assert_eq!(of_data(&[1; 32]).len(), 4 + 96);
        assert_eq!(
            hex::encode(of_operator(21_000)),
            format!("275aedd2{:064x}", 21_000)
        );
    }
}
