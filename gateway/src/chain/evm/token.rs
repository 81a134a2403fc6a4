//! What only tokens ask of a node: balances, what a contract says of itself, and whether a transfer
//! arrives whole. Every answer is a claim: it refuses early or is shown, and never makes anything pass
//! that the signer would refuse. Source: ERC-20, Ethereum's execution API (`eth_simulateV1`).

use serde::Deserialize;
use serde_json::json;
use waiaas_shared::address::{Account, EvmAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{AssetId, Token};
use waiaas_shared::effect::Effect;
use waiaas_shared::evm::build::Message;

use super::{Evm, call_of, would_fail};
use crate::chain::quantity::{Data, Quantity};
use crate::chain::rpc_error::{ChainText, RpcError};
use crate::chain::{ChainError, TokenFacts};

/// `balanceOf(address)`, `ownerOf(uint256)`, `balanceOf(address,uint256)`, `decimals()`, `symbol()`.
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];
const OWNER_OF: [u8; 4] = [0x63, 0x52, 0x21, 0x1e];
const KIND_BALANCE_OF: [u8; 4] = [0x00, 0xfd, 0xd5, 0x8e];
const DECIMALS: [u8; 4] = [0x31, 0x3c, 0xe5, 0x67];
const SYMBOL: [u8; 4] = [0x95, 0xd8, 0x9b, 0x41];

/// Tokens that keep balances as shares round what they move by a base unit or two.
const ROUNDING: u128 = 2;

impl Evm {
    /// What an account holds of an asset; the largest amount if it is more than 128 bits hold.
    pub(in crate::chain) async fn holding(
        &self,
        asset: AssetId,
        holder: EvmAddress,
    ) -> Result<Amount, ChainError> {
        let (token, data) = match asset.token() {
            Token::Native => return self.balance(holder).await,
            Token::Erc20(token) => (token, balance_of(holder)),
            Token::Erc721(token, id) => (token, [&OWNER_OF[..], id.as_bytes()].concat()),
            Token::Erc1155(token, id) => {
                let data = [&KIND_BALANCE_OF[..], &padded(holder), id.as_bytes()];
                (token, data.concat())
            }
            Token::Mint(_) => return Err(ChainError::FamilyMismatch),
        };
        let returned = self.read(token, data).await?;
        // An address without code answers every call with nothing.
        let word = word(&returned.0).ok_or(ChainError::NoToken(Box::new(asset)))?;
        Ok(match asset.token() {
            Token::Erc721(..) => Amount::from_base_units((*word == padded(holder)).into()),
            _ => number(word),
        })
    }

