//! What is counted is found again, and nothing is forgotten that a window still sees.

use super::*;
use crate::authorization::VALID_LONGEST;
use crate::codec::{from_canonical, to_canonical};

fn asset() -> AssetId {
    ChainId::Evm(31_337).native_asset()
}

fn to(place: u8) -> crate::address::Account {
    crate::address::Account::Evm(crate::address::EvmAddress::from_bytes([place; 20]))
}

fn account(place: u8) -> AccountId {
    AccountId::new(asset().chain(), to(place)).expect("one family")
}

fn units(amount: u128) -> Amount {
    Amount::from_base_units(amount)
}

/// A payment of 10 with a fee of 1.
struct Made {
    charges: Charges,
    effects: Vec<Effect>,
}

fn made(recipient: u8) -> Made {
    let effects = vec![
        Effect::Transfer {
            asset: asset(),
            to: to(recipient),
            amount: units(10),
        },
        Effect::Fee {
            asset: asset(),
            max: units(1),
        },
    ];
    Made {
        charges: super::super::evaluate::charges(&effects).expect("fits"),
        effects,
    }
}

impl Made {
    fn at(&self, hours: u64) -> Charged<'_> {
        Charged {
            at: BudgetTime::default().after(Millis::from_hours(hours)),
            chain: asset().chain(),
            charges: &self.charges,
            effects: &self.effects,
        }
    }
}

#[test]
fn each_account_of_spending_is_charged() {
    let payment = made(1);
    let mut history = WalletHistory::default();
    history.charge(&payment.at(1));
    let now = payment.at(1).at;
    let window = super::super::windows::Window::Day;
    let spent = |usage: Option<&Usage>| usage.map(|usage| usage.spent(window, now));
    assert_eq!(spent(history.asset(asset())), Some(units(11)));
    // A fee is paid to nobody.
    assert_eq!(
        spent(history.recipient(asset(), account(1))),
        Some(units(10))
    );
    assert_eq!(spent(history.recipient(asset(), account(2))), None);
    assert_eq!(history.payments().count(window, now), 1);
    assert_eq!(history.last(), Some(now));
    assert_eq!(history.outstanding(asset()), units(11));
    assert!(history.has_paid(account(1)) && !history.has_paid(account(2)));
    history.attested(asset().chain(), None);
    assert_eq!(history.outstanding(asset()), Amount::ZERO);
    let read: WalletHistory = from_canonical(&to_canonical(&history)).expect("canonical");
    assert_eq!(read, history);
}

#[test]
fn a_charge_is_taken_out_again_and_recipients_stay_paid() {
    let payment = made(1);
    let mut history = WalletHistory::default();
    history.charge(&payment.at(1));
    let mut session = SessionHistory::default();
    session.charge(&payment.at(1));
    history.uncharge(&payment.at(1));
    session.uncharge(&payment.at(1));
    let now = payment.at(1).at;
    for window in super::super::windows::Window::ALL {
        let empty = |usage: Option<&Usage>| {
            let usage = usage.expect("an entry");
            (usage.spent(window, now), usage.count(window, now)) == (Amount::ZERO, 0)
        };
        assert!(empty(history.asset(asset())));
        assert!(empty(history.recipient(asset(), account(1))));
        assert!(empty(session.asset(asset())));
        assert!(empty(Some(history.payments())) && empty(Some(session.payments())));
    }
    assert_eq!((history.last(), session.last()), (None, None));
    assert_eq!(history.outstanding(asset()), Amount::ZERO);
    assert!(history.has_paid(account(1)));
}

#[test]
fn recipients_are_forgotten_when_no_window_sees_them() {
    let mut history = WalletHistory::default();
    for place in 0..50 {
        history.charge(&made(place).at(u64::from(place)));
    }
    assert_eq!(history.recipients.len(), 50);
    // The month's last bucket of the first one ends four hours after its 30 days.
    history.charge(&made(100).at(30 * 24 + 23));
    assert_eq!(history.recipients.len(), 50 - 20 + 1);
    history.charge(&made(101).at(80 * 24));
    assert_eq!(history.recipients.len(), 1);
    assert!(history.has_paid(account(0)));
}

