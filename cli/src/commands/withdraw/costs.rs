//! What a withdrawal costs, by a node or by what the owner gives, and the transaction that is built with
//! it. The owner's fee ceiling binds, whatever a node asks.

use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::amount::Amount;
use waiaas_shared::caip::{ChainId, Token};
use waiaas_shared::evm::NetworkTerms;
use waiaas_shared::request::Transfer;
use waiaas_shared::solana::build::{BatchRequest, Part};
use waiaas_shared::view::WalletView;
use waiaas_shared::{evm, solana};

use super::Args;
use crate::chain_node::{GasPrice, Node};
use crate::failure::Failure;

/// A transfer with both settings of its budget takes 450 compute units.
const COMPUTE_UNITS: u32 = 450;
/// Enough to create an account and to transfer a token of either program.
const TOKEN_COMPUTE_UNITS: u32 = 100_000;
/// Enough for a common token.
pub(super) const TOKEN_GAS: u64 = 100_000;

/// What the chain demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Costs {
    Solana {
        blockhash: [u8; 32],
        unit_price: u64,
        /// What moves, if it is a token.
        token: Option<solana::Token>,
        /// Whether the recipient's account for it is created.
        create: bool,
    },
    Evm {
        gas: u64,
        price: GasPrice,
        network: NetworkTerms,
    },
}

impl Costs {
    pub(super) async fn find(
        args: &Args,
        payer: &WalletView,
        transfer: &Transfer,
        node: Option<&Node>,
        network: NetworkTerms,
    ) -> Result<Self, Failure> {
        match transfer.asset.chain() {
            ChainId::Solana(_) => {
                let blockhash = match (args.blockhash, node) {
                    (Some(hash), _) => *hash.as_bytes(),
                    (None, Some(node)) => node.blockhash().await?,
                    (None, None) => return Err(Failure::usage("give --rpc URL, or --blockhash")),
                };
                let create = match (transfer.mint, transfer.to, node) {
                    (Some(token), Account::Solana(to), Some(node)) => {
                        node.tokens(token.account_of(to)).await?.is_none()
                    }
                    (token, _, _) => token.is_some() && args.create_account,
                };
                Ok(Self::Solana {
                    blockhash,
                    unit_price: args.unit_price,
                    token: transfer.mint,
                    create,
                })
            }
            ChainId::Evm(_) => {
                let price = match (args.max_fee_per_gas, args.priority_fee_per_gas, node) {
                    (Some(max_fee), Some(priority), _) => GasPrice { max_fee, priority },
                    (None, None, Some(node)) => node.gas_price(network.form()).await?,
                    _ => {
                        return Err(Failure::usage(
                            "give --rpc URL, or both --max-fee-per-gas and --priority-fee-per-gas",
                        ));
                    }
                };
                let gas = match (args.gas, transfer.asset.token(), node) {
                    (Some(gas), _, _) => gas,
                    (None, Token::Native, _) => evm::MIN_GAS_LIMIT,
                    (None, _, Some(node)) => {
                        let (from, _) = evm_pair(payer.account, transfer.to).ok_or_else(mixed)?;
                        let message = message(from, transfer).ok_or_else(mixed)?;
                        node.gas(payer.account, &message).await?
                    }
                    (None, _, None) => TOKEN_GAS,
                };
                Ok(Self::Evm {
                    gas,
                    price,
                    network,
                })
            }
        }
    }

    /// Compute units of a Solana transaction, at most.
    const fn units(token: Option<solana::Token>) -> u32 {
        match token {
            Some(_) => TOKEN_COMPUTE_UNITS,
            None => COMPUTE_UNITS,
        }
    }

    /// Base units of the chain's coin, at worst, the rent of a new account among them.
    pub(super) fn fee(self) -> Option<u128> {
        match self {
            Self::Solana {
                unit_price,
                token,
                create,
                ..
            } => {
                let priority = u128::from(unit_price)
                    .checked_mul(Self::units(token).into())?
                    .div_ceil(1_000_000);
                let rent = token.filter(|_| create);
                let rent = rent.map_or(0, |token| token.account_rent());
                priority
                    .checked_add(solana::LAMPORTS_PER_SIGNATURE.into())?
                    .checked_add(rent.into())
            }
            Self::Evm {
                gas,
                price,
                network,
            } => {
                let gas = u128::from(gas).checked_mul(price.max_fee)?;
                gas.checked_add(network.data_fee().base_units())
            }
        }
    }

    pub(super) fn check(self, ceiling: Amount) -> Result<(), Failure> {
        match self.fee() {
            Some(fee) if fee <= ceiling.base_units() => Ok(()),
            fee => Err(
                Failure::usage("the chain would take more than the fee ceiling")
                    .why(format!(
                        "{} base units at worst, {ceiling} allowed",
                        fee.map_or_else(|| "more than 2^128".to_owned(), |fee| fee.to_string())
                    ))
                    .next("raise --fee-ceiling, or wait until the chain is cheaper"),
            ),
        }
    }

    pub(super) fn build(self, from: Account, transfer: &Transfer) -> Result<Vec<u8>, Failure> {
        let Transfer {
            asset, to, amount, ..
        } = *transfer;
        match (self, asset.chain(), asset.token()) {
            (
                Self::Solana {
                    blockhash,
                    unit_price,
                    token,
                    create,
                },
                ChainId::Solana(_),
                _,
            ) => {
                let (from, to) = solana_pair(from, to).ok_or_else(mixed)?;
                let amount = u64::try_from(amount.base_units())
                    .map_err(|_| Failure::usage("more base units than there are"))?;
                let part = match token {
                    Some(token) => Part::Tokens {
                        to,
                        token,
                        amount,
                        create,
                    },
                    None => Part::Lamports {
                        to,
                        lamports: amount,
                    },
                };
                let request = BatchRequest {
                    from,
                    parts: &[part],
                    memo: None,
                    blockhash,
                    compute_unit_limit: Self::units(token),
                    micro_lamports_per_compute_unit: unit_price,
                };
                solana::build::batch(&request)
                    .map_err(|error| Failure::usage("no such transaction can be built").why(error))
            }
            (
                Self::Evm {
                    gas,
                    price,
                    network,
                },
                ChainId::Evm(chain_id),
                _,
            ) => {
                let (from, _) = evm_pair(from, to).ok_or_else(mixed)?;
                let terms = evm::build::Terms {
                    chain_id,
                    from,
                    gas_limit: gas,
                    max_fee_per_gas: price.max_fee,
                    max_priority_fee_per_gas: price.priority,
                };
                let message = message(from, transfer).ok_or_else(mixed)?;
                evm::build::transaction_as(network.form(), &terms, message, None)
                    .map_err(|error| Failure::usage("no such transaction can be built").why(error))
            }
            _ => Err(mixed()),
        }
    }
}

fn message(from: EvmAddress, transfer: &Transfer) -> Option<evm::build::Message> {
    evm::build::message(from, transfer.effects().first()?)
}

fn mixed() -> Failure {
    Failure::usage("wallet, address and network are not of one kind")
}

const fn solana_pair(from: Account, to: Account) -> Option<(SolanaAddress, SolanaAddress)> {
    match (from, to) {
        (Account::Solana(from), Account::Solana(to)) => Some((from, to)),
        _ => None,
    }
}

const fn evm_pair(from: Account, to: Account) -> Option<(EvmAddress, EvmAddress)> {
    match (from, to) {
        (Account::Evm(from), Account::Evm(to)) => Some((from, to)),
        _ => None,
    }
}
