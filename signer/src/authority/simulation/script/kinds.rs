//! What agents ask for besides one payment of coins: several payments in one transaction with a memo, tokens,
//! leave to take them, and calls; and bytes of a gateway that do a little more or something else.

use waiaas_shared::address::EvmAddress;

use super::super::world::{DEPOSIT, DEPOSITS, vault};
use super::*;
use crate::model::asking::{Does, Part, Told};
use crate::model::calls::word_of;
use crate::model::people::token_on;

impl Script {
    pub(super) fn of_another_kind(&mut self) -> Asked {
        let session = self.session();
        let asking = match self.random.below(5) {
            0 | 1 => self.batch(session),
            2 => self.token(session),
            _ => self.deposit(session),
        };
        let (_, from) = self.world.wallet_on(asking.chain);
        let mut does = asking.clone();
        if self.random.once_in(6) {
            self.spoil(&mut does);
        }
        let terms = Terms {
            price: 1,
            salt: self.world.requests,
            nonce: 0,
        };
        let mut bytes = proposed(&from, &does, terms, 1);
        if self.random.once_in(24) {
            bytes.push(0);
        }
        self.keys += 1;
        let key = format!("key-{}", self.keys);
        let request = self.world.asks(session, &key, asking, bytes);
        self.sent.push((session, request.clone()));
        if self.random.once_in(12) {
            return Asked::Decide(Box::new(request));
        }
        Asked::Sign(Box::new(request))
    }

    fn part(&mut self, does: Does, chain: ChainId, token: bool) -> Part {
        let asset = if token {
            token_on(chain)
        } else {
            chain.native_asset()
        };
        Part {
            does,
            asset,
            to: account(chain, self.random.pick(&[0, 0, 0, 0, 1, 1, 2]).unwrap_or(0)),
            amount: self.random.between(1, 30_000).into(),
        }
    }

    fn asking(&self, session: Session, chain: ChainId, parts: Vec<Part>) -> Asking {
        let (wallet, _) = self.world.wallet_on(chain);
        let first = parts[0];
        Asking {
            parts,
            ..Asking::coins((wallet, session.id, session.is_bearer()), first.to, 0, 0)
        }
    }

    fn batch(&mut self, session: Session) -> Asking {
        let parts = (0..self.random.between(1, 4)).map(|_| {
            let token = self.random.once_in(2);
            self.part(Does::Pays, solana(), token)
        });
        let parts = parts.collect();
        let memo = self.random.once_in(2);
        let memo = memo.then(|| format!("order {}", self.random.below(100)));
        Asking {
            memo,
            ..self.asking(session, solana(), parts)
        }
    }

    fn token(&mut self, session: Session) -> Asking {
        let does = if self.random.once_in(3) {
            Does::LetsTake
        } else {
            Does::Pays
        };
        let part = self.part(does, EVM, true);
        self.asking(session, EVM, vec![part])
    }

    /// Into the vault: mostly what policy lets, for the wallet itself.
    fn deposit(&mut self, session: Session) -> Asking {
        let (_, from) = self.world.wallet_on(EVM);
        let Account::Evm(from) = from else {
            panic!("an address of the chain")
        };
        let amount = match self.random.below(6) {
            0 => DEPOSIT + 1,
            1 => DEPOSIT,
            _ => self.random.between(1, 2_999).into(),
        };
        let whom = if self.random.once_in(8) {
            EvmAddress::from_bytes([40; 20])
        } else {
            from
        };
        let function = if self.random.once_in(10) {
            "sweep(uint256,address)"
        } else {
            DEPOSITS
        };
        let carries = |asset, amount| Part {
            does: Does::Carries,
            asset,
            to: vault(),
            amount,
        };
        let parts = vec![
            carries(EVM.native_asset(), 0),
            carries(token_on(EVM), amount),
        ];
        Asking {
            told: Some(Told {
                from,
                function: function.to_owned(),
                words: vec![word_of(&amount.to_be_bytes()), word_of(whom.as_bytes())],
                spends: vec![Some(token_on(EVM)), None],
            }),
            ..self.asking(session, EVM, parts)
        }
    }

    /// Something that nobody asked for.
    fn spoil(&mut self, does: &mut Asking) {
        if let Some(told) = &mut does.told {
            let place = usize::from(self.random.once_in(2));
            if let Some(last) = told.words[place].last_mut() {
                *last ^= 1;
            }
            return;
        }
        match (self.random.below(3), does.parts.last_mut()) {
            (0, Some(last)) => last.amount += 1,
            (1, Some(last)) => {
                last.to = account(does.chain, u8::from(last.to == account(does.chain, 0)));
            }
            _ if does.chain == EVM => does.parts[0].amount += 2,
            _ if self.random.once_in(2) => does.memo = Some("another".to_owned()),
            _ => {
                let hidden = self.part(Does::Pays, solana(), false);
                does.parts.push(hidden);
            }
        }
    }

    /// What kinds of payment were signed.
    pub(super) fn count_kinds(&mut self) {
        let history = &self.world.history;
        let spends = history
            .entries
            .iter()
            .filter_map(|entry| match &entry.event.body {
                EventBody::SpendCommitted(spend) => history.asked.get(&spend.body).cloned(),
                _ => None,
            });
        for asked in spends.collect::<Vec<Asking>>() {
            let native = asked.native();
            let of = |does| asked.parts.iter().any(|part| part.does == does);
            let token = |part: &Part| part.does == Does::Pays && part.asset != native;
            for (kind, is) in [
                ("batch", asked.told.is_none() && asked.parts.len() > 1),
                ("memo", asked.memo.is_some()),
                ("token", asked.parts.iter().any(token)),
                ("allowance", of(Does::LetsTake)),
                ("call", asked.told.is_some()),
            ] {
                if is {
                    self.count(kind);
                }
            }
        }
    }
}