#[test]
fn one_payment_is_left_out_everywhere() {
    struct One(WalletId, WalletHistory, SessionHistory);
    impl History for One {
        fn wallet(&self, wallet: WalletId) -> Option<&WalletHistory> {
            (wallet == self.0).then_some(&self.1)
        }
        fn session(&self, _: SessionId) -> Option<&SessionHistory> {
            Some(&self.2)
        }
        fn wallets(&self) -> Box<dyn Iterator<Item = (WalletId, &WalletHistory)> + '_> {
            Box::new(std::iter::once((self.0, &self.1)))
        }
    }
    let payment = made(1);
    let wallet = WalletId::from_bytes([1; 16]);
    let session = SessionId::from_bytes([2; 16]);
    let mut all = One(wallet, WalletHistory::default(), SessionHistory::default());
    for hours in [1, 2] {
        all.1.charge(&payment.at(hours));
        all.2.charge(&payment.at(hours));
    }
    let without = Without::new(&all, wallet, session, &payment.at(2));
    let now = payment.at(2).at;
    let window = super::super::windows::Window::Day;
    let spent = |usage: &Usage| usage.spent(window, now);
    let of_wallet = without.wallet(wallet).expect("it is there");
    assert_eq!(spent(of_wallet.asset(asset()).expect("charged")), units(11));
    let of_session = without.session(session).expect("it is there");
    assert_eq!(
        spent(of_session.asset(asset()).expect("charged")),
        units(11)
    );
    let listed: Vec<_> = without.wallets().collect();
    assert_eq!(listed, [(wallet, of_wallet)]);
    assert!(without.wallet(WalletId::from_bytes([3; 16])).is_none());
}

/// A payment that is signed again for a higher fee moves whole; a cancellation moves a fee and no count.
#[test]
fn transactions_of_one_nonce_count_as_one() {
    use super::super::windows::Window;
    let payment = made(1);
    let dearer = vec![
        Effect::Transfer {
            asset: asset(),
            to: to(1),
            amount: units(10),
        },
        Effect::Fee {
            asset: asset(),
            max: units(3),
        },
    ];
    let dearer = Made {
        charges: super::super::evaluate::charges(&dearer).expect("fits"),
        effects: dearer,
    };
    let mut history = WalletHistory::default();
    history.charge(&payment.at(0));
    history.charge(&made(2).at(1));
    let two = Charged {
        at: dearer.at(2).at,
        ..dearer.at(0)
    };
    history.vary(&payment.at(0), &two, true);
    let now = two.at;
    let spent = |history: &WalletHistory, window| {
        let usage = history.asset(asset()).expect("charged");
        (usage.spent(window, now), usage.count(window, now))
    };
    assert_eq!(spent(&history, Window::Day), (units(24), 2));
    assert_eq!(history.outstanding(asset()), units(24));
    let first = history.recipient(asset(), account(1)).expect("paid");
    assert_eq!(
        (first.spent(Window::Day, now), first.count(Window::Day, now)),
        (units(10), 1)
    );
    assert_eq!(history.payments().count(Window::Day, now), 2);
    assert_eq!(history.last(), Some(now));
    // A fee of 4, of which the payment's charge gives 4: nothing is added, and nobody is paid.
    let fee = Charges::from([(asset(), units(4))]);
    let taken = Charged {
        charges: &fee,
        ..two
    };
    let cancelled = Charged {
        at: made(1).at(3).at,
        charges: &fee,
        ..two
    };
    history.vary(&taken, &cancelled, false);
    assert_eq!(spent(&history, Window::Day), (units(24), 2));
    assert_eq!(history.payments().count(Window::Day, now), 2);
    assert_eq!(history.last(), Some(now));
    // Three hours after the payment was signed again the hour sees the fee alone.
    let later = made(1).at(5).at;
    let usage = history.asset(asset()).expect("charged");
    assert_eq!(usage.spent(Window::Hour, made(1).at(3).at), units(4 + 9));
    assert_eq!(usage.spent(Window::Hour, later), units(0));
    assert_eq!(usage.spent(Window::Day, later), units(24));
}

