//! Keys of wallets: a wallet ends, or goes on with a key that was never given, as an owner signed. Nothing
//! that was spent is forgotten with a key, and a former key pays nothing but withdrawals.

use waiaas_shared::address::{Account, EvmAddress, SolanaAddress};
use waiaas_shared::caip::{ChainId, Family};
use waiaas_shared::denial::Code;
use waiaas_shared::ids::WalletId;
use waiaas_shared::statement::StatementFacts;

use super::book::{Book, Wallet};
use super::expect::Expect;
use super::run::Run;
use crate::core::command::{Command, DerivedKey, Submission};

impl Wallet {
    /// Next and attested nonce of one of its keys: the present one, or a former address.
    pub(super) fn nonces_of(&mut self, from: Option<Account>) -> Option<&mut (u64, u64)> {
        match from {
            None => self.nonces.as_mut(),
            Some(account) => {
                let mut former = self.former.iter_mut();
                former.find(|(known, _)| *known == account)?.1.as_mut()
            }
        }
    }
}

impl Book {
    fn payments_end(&mut self, wallet: WalletId) {
        self.waits.retain(|_, wait| wait.asking.wallet != wallet);
    }

    pub(super) fn close(&mut self, wallet: WalletId) {
        self.payments_end(wallet);
        self.wallet_mut(wallet).closed = true;
    }

    /// The next nonce of one of a wallet's keys was attested.
    pub(super) fn attested(
        &mut self,
        id: WalletId,
        chain: ChainId,
        next: u64,
        from: Option<Account>,
    ) {
        let wallet = self.wallet_mut(id);
        let mut former = wallet.former.iter();
        let key = from.and_then(|from| former.position(|(known, _)| *known == from));
        let nonces = wallet.nonces_of(from).expect("a key with nonces");
        let (due, _) = std::mem::replace(nonces, (next, next));
        let account = from.unwrap_or(wallet.account);
        wallet.left_out.push((account, due..next));
        if from.is_none() {
            wallet.withdrawn.clear();
        }
        self.charges.attested(id, chain, key);
        self.void_attestations(id, from);
    }

    /// The next nonce of one of a wallet's keys is another one: what was written beside the one before is void.
    pub(super) fn void_attestations(&mut self, id: WalletId, key: Option<Account>) {
        for draft in self.drafts.values_mut() {
            draft.void |= matches!(
                draft.facts,
                StatementFacts::AttestNonce { wallet, from, .. } if (wallet, from) == (id, key)
            );
        }
    }

    pub(super) fn rotate(&mut self, id: WalletId, account: Account, first_nonce: u64) {
        self.payments_end(id);
        let now = self.now().budget;
        let wallet = self.wallet_mut(id);
        let first = wallet.nonces.map(|_| (first_nonce, first_nonce));
        let former = std::mem::replace(&mut wallet.account, account);
        wallet.former.push((former, wallet.nonces));
        wallet.nonces = first;
        wallet.left_out.push((account, 0..first_nonce));
        wallet.rotated = Some(now);
        wallet.withdrawn.clear();
        self.charges.rotated(id);
        // What was written beside the former address means nothing for the next one.
        for draft in self.drafts.values_mut() {
            draft.void |= match &draft.facts {
                StatementFacts::AttestNonce {
                    wallet, from: None, ..
                }
                | StatementFacts::RotateWallet { wallet, .. }
                | StatementFacts::CloseWallet { wallet }
                | StatementFacts::Withdraw {
                    wallet, from: None, ..
                } => *wallet == id,
                _ => false,
            };
        }
    }
}

impl Run {
    /// What the shell brings with a rotation: the next key of the family, or one that was given before.
    pub(super) fn rotation(
        &self,
        submission: Submission,
        wallet: WalletId,
        known: bool,
        expect: &mut Expect,
    ) -> Command {
        let wallet = self.book.wallet(wallet);
        let family = wallet.chain.family();
        expect.when(known, Code::KeyKnown);
        let account = if known {
            let former = wallet.former.first();
            former.map_or(wallet.account, |(account, _)| *account)
        } else {
            fresh(family, self.sequence())
        };
        let path = self.state.next_path(family);
        Command::Rotate {
            submission,
            key: DerivedKey { path, account },
        }
    }

    /// The facts of a closing or a rotation.
    pub(super) fn facts_of_keys(wallet: &Wallet, first_nonce: Option<u64>) -> StatementFacts {
        match first_nonce {
            None => StatementFacts::CloseWallet { wallet: wallet.id },
            Some(first_nonce) => StatementFacts::RotateWallet {
                wallet: wallet.id,
                first_nonce,
            },
        }
    }
}

/// An address that no wallet had before.
fn fresh(family: Family, number: u64) -> Account {
    let mut bytes = [0xb0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    match family {
        Family::Solana => Account::Solana(SolanaAddress::from_bytes(bytes)),
        Family::Evm => {
            let mut address = [0; 20];
            address.copy_from_slice(&bytes[..20]);
            Account::Evm(EvmAddress::from_bytes(address))
        }
    }
}

/// Whether a first nonce means something on the wallet's chain.
pub(super) const fn first_nonce_fits(chain: ChainId, first_nonce: u64) -> bool {
    match chain {
        ChainId::Evm(_) => true,
        ChainId::Solana(_) => first_nonce == 0,
    }
}