    /// What a token says of itself.
    pub(in crate::chain) async fn token_facts(
        &self,
        token: EvmAddress,
    ) -> Result<TokenFacts, ChainError> {
        let said = |answer: Result<Data, ChainError>| match answer {
            Ok(returned) => Ok(returned.0),
            // Neither method is one that every token has.
            Err(ChainError::WouldFail { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        let decimals = said(self.read(token, DECIMALS.to_vec()).await)?;
        let symbol = said(self.read(token, SYMBOL.to_vec()).await)?;
        Ok(TokenFacts {
            symbol: text(&symbol),
            decimals: word(&decimals)
                .map(number)
                .and_then(|places| u8::try_from(places.base_units()).ok()),
        })
    }

    /// Whether a transfer brings its recipient what leaves the wallet: a token may keep a part. Nodes
    /// without `eth_simulateV1` cannot tell, and then nothing is said.
    pub(super) async fn arrives_whole(
        &self,
        from: EvmAddress,
        effect: &Effect,
        message: &Message,
    ) -> Result<(), ChainError> {
        let Effect::Transfer {
            asset,
            to: Account::Evm(to),
            amount,
        } = effect
        else {
            return Ok(());
        };
        // A piece arrives or does not.
        if !matches!(asset.token(), Token::Erc20(_)) {
            return Ok(());
        }
        let look = json!({ "to": message.to, "data": shown(&balance_of(*to)) });
        let calls = json!([look, call_of(from, message), look]);
        let asked = json!([{ "blockStateCalls": [{ "calls": calls }] }, "latest"]);
        let blocks: Vec<SimulatedBlock> = match self.rpc.call("eth_simulateV1", asked).await {
            Ok(blocks) => blocks,
            Err(RpcError::Rpc { .. } | RpcError::Malformed) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let calls = blocks.first().map_or(&[][..], |block| &block.calls);
        let [before, moved, after] = calls else {
            return Ok(());
        };
        if moved.status.value() != 1 {
            let reason = ChainText::new("execution reverted");
            return Err(ChainError::WouldFail { reason });
        }
        let (Some(before), Some(after)) = (word(&before.returned.0), word(&after.returned.0))
        else {
            return Ok(());
        };
        let received = number(after).remaining_after(number(before));
        let missing = amount.remaining_after(received);
        if missing.base_units() > ROUNDING {
            return Err(ChainError::TokenTakesFee {
                asset: Box::new(*asset),
                sent: *amount,
                received,
            });
        }
        Ok(())
    }

    async fn read(&self, token: EvmAddress, data: Vec<u8>) -> Result<Data, ChainError> {
        let call = json!([{ "to": token, "data": shown(&data) }, "latest"]);
        self.rpc.call("eth_call", call).await.map_err(would_fail)
    }
}

/// A token that does not revert says by `false` that it refuses; some say nothing at all.
pub(super) fn not_refused(returned: &Data) -> Result<(), ChainError> {
    if returned.0.is_empty() || returned.0.iter().any(|byte| *byte != 0) {
        Ok(())
    } else {
        let reason = ChainText::new("the token answers false");
        Err(ChainError::WouldFail { reason })
    }
}

fn balance_of(holder: EvmAddress) -> Vec<u8> {
    [&BALANCE_OF[..], &padded(holder)].concat()
}

/// An address as a word.
fn padded(address: EvmAddress) -> [u8; 32] {
    let mut word = [0; 32];
    word.iter_mut()
        .skip(12)
        .zip(address.as_bytes())
        .for_each(|(to, from)| *to = *from);
    word
}

fn shown(data: &[u8]) -> String {
    format!("0x{}", hex::encode(data))
}

/// The first word of what a call returned.
fn word(returned: &[u8]) -> Option<&[u8; 32]> {
    returned.first_chunk()
}

/// A word as a number; the largest amount if it is more than 128 bits hold.
pub(super) fn number(word: &[u8; 32]) -> Amount {
    match word.split_last_chunk::<16>() {
        Some((high, low)) if high.iter().all(|byte| *byte == 0) => {
            Amount::from_base_units(u128::from_be_bytes(*low))
        }
        _ => Amount::MAX,
    }
}

/// A text as the ABI returns it, or the 32 bytes filled up with zeros of the oldest tokens.
fn text(returned: &[u8]) -> Option<ChainText> {
    let first = word(returned)?;
    let bytes = if number(first) == Amount::from_base_units(32) {
        let (length, content) = returned.get(32..)?.split_first_chunk()?;
        let length = usize::try_from(number(length).base_units()).ok()?;
        content.get(..length)?
    } else {
        first.split(|byte| *byte == 0).next()?
    };
    let text = std::str::from_utf8(bytes).ok()?;
    (!text.is_empty()).then(|| ChainText::new(text))
}

#[derive(Deserialize)]
struct SimulatedBlock {
    calls: Vec<SimulatedCall>,
}

#[derive(Deserialize)]
struct SimulatedCall {
    #[serde(rename = "returnData")]
    returned: Data,
    status: Quantity,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abi(length: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[31] = 32;
        bytes[63] = length;
        [bytes, content.to_vec()].concat()
    }

    #[test]
    fn symbols_are_read_in_both_forms_and_never_beyond_their_end() {
        let word_of = |text: &[u8]| [text, &vec![0; 32 - text.len()]].concat();
        for (returned, symbol) in [
            (abi(4, &word_of(b"USDC")), Some("USDC")),
            (abi(4, b"USDC"), Some("USDC")),
            (word_of(b"MKR"), Some("MKR")),
            (abi(3, &[0x1b, b'[', b'm']), Some("?[m")),
            (abi(5, b"USDC"), None),
            (abi(255, b"USDC"), None),
            (abi(0, b""), None),
            (abi(2, &[0xff, 0xfe]), None),
            (vec![0; 32], None),
            (vec![0xff; 32], None),
            (vec![], None),
            (vec![0; 31], None),
        ] {
            let read = text(&returned);
            assert_eq!(read.as_ref().map(ChainText::as_str), symbol, "{returned:?}");
        }
        let mut endless = abi(4, b"USDC");
        endless[32..64].fill(0xff);
        assert_eq!(text(&endless), None);
        let long = abi(200, &[b'A'; 200]);
        assert_eq!(text(&long).map(|text| text.as_str().len()), Some(200));
    }

    #[test]
    fn numbers_beyond_128_bits_are_the_largest() {
        let mut word = [0; 32];
        word[31] = 7;
        assert_eq!(number(&word), Amount::from_base_units(7));
        word[15] = 1;
        assert_eq!(number(&word), Amount::MAX);
        assert_eq!(number(&[0xff; 32]), Amount::MAX);
    }

    #[test]
    fn a_token_refuses_by_false_alone() {
        assert!(not_refused(&Data(vec![])).is_ok());
        let mut yes = vec![0; 32];
        yes[31] = 1;
        assert!(not_refused(&Data(yes)).is_ok());
        assert!(not_refused(&Data(vec![0; 32])).is_err());
    }
}