/// Two transfers to one recipient and one to another count as three, are taken out as three, and a credit
/// takes back one.
#[test]
fn a_batch_is_counted_one_by_one() {
    let one = made(1);
    let effects = [
        one.effects[0].clone(),
        made(2).effects[0].clone(),
        one.effects[0].clone(),
        one.effects[1].clone(),
    ];
    let batch = Made {
        charges: super::super::evaluate::charges(&effects).expect("fits"),
        effects: effects.to_vec(),
    };
    let (mut wallet, mut session) = (WalletHistory::default(), SessionHistory::default());
    wallet.charge(&one.at(0));
    session.charge(&one.at(0));
    let before = (wallet.clone(), session.clone());
    wallet.charge(&batch.at(1));
    session.charge(&batch.at(1));
    let now = batch.at(1).at;
    let window = super::super::windows::Window::Day;
    let count = |usage: Option<&Usage>| usage.map(|usage| usage.count(window, now));
    let counted = |wallet: &WalletHistory, session: &SessionHistory| {
        [
            count(Some(wallet.payments())),
            count(wallet.asset(asset())),
            count(wallet.recipient(asset(), account(1))),
            count(wallet.recipient(asset(), account(2))),
            count(Some(session.payments())),
            count(session.asset(asset())),
        ]
    };
    assert_eq!(
        counted(&wallet, &session),
        [Some(4), Some(4), Some(3), Some(1), Some(4), Some(4)]
    );
    let spent = wallet.recipient(asset(), account(1));
    assert_eq!(spent.map(|usage| usage.spent(window, now)), Some(units(30)));
    let mut credited = wallet.clone();
    credited.credit(now, &batch.charges);
    assert_eq!(count(credited.asset(asset())), Some(3));
    wallet.uncharge(&batch.at(1));
    session.uncharge(&batch.at(1));
    let (wallet_before, session_before) = before;
    assert_eq!(
        counted(&wallet, &session)[..3],
        counted(&wallet_before, &session_before)[..3]
    );
    assert_eq!(count(Some(session.payments())), Some(1));
}

/// No nonce ends an authorization, and no key's rotation: an hour of the budget clock does.
#[test]
fn invariant_06_an_authorization_is_outstanding_until_its_own_time() {
    let payment = made(1);
    let at = |minutes: u64| BudgetTime::default().after(Millis::from_secs(60 * minutes));
    let mut history = WalletHistory::default();
    let authorized = Charged {
        at: at(120),
        ..payment.at(0)
    };
    history.authorize(&authorized);
    let before = history.clone();
    assert_eq!(history.outstanding(asset()), Amount::ZERO);
    history.attested(asset().chain(), None);
    history.rotated();
    history.attested(asset().chain(), Some(0));
    assert_eq!(history.authorized(asset(), at(120)), units(11));
    assert_eq!(history.authorized(asset(), at(180)), units(11));
    assert_eq!(history.authorized(asset(), at(181)), Amount::ZERO);
    // Four times as long as any holds, so that a clock that was ahead frees nothing.
    assert!(AUTHORIZED.length().millis() >= 4 * VALID_LONGEST.millis());
    // It is charged like any other payment, and taken out again for its own replay.
    let spent = |history: &WalletHistory| {
        let usage = history.asset(asset()).expect("charged");
        (
            usage.spent(Window::Day, at(121)),
            usage.count(Window::Day, at(121)),
        )
    };
    assert_eq!(spent(&before), (units(11), 1));
    let mut without = before;
    without.unauthorize(&authorized);
    assert_eq!(spent(&without), (Amount::ZERO, 0));
    assert_eq!(without.authorized(asset(), at(121)), Amount::ZERO);
}
