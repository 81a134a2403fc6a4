//! Several transfers in one transaction against a Solana node: accounts looked up together, the wallet's
//! tokens counted together, and answers of the wrong shape.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use waiaas_shared::address::SolanaAddress;
use waiaas_shared::caip::{AssetId, Token as AssetToken};
use waiaas_shared::claim::Claim;
use waiaas_shared::effect::Effect;
use waiaas_shared::solana::{Token, TokenProgram};

use super::*;

fn address(byte: u8) -> SolanaAddress {
    SolanaAddress::from_bytes([byte; 32])
}

fn token() -> Token {
    Token {
        mint: address(0xc1),
        decimals: 6,
        program: TokenProgram::Token,
    }
}

fn tokens(chain: &Chain, to: &str, amount: u128) -> Transfer {
    Transfer {
        asset: AssetId::new(chain.id(), AssetToken::Mint(token().mint)).expect("a token"),
        mint: Some(token()),
        ..pays(chain, to, amount)
    }
}

/// A token account of Carol's with so many, then one of a recipient that exists or not, for each transfer.
fn accounts(held: u64, exist: &[bool]) -> Value {
    let owned = exist.iter().zip([DAVE, FRANK, DAVE]);
    owned_accounts(held, owned.map(|(exists, owner)| exists.then_some(owner)))
}

/// The same with whoever each recipient's account belongs to.
fn owned_accounts(held: u64, recipients: impl Iterator<Item = Option<&'static str>>) -> Value {
    let account = |owner: &str, amount: u64| {
        let owner: SolanaAddress = owner.parse().expect("an address");
        let mut data = vec![0; 165];
        data[..32].copy_from_slice(token().mint.as_bytes());
        data[32..64].copy_from_slice(owner.as_bytes());
        data[64..72].copy_from_slice(&amount.to_le_bytes());
        let owner = TokenProgram::Token.id().to_string();
        json!({ "owner": owner, "data": [BASE64.encode(data), "base64"] })
    };
    let pairs = recipients.flat_map(|owner| {
        let recipient = owner.map_or(Value::Null, |owner| account(owner, 0));
        [account(CAROL, held), recipient]
    });
    json!({ "context": { "slot": 2000 }, "value": pairs.collect::<Vec<_>>() })
}

const FRANK: &str = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM";

async fn prepare(
    held: u64,
    exist: &'static [bool],
    memo: Option<&str>,
) -> (Claim, Result<Prepared, ChainError>, Chain) {
    prepare_with(accounts(held, exist), memo).await
}

async fn prepare_with(
    accounts: Value,
    memo: Option<&str>,
) -> (Claim, Result<Prepared, ChainError>, Chain) {
    let node = solana_node(move |method, _| {
        (method == "getMultipleAccounts").then(|| Reply::Result(accounts.clone()))
    });
    let chain = chain_of(DEVNET, &[&node.url()], "");
    let more = vec![pays(&chain, FRANK, 7), tokens(&chain, FRANK, 11)];
    let memo = memo.map(|memo| memo.parse().expect("a memo"));
    let claim = Claim::new(tokens(&chain, DAVE, 5), more, memo);
    let prepared = chain.prepare_batch(account(CAROL), &claim, None).await;
    (claim, prepared, chain)
}

#[tokio::test]
async fn a_batch_creates_the_accounts_that_are_missing() {
    for (exist, created) in [
        (&[true, true][..], 0),
        (&[true, false], 1),
        (&[false, false], 2),
    ] {
        let (claim, prepared, chain) = prepare(16, exist, Some("order 7")).await;
        let prepared = prepared.expect("an honest node");
        let known = Known {
            owners: &claim.owners(),
            tokens: &claim.tokens(),
            ..Known::NOTHING
        };
        let read = decode(chain.id(), account(CAROL), &prepared.unsigned, known);
        let read = read.expect("readable");
        assert!(claim.is_done_by(&read));
        let rents = read
            .effects()
            .iter()
            .filter(|effect| matches!(effect, Effect::Rent { .. }));
        assert_eq!(rents.count(), created);
        assert_eq!(prepared.fee_max, coins(5000));
    }
}

#[tokio::test]
async fn tokens_of_all_transfers_must_be_there_together() {
    // Either alone could be paid.
    let (_, prepared, chain) = prepare(15, &[true, true], None).await;
    assert_eq!(
        prepared,
        Err(ChainError::InsufficientTokens {
            asset: Box::new(tokens(&chain, DAVE, 5).asset),
            balance: coins(15),
            needed: coins(16),
        })
    );
    assert!(prepare(16, &[true, true], None).await.1.is_ok());
}

/// Its address is still derived from the recipient, and whatever is paid there is somebody else's.
#[tokio::test]
async fn nothing_is_paid_into_an_account_that_was_given_away() {
    for recipients in [[Some(CAROL), Some(FRANK)], [None, Some(DAVE)]] {
        let told = owned_accounts(1000, recipients.into_iter());
        let (_, prepared, _) = prepare_with(told, None).await;
        let Err(ChainError::WouldFail { reason }) = prepared else {
            panic!("{recipients:?}: {prepared:?}");
        };
        assert!(reason.as_str().contains("belongs to"), "{reason:?}");
    }
    // What was the wallet's own account is not the wallet's money any more.
    let mut told = accounts(1000, &[true, true]);
    let others = owned_accounts(1000, [Some(CAROL)].into_iter());
    for place in [0, 2] {
        told["value"][place] = others["value"][1].clone();
    }
    told["value"][0] = accounts(0, &[true])["value"][1].clone();
    let (_, prepared, _) = prepare_with(told, None).await;
    assert!(
        matches!(prepared, Err(ChainError::InsufficientTokens { .. })),
        "{prepared:?}"
    );
}

#[tokio::test]
async fn answers_of_another_shape_build_nothing() {
    for exist in [&[true][..], &[true, true, true], &[]] {
        let (_, prepared, _) = prepare(1000, exist, None).await;
        assert_eq!(prepared, Err(ChainError::Rpc(RpcError::Malformed)));
    }
}

#[tokio::test]
async fn an_evm_chain_takes_no_batch() {
    let node = evm_node(|_, _| None);
    let chain = chain_of("eip155:31337", &[&node.url()], "");
    let claim = Claim::new(pays(&chain, BOB, 5), vec![pays(&chain, BOB, 6)], None);
    let prepared = chain.prepare_batch(account(ALICE), &claim, None).await;
    assert_eq!(prepared, Err(ChainError::FamilyMismatch));
    assert!(node.calls().is_empty());
}
